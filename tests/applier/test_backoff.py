"""When an object is tried again, and when it is given up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from applier.backoff import delay, is_dead


@pytest.mark.parametrize(
    ("attempts", "seconds"), [(0, 0.25), (1, 0.25), (2, 0.5), (3, 1.0), (8, 32.0), (9, 60.0), (10_000, 60.0)]
)
def test_delay_doubles_up_to_the_limit(attempts: int, seconds: float) -> None:
    assert delay(attempts, first=0.25, limit=60.0, jitter=1.0) == seconds


@given(st.integers(0, 100_000), st.floats(0, 1, exclude_max=True))
def test_jitter_spreads_over_the_last_half_and_never_beyond(attempts: int, jitter: float) -> None:
    longest = delay(attempts, first=0.25, limit=60.0, jitter=1.0)
    assert longest / 2 <= delay(attempts, first=0.25, limit=60.0, jitter=jitter) <= longest


def test_an_object_is_dead_with_its_last_try() -> None:
    assert [is_dead(attempts, tries=3) for attempts in (1, 2, 3, 4)] == [False, False, True, True]


def test_the_default_tries_outlast_a_hiccup_of_half_a_minute() -> None:
    shortest = sum(delay(attempts, first=0.25, limit=60.0, jitter=0.0) for attempts in range(1, 8))
    assert shortest > 15.0
