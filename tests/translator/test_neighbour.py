"""Waiting for a neighbour that is away."""

from __future__ import annotations

import logging
import threading

import pytest

from schemas.errors import BusUnavailable, Fenced, StoreUnavailable
from schemas.health import Health
from translator.neighbour import Neighbour


class Waits(threading.Event):
    """A stop that notes how long it was waited for, and never comes."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        """Note it."""
        self.seconds.append(timeout or 0.0)
        return False


def fails(error: Exception) -> None:
    raise error


def test_waits_grow_to_a_limit_and_begin_again_after_success() -> None:
    stop = Waits()
    bus = Neighbour("bus", health=Health(), stop=stop, chance=lambda: 1.0)
    for _ in range(10):
        assert bus.ask(lambda: fails(BusUnavailable("away"))) is None
    assert stop.seconds == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 15.0, 15.0]
    assert bus.failures == 10
    assert bus.ask(lambda: 5) == 5 and bus.failures == 0
    bus.ask(lambda: fails(BusUnavailable("away")))
    assert stop.seconds[-1] == 0.1


def test_jitter_takes_up_to_half_of_a_wait() -> None:
    stop = Waits()
    Neighbour("bus", health=Health(), stop=stop, chance=lambda: 0.0).ask(lambda: fails(StoreUnavailable("away")))
    assert stop.seconds == [0.05]


def test_it_is_complained_of_once_and_readiness_says_why(caplog: pytest.LogCaptureFixture) -> None:
    health = Health()
    store = Neighbour("store", health=health, stop=Waits())
    assert health.why_not_ready() == {"store": "not asked yet"}
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            store.ask(lambda: fails(StoreUnavailable("db on 10.0.0.1:5432 does not answer")))
        assert health.why_not_ready() == {"store": "db on 10.0.0.1:5432 does not answer"}
        store.ask(lambda: True)
    assert health.why_not_ready() == {}
    assert [each.levelname for each in caplog.records] == ["WARNING", "INFO"]


def test_other_errors_pass_through() -> None:
    for error in (Fenced("x"), KeyError("x")):
        with pytest.raises(type(error)):
            Neighbour("store", health=Health(), stop=Waits()).ask(lambda e=error: fails(e))  # type: ignore[misc]
