"""What cannot be served, or not as one might think, in a user's words and with a reason for programs (pure).

Dead letters say what is wrong with an object itself; the applier's states what Contrail lacks or refuses; notices what
translations decided. One resource has one problem of the applier at most: the one at the root of the others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

LONGEST_NOTE = 1024
"""Bytes of an Event's note."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to tell about the resource with this key; `waits` says that others may put it right any moment.

    `uid` is '' where only the store of resources knows it.
    """

    resource: str
    reason: str
    message: str
    action: str
    uid: str = ""
    normal: bool = False
    waits: bool = False


@dataclass(frozen=True, slots=True)
class Stuck:
    """One object of Contrail that a resource wants and does not get, with the applier's reason."""

    status: str
    type: str
    fq_name: str
    reason: str


_APPLIED = (
    ("AddressesExhausted", r"has exhausted subnet|has no address yet", "no address is left to give"),
    ("AddressInUse", r"IP address already in use|IP cannot be used", "the address that it asks for is in use"),
    ("AddressInUse", r"exists already with ID", "the address that it asks for is in use"),
    ("QuotaExceeded", r"Contrail answered 412", "a quota of Contrail is used up"),
    ("WaitsForCommit", r"Contrail answered 202", "Contrail keeps it as a draft, until somebody commits it"),
    ("NodeNotInContrail", r"is not registered in Contrail", "Contrail does not know the node"),
    ("NotAdopted", r"^not adopted: ", "what a predecessor made was not taken over"),
    ("NameTaken", r"exists already: |holds the name", "another object in Contrail has a name that it needs"),
    (
        "NotInContrail",
        r"is not in Contrail|Unknown reference|Unknown id|does not exist",
        "Contrail lacks what it names",
    ),
)
CANNOT_BE_SERVED, CANNOT_BE_READ, HELD = "CannotBeServed", "CannotBeRead", "StatusHeldByAnother"
WAITING, REFUSED = "Waiting", "Refused"
_OTHERS = (CANNOT_BE_SERVED, CANNOT_BE_READ, HELD, WAITING, REFUSED)
_WAITS = re.compile(r"waits |still needed by |objects that need each other|not deleted yet")
_RANK = {"dead": 0, "failed": 1, "blocked": 2}


def unread(resource: str, uid: str, error_class: str, error: str) -> Problem:
    """The problem that a dead letter tells of."""
    reason = CANNOT_BE_SERVED if error_class in ("TranslationError", "ModelError") else CANNOT_BE_READ
    return Problem(resource, reason, f"{error}; what was there before stays", "Translate", uid)


def unapplied(resource: str, stuck: Sequence[Stuck]) -> Problem:
    """The one problem of all that a resource does not get; at least one."""
    root = min(stuck, key=lambda each: (bool(_WAITS.match(each.reason)), _RANK[each.status], each.type, each.fq_name))
    waits = bool(_WAITS.match(root.reason))
    reason, words = _named(root.reason, waits=waits)
    tail = "; it is not tried again until something changes" if root.status == "dead" else ""
    return Problem(resource, reason, f"{words}: {root.type} {root.fq_name}: {root.reason}{tail}", "Apply", waits=waits)


def noticed(resource: str, reason: str, messages: Iterable[str], *, normal: bool) -> Problem:
    """The problem, or the good news, of a notice."""
    return Problem(resource, reason, "; ".join(sorted(set(messages))), "Serve", normal=normal)


def held(resource: str, uid: str, who: str) -> Problem:
    """Another controller writes the status."""
    words = f"its addresses are not written into status.loadBalancer, because another controller does: {who}"
    return Problem(resource, HELD, words, "Announce", uid)


def note_of(message: str) -> str:
    """A message as an Event's note: cut to its size, without breaking a character."""
    encoded = message.encode(errors="replace")
    if len(encoded) <= LONGEST_NOTE:
        return encoded.decode()
    return encoded[: LONGEST_NOTE - 3].decode(errors="ignore") + "…"


def _named(text: str, *, waits: bool) -> tuple[str, str]:
    for reason, form, words in _APPLIED:
        if re.search(form, text):
            return reason, words
    return (WAITING, "waits for something else in Contrail") if waits else (REFUSED, "Contrail refuses it")


def about_services(problems: Iterable[Problem], service_of: Mapping[str, str]) -> dict[tuple[str, str], Problem]:
    """Problems by resource and reason; those of an EndpointSlice are its service's, where that is known."""
    found: dict[tuple[str, str], Problem] = {}
    for each in sorted(problems, key=lambda each: (each.resource, each.reason, each.message)):
        key = service_of.get(each.resource, each.resource)
        if key != each.resource:
            each = Problem(key, each.reason, each.message, each.action, "", each.normal, each.waits)
        found.setdefault((key, each.reason), each)
    return found


def reasons() -> frozenset[str]:
    """Every reason of a problem, but for those of notices."""
    return frozenset({*(reason for reason, _, _ in _APPLIED), *_OTHERS})
