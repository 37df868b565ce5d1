"""How many things may be done by now (pure, but it changes): a token bucket."""

from __future__ import annotations


class Bucket:
    """Fills with `rate` tokens a second up to `burst`; full at first."""

    def __init__(self, rate: float, *, burst: float) -> None:
        self._rate = rate
        self._burst = max(1.0, burst)
        self._tokens = self._burst
        self._at: float | None = None

    def take(self, wanted: int, now: float) -> int:
        """As many of the wanted tokens as there are."""
        if self._at is not None:
            self._tokens = min(self._burst, self._tokens + max(0.0, now - self._at) * self._rate)
        self._at = now
        taken = min(wanted, int(self._tokens))
        self._tokens -= taken
        return taken

    def give(self, unused: int) -> None:
        """Put tokens back that were not used."""
        self._tokens = min(self._burst, self._tokens + unused)
