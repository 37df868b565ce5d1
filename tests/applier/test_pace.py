"""How many calls may run at one time, and when none may."""

from __future__ import annotations

from applier.pace import Pace


def unanswered(pace: Pace, now: float, *, began: float) -> None:
    pace.unanswered(now, began=began, jitter=1.0, reason="refused")


def overloaded(pace: Pace, now: float, *, began: float, retry_after: float | None = None) -> None:
    pace.overloaded(now, began=began, jitter=1.0, retry_after=retry_after, reason="503")


def test_starts_at_the_ceiling_and_stays_there() -> None:
    pace = Pace(8)
    pace.succeeded(1.0)
    assert pace.limit == 8
    assert not pace.is_paused(1.0)


def test_overload_halves_and_pauses() -> None:
    pace = Pace(8, first_pause=0.1)
    overloaded(pace, 1.0, began=0.5)
    assert pace.limit == 4
    assert pace.is_paused(1.05)
    assert not pace.is_paused(1.11)


def test_calls_that_ran_together_slow_down_once() -> None:
    pace = Pace(8)
    for now in (1.0, 1.001, 1.002):
        overloaded(pace, now, began=0.5)
    assert pace.limit == 4


def test_retry_after_is_obeyed() -> None:
    pace = Pace(8)
    overloaded(pace, 1.0, began=0.5, retry_after=7.0)
    assert pace.is_paused(7.9)
    assert not pace.is_paused(8.1)


def test_a_rest_that_is_asked_for_has_an_end() -> None:
    pace = Pace(8)
    overloaded(pace, 1.0, began=0.5, retry_after=float("inf"))
    assert not pace.is_paused(61.1)


def test_one_slow_object_does_not_stall_the_others() -> None:
    pace = Pace(8)
    pace.succeeded(20.0)
    unanswered(pace, 30.0, began=0.0)
    assert pace.limit == 8
    assert not pace.is_paused(30.0)
    assert pace.reason == ""


def test_silence_of_all_leaves_one_probe_per_growing_pause() -> None:
    pace = Pace(8, first_pause=0.1, longest_pause=15.0)
    pauses = []
    now = 1.0
    for _ in range(12):
        unanswered(pace, now, began=now - 0.01)
        assert pace.limit == 1
        pauses.append(round(pace.paused_until - now, 3))
        now = pace.paused_until + 0.01
    assert pauses[:4] == [0.1, 0.2, 0.4, 0.8]
    assert pauses[-1] == 15.0
    assert pace.reason == "refused"


def test_recovers_quickly_once_answered() -> None:
    pace = Pace(8)
    unanswered(pace, 1.0, began=0.9)
    answers = 0
    while pace.limit < 8:
        pace.succeeded(2.0)
        answers += 1
        assert answers < 40
    assert pace.reason == ""
