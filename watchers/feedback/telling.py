"""Which Events are due, from what is wrong and what was told (pure).

A problem is told once it has lasted; told again after a long while, as the same Event's series; and told to be over,
once. What is only worth knowing is told once. What is about to be told is on record before it is sent, with the
Event's name: so whoever goes on after a crash sends the very same Event, which the API server has or takes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from watchers.feedback.problems import Problem

QUIET = 300.0
"""Seconds after which a problem whose words have changed is told in its new words."""

Place = tuple[str, str]
"""(resource, reason)."""


@dataclass(frozen=True, slots=True)
class Told:
    """A row of told_event; `told_at` in seconds, 0 where it was not told yet."""

    resource: str
    reason: str
    uid: str
    message: str
    event: str
    normal: bool = False
    count: int = 0
    over: bool = False
    since: float = 0.0
    told_at: float = 0.0

    @property
    def place(self) -> Place:
        """Its key."""
        return self.resource, self.reason


class Act(StrEnum):
    """What is due for a row."""

    SAY = "say"
    REPEAT = "repeat"
    SAY_OVER = "say over"
    FORGET = "forget"


@dataclass(frozen=True, slots=True)
class Due:
    """One act; `told` is the row as it is to be on record before the act is done."""

    act: Act
    told: Told
    action: str = "Serve"


def due_for(problem: Problem, uid: str, told: Told | None, *, now: float, repeat: float) -> Due | None:
    """What is due for a problem that lasts; `uid` is the object's."""
    if told is None or told.uid != uid or told.over:
        fresh = Told(problem.resource, problem.reason, uid, problem.message, "", problem.normal, since=now)
        return Due(Act.SAY, _named(fresh, now), problem.action)
    if told.count == 0:
        return Due(Act.SAY, told, problem.action)
    if told.message != problem.message and now - told.told_at >= QUIET:
        changed = replace(told, message=problem.message, normal=problem.normal, count=0)
        return Due(Act.SAY, _named(changed, now), problem.action)
    is_due = now - told.told_at >= repeat and not told.normal
    return Due(Act.REPEAT, told, problem.action) if is_due else None


def due_after(told: Told, uid: str | None) -> Due:
    """What is due for a row whose problem is no more; `uid` is that of the object that has its name now, if any."""
    if told.uid != (uid or "") or told.count == 0 or told.normal:
        return Due(Act.FORGET, told)
    return Due(Act.SAY_OVER, replace(told, over=True))


def by_place(rows: list[Told]) -> Mapping[Place, Told]:
    """Rows by their keys."""
    return {row.place: row for row in rows}


def _named(told: Told, now: float) -> Told:
    text = f"{told.uid}/{told.resource}/{told.reason}/{told.message}/{now}"
    return replace(told, event=hashlib.sha256(text.encode()).hexdigest()[:16])
