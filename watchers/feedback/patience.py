"""How long an object is left alone whose writes fail, or are undone by others (pure, but it changes)."""

from __future__ import annotations

from collections import OrderedDict

FIRST = 2.0
LONGEST = 600.0
MOST = 10_000
"""Objects that are remembered; beyond, those that failed longest ago are tried again early."""


class Patience:
    """Waits of 2 s to 10 minutes by object, doubling with each failure; times are of any one clock."""

    def __init__(self) -> None:
        self._until: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def may(self, key: str, now: float) -> bool:
        """Whether the object is worth a try."""
        return self._until.get(key, (0, now))[1] <= now

    def has_failed(self, key: str) -> bool:
        """Whether it failed the last time, as far as is remembered."""
        return key in self._until

    def failed(self, key: str, now: float) -> None:
        """It failed, or did not last: leave it alone for twice as long as before."""
        failures = self._until.pop(key, (0, 0.0))[0] + 1
        self._until[key] = (failures, now + min(LONGEST, FIRST * 2.0 ** min(failures - 1, 30)))
        while len(self._until) > MOST:
            self._until.popitem(last=False)

    def well(self, key: str) -> None:
        """It succeeded, with something new."""
        self._until.pop(key, None)
