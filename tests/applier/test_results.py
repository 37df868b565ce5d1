"""From outcomes to what is recorded."""

from __future__ import annotations

import pytest

from applier.outcome import Outcome, Verdict
from applier.results import blocked_by, result_of
from applier.rows import Result, Row, Status
from applier.settings import ApplierSettings

SETTINGS = ApplierSettings(tries=3, backoff_first=1.0, backoff_limit=60.0, blocked_limit=5.0)


def row(status: str = "pending", attempts: int = 0) -> Row:
    return Row("u", 0, "virtual-machine", "vm", {}, 1, status=status, attempts=attempts)


def after(verdict: Verdict, before: Row) -> Result:
    return result_of(before, Outcome(verdict, "why"), settings=SETTINGS, jitter=1.0)


@pytest.mark.parametrize(
    ("verdict", "status"),
    [
        (Verdict.DONE, Status.APPLIED),
        (Verdict.GONE, Status.BLOCKED),
        (Verdict.WAIT, Status.BLOCKED),
        (Verdict.HELD, Status.BLOCKED),
        (Verdict.FULL, Status.BLOCKED),
        (Verdict.BUSY, Status.PENDING),
        (Verdict.SILENT, Status.PENDING),
        (Verdict.DENIED, Status.PENDING),
        (Verdict.TAKEN, Status.FAILED),
        (Verdict.RETRY, Status.FAILED),
        (Verdict.REFUSED, Status.FAILED),
        (Verdict.INVALID, Status.DEAD),
    ],
)
def test_status_of_each_verdict(verdict: Verdict, status: Status) -> None:
    assert after(verdict, row()).status is status


@pytest.mark.parametrize("verdict", [v for v in Verdict if v is not Verdict.EXISTS])  # never the end of an attempt
def test_only_what_contrail_refuses_is_given_up(verdict: Verdict) -> None:
    worn_out = Row("u", 0, "virtual-machine", "vm", {}, 1, status=after(verdict, row()).status, attempts=10_000)
    given_up = after(verdict, worn_out).status is Status.DEAD
    assert given_up == (verdict in (Verdict.RETRY, Verdict.REFUSED, Verdict.INVALID))


def test_attempts_and_delay_grow_while_the_status_stays() -> None:
    first = after(Verdict.REFUSED, row())
    second = after(Verdict.REFUSED, row("failed", first.attempts))
    assert (first.attempts, first.delay, second.attempts, second.delay) == (1, 1.0, 2, 2.0)
    assert after(Verdict.REFUSED, row("failed", second.attempts)).status is Status.DEAD


def test_waiting_does_not_use_up_tries() -> None:
    result = after(Verdict.REFUSED, row("blocked", 500))
    assert (result.status, result.attempts) == (Status.FAILED, 1)


def test_what_waits_for_others_is_asked_about_more_often() -> None:
    assert after(Verdict.WAIT, row("blocked", 99)).delay == 5.0
    assert after(Verdict.SILENT, row("pending", 99)).delay == 5.0
    assert after(Verdict.FULL, row("blocked", 99)).delay == 60.0


def test_a_row_blocked_by_another_backs_off_too() -> None:
    delays = [blocked_by(row("blocked", n), "x", settings=SETTINGS, jitter=1.0).delay for n in range(3)]
    assert delays == [1.0, 2.0, 4.0]
