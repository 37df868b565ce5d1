"""When an object is tried again, and when it is given up (pure; chance comes in as an argument)."""

from __future__ import annotations


def delay(attempts: int, *, first: float, limit: float, jitter: float) -> float:
    """Seconds until the next attempt after `attempts` of them: doubling from `first` up to `limit`.

    `jitter` in [0, 1) spreads what failed together over the last half of the delay.
    """
    exponent = min(max(attempts, 1) - 1, 60)  # beyond, a float would overflow long after the limit is reached
    return min(limit, first * 2.0**exponent) * (0.5 + 0.5 * jitter)


def is_dead(attempts: int, *, tries: int) -> bool:
    """Whether an object that Contrail refuses has had its tries."""
    return attempts >= tries
