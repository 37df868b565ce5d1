"""Lets calls to the Contrail API through at the pace that it bears, and says when it bears none (shell).

What changes is logged once and told to the health endpoint; in between, silence.
"""

from __future__ import annotations

import logging
import random
import time

from applier import metrics
from applier.outcome import Outcome, Verdict
from applier.pace import Pace
from schemas.health import Health

logger = logging.getLogger(__name__)

PART = "contrail"
"""Name of the API in the health endpoint."""


class Gate:
    """Pace of the calls, fed with the outcome of every call; used by one thread."""

    def __init__(self, ceiling: int, *, health: Health) -> None:
        self._pace = Pace(ceiling)
        self._ceiling = ceiling
        self._health = health
        self._limit = 0
        self._open: bool | None = None
        health.not_ready(PART, "has not answered yet")

    @property
    def limit(self) -> int:
        """Objects that may be under way. At full pace half as many again queue for the threads, so that none idles."""
        allowed = self._pace.limit
        return allowed if allowed < self._ceiling else allowed + (allowed + 1) // 2

    @property
    def opens_at(self) -> float:
        """Monotonic time at which calls may go on."""
        return self._pace.paused_until

    def is_shut(self, now: float) -> bool:
        """Whether no call may begin now."""
        return self._pace.is_paused(now)

    def note(self, outcome: Outcome, *, began: float) -> None:
        """Learn from a call that began at `began`."""
        now = time.monotonic()
        if outcome.verdict is Verdict.BUSY:
            self._pace.overloaded(
                now, began=began, jitter=random.random(), retry_after=outcome.retry_after, reason=outcome.reason
            )
        elif outcome.verdict in (Verdict.SILENT, Verdict.DENIED):
            self._pace.unanswered(now, began=began, jitter=random.random(), reason=outcome.reason)
        else:
            self._pace.succeeded(now)
        if self._pace.limit != self._limit:
            self._limit = self._pace.limit
            metrics.LIMIT.set(self._limit)
        self._tell(outcome)

    def _tell(self, outcome: Outcome) -> None:
        reason = self._pace.reason
        if reason and self._open is not False:
            level = logging.ERROR if outcome.verdict is Verdict.DENIED else logging.WARNING
            logger.log(level, "holding calls to Contrail back, trying now and then: %s", reason)
            self._health.not_ready(PART, reason)
        elif not reason and not self._open:
            if self._open is False:
                logger.info("Contrail answers again")
            self._health.ready(PART)
        self._open = not reason
