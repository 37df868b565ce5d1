"""Route targets: their form, wherever they stand."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from simulators.contrail.answers import Json, Refusal, failed
from simulators.contrail.drafts import Draft
from simulators.contrail.state import State

_FORM = re.compile(r"target:(\d+|\d+\.\d+\.\d+\.\d+):\d+")


def is_target(text: Json) -> bool:
    """Whether it has the form of a route target."""
    return isinstance(text, str) and _FORM.fullmatch(text) is not None


def check_lists(properties: Mapping[str, Json], names: Iterable[str]) -> None:
    """The original falls over a list with a malformed target."""
    for name in names:
        for target in (properties.get(name) or {}).get("route_target") or ():
            if not is_target(target):
                raise failed("Unsupported response type: <class 'int'>")


def check_name(state: State, draft: Draft) -> None:
    """A route-target is named by what it is."""
    if not is_target(draft.fq_name[-1]):
        raise Refusal(400, "Route target must be of the format 'target:<asn>:<number>' or 'target:<ip>:<number>'")
