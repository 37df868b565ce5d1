"""What an answer of the Contrail API means for the object at hand (pure): the one place that decides on retries.

Statuses alone do not tell: errors are plain text, 500 often means bad input, a missing parent is 400, and a 404
of a wrong URL must never pass for "deleted". The texts are those that the real server gave when recorded.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from enum import StrEnum

from applier.answer import Answer


class Call(StrEnum):
    """What was asked."""

    CREATE = "create"
    READ = "read"
    UPDATE = "update"
    DELETE = "delete"
    LINK = "link"
    """A ref-update, either way."""
    ENTRY = "entry"
    """A prop-collection-update, either way."""
    LOOKUP = "lookup"
    """fqname-to-id, or a list."""


_ADDRESS_TAKEN = "IP address already in use"
_EXHAUSTED = "has exhausted subnet"
_ADDRESS_REFUSED = (_ADDRESS_TAKEN, _EXHAUSTED, "exists already with ID", "IP cannot be used by VM port")


class Verdict(StrEnum):
    """What is to be done about it."""

    DONE = "done"
    GONE = "gone"
    """The object named in the request (or in `Outcome.uuid`) is not there."""
    EXISTS = "exists"
    """The name or uuid is taken, by the object `Outcome.uuid`."""
    WAIT = "wait"
    """A parent or a target of a reference is missing: it may come."""
    HELD = "held"
    """Not deleted: `Outcome.holders` are children of it or refer to it."""
    FULL = "full"
    """Quota, addresses or another resource is used up, or in use by others: frees up when they go."""
    RETRY = "retry"
    """Perhaps a hiccup, perhaps our mistake: try again, but not for ever."""
    REFUSED = "refused"
    """The same request will be refused again."""
    BUSY = "busy"
    """The API asks for fewer calls, or restarts: slow down, try for ever."""
    SILENT = "silent"
    """No answer came: the work may or may not have been done."""
    DENIED = "denied"
    """We may not do this: stop writing, a person is needed."""
    TAKEN = "taken"
    """An object that we did not make holds the name or the uuid: a person decides, it is never taken."""
    LATE = "late"
    """Never sent: another applier may hold the object's shard by now, or the store could not be asked about it."""
    INVALID = "invalid"
    """Never sent: the object breaks Contrail's schema."""
    LOST = "lost"
    """The adopted object that served the row is not there any more: it is made anew under the row's own uuid."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A classified answer; `reason` is for a person and at most some 500 characters long."""

    verdict: Verdict
    reason: str = ""
    uuid: str | None = None
    holders: tuple[tuple[str, str], ...] = ()
    """(type, uuid) of what keeps an object from being deleted."""
    retry_after: float | None = None
    elsewhere: bool = False
    """The API server that was asked is not well, and another takes the next calls: no reason to hold them back."""
    foreign: bool = False
    """What is missing is not ours to make."""


def is_address_refused(outcome: Outcome) -> bool:
    """Whether an instance-ip was refused for the address that it asked for: taken, or in no subnet (any more)."""
    return outcome.verdict in (Verdict.FULL, Verdict.REFUSED) and any(t in outcome.reason for t in _ADDRESS_REFUSED)


_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_NAME_TAKEN = re.compile(rf"already exists with uuid: ({_UUID})|exists already with ID: ({_UUID}) at zookeeper")
_UUID_TAKEN = re.compile(rf"^({_UUID}) already exists with fq_name: ")
_HOLDER = re.compile(rf"/([A-Za-z-]+)/({_UUID})'")
_UNKNOWN_ID = re.compile(rf"(?:Unknown id: |No \S+ object found for id |ID )({_UUID})")
_NO_OWNER = re.compile(rf"^Object Not Found: ({_UUID})")
_REFERENCE = re.compile(r"Unknown reference in resource (?:create|update)")
_TARGET = re.compile(r"'([a-z_]+)_refs': |'to': \[([^\]]*)\]")
_PART = re.compile(r"'([^']*)'")
_NAMED_BY_USERS = ("virtual-network", "floating-ip-pool")
"""Told first of all references: the others are mostly objects of ours, which were there before."""
_PREFORMATTED = re.compile(r"<pre>(.*?)</pre>", re.DOTALL)
_LONGEST = 300


def classify(call: Call, answer: Answer) -> Outcome:
    """Meaning of the answer to one call."""
    status = answer.status
    if status == 200:
        return _done(call, answer)
    words = said(_unknown_reference(answer.text) or answer.text)
    reason = f"Contrail answered {status}: {words}" + (f"; asked {answer.asked}" if answer.asked else "")
    by_status = {400: _bad_request, 404: _not_found, 409: _conflict, 500: _server_error}
    if status in by_status:
        verdict, uuid, holders = by_status[status](call, answer.text)
        return Outcome(verdict, reason, uuid, holders)
    verdict = _plain(status, answer.text)
    return Outcome(verdict, reason, retry_after=answer.retry_after, elsewhere=answer.elsewhere)


def _done(call: Call, answer: Answer) -> Outcome:
    """The API answers a delete and a change of entries with nothing, everything else with an object; a proxy's page is
    no success."""
    if isinstance(answer.json, dict) or (call in (Call.DELETE, Call.ENTRY) and not answer.text.strip()):
        return Outcome(Verdict.DONE)
    return Outcome(Verdict.RETRY, f"answered 200, but not as a Contrail config API does: {said(answer.text)!r}")


def said(text: str) -> str:
    """The message in an answer: the inside of an HTML page's <pre>, else its text, in one line."""
    found = _PREFORMATTED.search(text)
    line = " ".join(html.unescape(found[1] if found else text).split())
    line = "".join(c if c.isprintable() else "?" for c in line)  # PostgreSQL takes no NUL, terminals no escapes
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def _unknown_reference(text: str) -> str:
    """That refusal in fewer words: it repeats the whole object, and what is missing may be far behind; else ''."""
    begin = _REFERENCE.match(text)
    if not begin:
        return ""
    found, of = set(), ""
    for refs, to in _TARGET.findall(text):
        of = refs.replace("_", "-") or of
        if to:
            found.add((of not in _NAMED_BY_USERS, of, ":".join(_PART.findall(to))))
    names = ", ".join(f"{of} {name}" for _, of, name in sorted(found))
    return f"{begin[0]}: one of these is not there: {names}" if names else ""


_Found = tuple[Verdict, str | None, tuple[tuple[str, str], ...]]


def _plain(status: int, text: str) -> Verdict:
    if status == 202:
        return Verdict.FULL  # stored as a security draft only: takes effect when a person commits it
    if status == 403:  # also the answer to a change of what is immutable
        return Verdict.REFUSED if text.startswith("Cannot update") else Verdict.DENIED
    if status == 401:
        return Verdict.DENIED
    if status == 412:
        return Verdict.FULL
    if status in (429, 502, 503, 504):
        return Verdict.BUSY
    return Verdict.REFUSED if 400 <= status < 500 else Verdict.RETRY


def _bad_request(call: Call, text: str) -> _Found:
    if text.startswith("Unknown reference") or (text.startswith("Parent ") and text.endswith("does not exist")):
        return Verdict.WAIT, None, ()
    if _EXHAUSTED in text or "exists already with ID" in text:
        return Verdict.FULL, None, ()
    return Verdict.REFUSED, None, ()


def _not_found(call: Call, text: str) -> _Found:
    if text.startswith("Not found: "):  # the path is unknown: another server, or a type it does not have
        return Verdict.RETRY, None, ()
    if text.startswith(("Resource type", "Invalid tag name")):
        return Verdict.REFUSED, None, ()
    found = _UNKNOWN_ID.search(text)
    if call in (Call.READ, Call.UPDATE, Call.DELETE) and found:
        return Verdict.GONE, found[1], ()
    if call is Call.ENTRY and (known := _NO_OWNER.search(text)):
        return Verdict.GONE, known[1], ()
    if call is Call.LINK and found:
        return Verdict.GONE, found[1], ()
    if call is Call.LOOKUP and text.startswith("Name "):
        return Verdict.GONE, None, ()
    if call in (Call.CREATE, Call.UPDATE, Call.LINK) and text.startswith(("Unknown id: ", "Name", "Tag with FQName")):
        return Verdict.WAIT, None, ()
    return Verdict.RETRY, None, ()


def _conflict(call: Call, text: str) -> _Found:
    if call is Call.CREATE and (found := _NAME_TAKEN.search(text)):
        return Verdict.EXISTS, found[1] or found[2], ()
    if call is Call.CREATE and (found := _UUID_TAKEN.search(text)):
        return Verdict.EXISTS, found[1], ()
    if call is Call.DELETE and text.startswith("Delete when "):
        return Verdict.HELD, None, tuple(_HOLDER.findall(text))
    if text.startswith(_ADDRESS_TAKEN) or "is in use" in text or "already in use" in text:
        return Verdict.FULL, None, ()
    return (Verdict.REFUSED if call in (Call.CREATE, Call.UPDATE) else Verdict.RETRY), None, ()


def _server_error(call: Call, text: str) -> _Found:
    if _EXHAUSTED in text:  # floating-ips answer 500 where instance-ips answer 400
        return Verdict.FULL, None, ()
    if "NoIdError: Unknown id: " in text:  # a reference whose target is missing, in the classes that look it up first
        return Verdict.WAIT, None, ()
    return Verdict.RETRY, None, ()
