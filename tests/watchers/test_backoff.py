"""How long the next try waits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from watchers.backoff import LONGEST, LONGEST_ASKED, pause


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True), st.floats(0, 1e9))
def test_a_pause_is_bounded_whatever_happens(failures: int, draw: float, asked: float) -> None:
    seconds = pause(failures, draw=draw, asked=asked)
    assert 0.05 <= seconds <= LONGEST_ASKED + LONGEST


def test_pauses_double_up_to_fifteen_seconds() -> None:
    assert [round(pause(n, draw=0.999999), 2) for n in (1, 2, 3, 8, 9, 50)] == [0.1, 0.2, 0.4, 12.8, 15, 15]


def test_half_of_a_pause_is_drawn() -> None:
    assert pause(9, draw=0.0) == 7.5


def test_case_8_what_the_server_asks_for_is_a_lower_bound_with_jitter_on_top() -> None:
    assert pause(1, draw=0.0, asked=3.0) == 3.0
    assert 3.0 < pause(1, draw=0.9, asked=3.0) < 3.1
