"""How long to wait before trying again (pure)."""

from __future__ import annotations

FIRST = 0.1
LONGEST = 15.0
LONGEST_ASKED = 300.0
"""A server may ask for more patience than our own, within reason."""


def pause(failures: int, *, draw: float, asked: float = 0.0, longest: float = LONGEST) -> float:
    """Seconds to wait after so many failures in a row (from 1), doubling from 0.1 to `longest`.

    `draw` in [0, 1) is the jitter: half of the time is fixed, half is drawn. What the other side `asked` for
    (Retry-After) is a lower bound, the jitter comes on top.
    """
    span = min(longest, FIRST * 2.0 ** min(failures - 1, 30))
    return max(span / 2, min(asked, LONGEST_ASKED)) + span / 2 * draw
