"""How long an ADD waits, and between what pauses (a clock and a caller; the rule itself is pure)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol


class Caller(Protocol):
    """Who asked, as far as waiting for it goes."""

    def pause(self, seconds: float) -> None:
        """Return after so many seconds; raises AgentUnavailable at once when nobody waits for the answer any more."""


def pause_after(waited: float, first: float, longest: float) -> float:
    """Seconds until the next look: a tenth of the time waited so far, within bounds.

    A wait then costs at most a tenth more than it must, and a node with a hundred waiting pods soon asks seldom.
    """
    return min(max(waited / 10, first), longest)


class Patience:
    """One deadline, spent on one thing after another."""

    def __init__(
        self,
        seconds: float,
        *,
        caller: Caller,
        first: float,
        longest: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._began = clock()
        self._end = self._began + seconds
        self._caller = caller
        self._first = first
        self._longest = longest

    @property
    def left(self) -> float:
        """Seconds that are left, never below 0."""
        return max(self._end - self._clock(), 0.0)

    @property
    def waited(self) -> float:
        """Seconds since the beginning."""
        return self._clock() - self._began

    def restart(self) -> None:
        """Another wait begins: short pauses again, the same end."""
        self._began = self._clock()

    def pause(self) -> bool:
        """Wait for one pause and return True, or return False when the time is over."""
        if self.left == 0:
            return False
        self._caller.pause(min(pause_after(self.waited, self._first, self._longest), self.left))
        return True

    def still_wanted(self) -> None:
        """Raise AgentUnavailable when nobody waits for the answer any more."""
        self._caller.pause(0)
