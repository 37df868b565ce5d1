"""Waiting for something to become true, with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable


def eventually(holds: Callable[[], object], *, within: float = 10.0, every: float = 0.005) -> None:
    """Return when `holds` does; fail with what it last gave after `within` seconds."""
    deadline = time.monotonic() + within
    while not (last := holds()):
        assert time.monotonic() < deadline, f"not within {within} s: {last!r}"
        time.sleep(every)
