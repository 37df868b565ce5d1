"""From the outcome of an attempt to what is recorded (pure): status, attempts, and when it is tried again."""

from __future__ import annotations

from collections.abc import Mapping

from applier.backoff import delay, is_dead
from applier.outcome import Outcome, Verdict
from applier.rows import Result, Row, Status
from applier.settings import ApplierSettings
from schemas.contrail.objects import Json

_STATUS = {
    Verdict.DONE: Status.APPLIED,
    Verdict.GONE: Status.BLOCKED,
    Verdict.EXISTS: Status.FAILED,
    Verdict.WAIT: Status.BLOCKED,
    Verdict.HELD: Status.BLOCKED,
    Verdict.FULL: Status.BLOCKED,
    Verdict.BUSY: Status.PENDING,
    Verdict.SILENT: Status.PENDING,
    Verdict.DENIED: Status.PENDING,
    Verdict.LATE: Status.BLOCKED,
    Verdict.TAKEN: Status.FAILED,
    Verdict.RETRY: Status.FAILED,
    Verdict.REFUSED: Status.FAILED,
    Verdict.INVALID: Status.DEAD,
    Verdict.LOST: Status.PENDING,
}
_MORTAL = frozenset({Verdict.RETRY, Verdict.REFUSED})
"""Verdicts that are given up after some tries; the rest waits for what others do."""
_WATCHED = frozenset({Verdict.WAIT, Verdict.HELD, Verdict.BUSY, Verdict.SILENT, Verdict.DENIED, Verdict.LATE})
"""Verdicts whose cause may end at any moment. While the API itself is away, its pace bounds what is tried."""


def result_of(
    row: Row,
    outcome: Outcome,
    *,
    settings: ApplierSettings,
    jitter: float,
    observation: Mapping[str, Json] | None = None,
) -> Result:
    """The record of one attempt. Attempts count those in a row with the same status."""
    status = _STATUS[outcome.verdict]
    if status is Status.APPLIED:
        return Result(row, status, observation=observation)
    if outcome.verdict is Verdict.LOST:
        return Result(row, status, outcome.reason, lost=True)
    attempts = row.attempts + 1 if row.status == status else 1
    if outcome.verdict in _MORTAL and is_dead(attempts, tries=settings.tries):
        status = Status.DEAD
    limit = settings.blocked_limit if outcome.verdict in _WATCHED else settings.backoff_limit
    seconds = delay(attempts, first=settings.backoff_first, limit=limit, jitter=jitter)
    return Result(
        row,
        status,
        outcome.reason,
        attempts,
        seconds,
        holders=outcome.holders,
        full=outcome.verdict is Verdict.FULL,
        missing=outcome.verdict is Verdict.WAIT and not outcome.foreign and _is_worth_a_look(attempts),
    )


def _is_worth_a_look(attempts: int) -> bool:
    """Not at the first attempt, as what was made a moment ago may not be readable yet; later now and then."""
    return attempts == 2 or attempts % 4 == 0


def blocked_by(row: Row, reason: str, *, settings: ApplierSettings, jitter: float) -> Result:
    """The record of a row that was not tried, because of another whose success makes it due at once.

    The delay is only for a success that nobody told us of.
    """
    attempts = row.attempts + 1 if row.status == Status.BLOCKED else 1
    seconds = delay(attempts, first=settings.backoff_first, limit=settings.backoff_limit, jitter=jitter)
    return Result(row, Status.BLOCKED, reason, attempts, seconds, untried=True)
