"""How many calls may run at one time, and when to hold off altogether (pure; time comes in as an argument).

Each success allows a little more, each sign of overload halves; when nothing at all gets through, calls stop for
a while that doubles, and go on with a single one: a dead API costs one probe per pause, whatever is waiting.
"""

from __future__ import annotations

from applier.backoff import delay

LONGEST_WISH = 60.0
"""Seconds: an API, or a proxy before it, that asks for a longer rest is asked again after these."""


class Pace:
    """Additive increase, multiplicative decrease of the concurrency, with pauses; times are monotonic seconds."""

    def __init__(self, ceiling: int, *, first_pause: float = 0.1, longest_pause: float = 5.0) -> None:
        self._ceiling = ceiling
        self._allowed = float(ceiling)
        self._first = first_pause
        self._longest = longest_pause
        self._failures = 0
        self._last_success = float("-inf")
        self._last_slowdown = float("-inf")
        self.paused_until = float("-inf")
        self.reason = ""
        """Why calls are held back; '' when they are not."""

    @property
    def limit(self) -> int:
        """Calls allowed at one time while not paused."""
        return max(1, int(self._allowed))

    def is_paused(self, now: float) -> bool:
        """Whether no new call may begin."""
        return now < self.paused_until

    def succeeded(self, now: float) -> None:
        """The API answered a call as it should."""
        self._last_success = now
        self._failures = 0
        self.reason = ""
        # Doubling from a single probe, one more per full round of calls near the ceiling.
        step = 1.0 if self._allowed < self._ceiling / 2 else 1.0 / self._allowed
        self._allowed = min(float(self._ceiling), self._allowed + step)

    def overloaded(self, now: float, *, began: float, jitter: float, retry_after: float | None, reason: str) -> None:
        """The API answered 429, 502, 503 or 504 to a call begun at `began`: fewer calls, after a wait."""
        if began < self._last_slowdown:
            return  # one of several that were under way together: they count once
        self._last_slowdown = now
        self._allowed = max(1.0, self._allowed / 2)
        self._failures += 1
        self.reason = reason
        pause = delay(self._failures, first=self._first, limit=self._longest, jitter=jitter)
        self._pause(now, max(pause, min(retry_after or 0.0, LONGEST_WISH)))

    def unanswered(self, now: float, *, began: float, jitter: float, reason: str) -> None:
        """A call begun at `began` got no answer. Stops the others only if none of them got one since."""
        if self._last_success >= began or began < self._last_slowdown:
            return  # a single slow object must not stall the rest
        self._last_slowdown = now
        self._allowed = 1.0
        self._failures += 1
        self.reason = reason
        self._pause(now, delay(self._failures, first=self._first, limit=self._longest, jitter=jitter))

    def _pause(self, now: float, seconds: float) -> None:
        self.paused_until = max(self.paused_until, now + seconds)
