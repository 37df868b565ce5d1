"""The audit's calls give way: a share of the time, the applier first, patience with a busy API."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import cast

import pytest

from applier.answer import Answer
from applier.audit.calls import Calls, Stopped
from applier.client import ContrailClient
from applier.outcome import Call, Verdict
from schemas.errors import ContrailUnavailable

GOOD = Answer(200, "{}", {})
BUSY = Answer(503, "Service Unavailable")


class Time:
    """A clock that moves when somebody sleeps or works."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept += seconds


class Api:
    """Stands for a client: every call takes half a second."""

    url = "http://contrail"

    def __init__(self, time: Time, *answers: Answer | None) -> None:
        self._time = time
        self._answers = list(answers)

    def ask(self, client: object) -> Answer:
        self._time.now += 0.5
        answer = self._answers.pop(0) if self._answers else GOOD
        if answer is None:
            raise ContrailUnavailable("no answer")
        return answer


def calls(
    time: Time, api: Api, *, share: float = 0.25, held: Callable[[], bool] = lambda: False
) -> tuple[Calls, threading.Event]:
    stop = threading.Event()
    client = cast(ContrailClient, api)
    return Calls(client, share=share, stop=stop, is_held=held, clock=time, sleep=time.sleep), stop


@pytest.mark.parametrize("share", [0.1, 0.25, 1.0])
def test_calls_take_no_more_than_their_share_of_the_time(share: float) -> None:
    time = Time()
    api = Api(time)
    paced, _ = calls(time, api, share=share)
    began = time.now
    for _ in range(21):
        paced.read(Call.LOOKUP, api.ask)
    assert 20 * 0.5 / (time.now - 0.5 - began) == pytest.approx(share)


def test_a_busy_or_silent_api_is_asked_again_after_a_wait() -> None:
    time = Time()
    api = Api(time, BUSY, None, BUSY, GOOD)
    paced, _ = calls(time, api, share=1.0)
    assert paced.read(Call.LOOKUP, api.ask) is GOOD
    assert paced.made == 4
    assert time.slept > 0.1


def test_an_api_that_stays_away_ends_the_audit() -> None:
    time = Time()
    api = Api(time, *[None] * 9)
    paced, _ = calls(time, api)
    with pytest.raises(ContrailUnavailable, match="http://contrail: no answer"):
        paced.read(Call.LOOKUP, api.ask)
    assert paced.made == 5


def test_what_no_patience_helps_with_is_asked_once() -> None:
    time = Time()
    api = Api(time, Answer(404, "Not found: '/x'"))
    paced, _ = calls(time, api)
    with pytest.raises(ContrailUnavailable, match="404"):
        paced.read(Call.LOOKUP, api.ask)
    assert paced.made == 1


def test_a_call_that_changes_something_is_made_once() -> None:
    time = Time()
    api = Api(time, None, GOOD)
    paced, _ = calls(time, api)
    assert paced.attempt(Call.DELETE, api.ask)[0].verdict is Verdict.SILENT
    assert paced.made == 1


def test_the_audit_waits_while_the_appliers_calls_are_held_back() -> None:
    time = Time()
    api = Api(time)
    until = time.now + 7.0
    paced, _ = calls(time, api, held=lambda: time.now < until)
    paced.read(Call.LOOKUP, api.ask)
    assert time.now >= until
    paced, _ = calls(time, api, held=lambda: True)
    with pytest.raises(ContrailUnavailable, match="held back"):
        paced.read(Call.LOOKUP, api.ask)
    assert paced.made == 0


def test_being_told_to_stop_ends_it_at_once() -> None:
    time = Time()
    api = Api(time)
    paced, stop = calls(time, api)
    stop.set()
    with pytest.raises(Stopped):
        paced.read(Call.LOOKUP, api.ask)
