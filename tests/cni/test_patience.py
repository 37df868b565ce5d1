"""Pauses and deadlines."""

from __future__ import annotations

import pytest

from cni.patience import Patience, pause_after
from tests.cni.fakes import FakeCaller


def test_a_pause_is_a_tenth_of_the_wait_within_bounds() -> None:
    assert [pause_after(waited, 0.01, 1.0) for waited in (0, 0.05, 0.5, 1, 5, 20)] == pytest.approx(
        [0.01, 0.01, 0.05, 0.1, 0.5, 1.0]
    )


def test_forty_seconds_are_spent_in_less_than_a_hundred_looks() -> None:
    caller = FakeCaller()
    patience = Patience(40, caller=caller, first=0.01, longest=1.0, clock=caller.clock)
    while patience.pause():
        pass
    assert caller.now == pytest.approx(40)
    assert len(caller.pauses) < 100


def test_a_new_wait_begins_with_short_pauses_and_ends_at_the_same_time() -> None:
    caller = FakeCaller()
    patience = Patience(10, caller=caller, first=0.01, longest=1.0, clock=caller.clock)
    caller.now = 8
    patience.restart()
    assert patience.pause() and caller.pauses == [0.01]
    assert patience.left == pytest.approx(1.99)
