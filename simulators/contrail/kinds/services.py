"""Service chains: a port-tuple looks for its service-instance by itself."""

from __future__ import annotations

from simulators.contrail.answers import Refusal, internal
from simulators.contrail.drafts import Draft
from simulators.contrail.kinds.rules import Rules
from simulators.contrail.state import State

_DEPTH = 4


def _find_instance(state: State, draft: Draft) -> None:
    parent = draft.fq_name[:-1]
    if state.named("service-instance", parent) is not None:
        return
    if len(draft.fq_name) < _DEPTH:
        raise internal()
    raise Refusal(404, f"Name{parent} not found")


RULES = {"port-tuple": Rules(named=_find_instance)}
