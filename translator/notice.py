"""Notices: what a translation decides that a user would want to know, beside the objects that it asks for (pure).

A notice is no error: what can be served is served, and the notice says what is not, and why. It is kept for the
resource whose translation gave it, replaced by that resource's next translation, and gone with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import msgspec

from schemas.contrail.objects import Desired
from translator.resource import Key, Resource

LONGEST_MESSAGE = 1000
"""Characters of a message: what Kubernetes takes in an Event."""
_REASON = re.compile(r"[A-Z][A-Za-z0-9]{2,63}")


class Notice(msgspec.Struct, frozen=True, gc=False):
    """One thing to know: `reason` for programs (`NoPublicPool`), `message` in a user's words.

    `about` is the key of the resource that it concerns, where that is another than the translated one (a slice's
    service). `normal` says that nothing is wrong.
    """

    reason: str
    message: str
    about: Key | None = None
    normal: bool = False


Outcome = Desired | Notice
"""What translations return."""

Place = tuple[Key, str]
"""(about, reason): at most one notice of a resource has it."""


class Said(msgspec.Struct, frozen=True, gc=False):
    """What a stored notice says."""

    message: str
    normal: bool = False


Notices = Mapping[Place, Said]
"""All notices of one resource's translation."""
NONE: Notices = {}


def noticed(resource: Resource, outcome: Iterable[Outcome]) -> Notices:
    """The notices among what a translation returned; messages of one reason are put together in their order."""
    found: dict[Place, dict[str, bool]] = {}
    for each in outcome:
        if isinstance(each, Notice):
            found.setdefault((each.about or resource.key, _checked(each)), {})[each.message] = each.normal
    return {place: Said(_storable("; ".join(said)), all(said.values())) for place, said in found.items()}


def objects_of(outcome: Iterable[Outcome]) -> list[Desired]:
    """The objects and links among what a translation returned."""
    return [each for each in outcome if not isinstance(each, Notice)]


def _checked(notice: Notice) -> str:
    if not _REASON.fullmatch(notice.reason) or not notice.message or (notice.about or "a/b/c").count("/") != 2:
        raise ValueError(f"not a notice: {notice}")
    return notice.reason


def _storable(message: str) -> str:
    text = message.replace("\0", "\\0")
    return text if len(text) <= LONGEST_MESSAGE else f"{text[: LONGEST_MESSAGE - 1]}…"
