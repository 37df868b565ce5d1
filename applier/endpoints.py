"""Which of several API servers is asked (pure but for the log; time comes in as an argument).

One is used as long as it answers, so that what was written can be read back at once. One that failed is avoided
for a while that doubles, and there is no way back to it but the failure of another.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Sequence

from applier import metrics
from applier.backoff import delay
from applier.connection import Server

logger = logging.getLogger(__name__)

FIRST_AVOIDANCE = 1.0
LONGEST_AVOIDANCE = 30.0
"""Seconds for which an endpoint that failed is avoided: the first time, and at most."""


class Endpoint:
    """One API server and what is known of it; times are monotonic seconds."""

    __slots__ = ("answered_at", "avoided_until", "failed_at", "failures", "reason", "server", "url")

    def __init__(self, server: Server) -> None:
        self.server = server
        self.url = server.url
        self.failures = 0
        self.answered_at = float("-inf")
        self.failed_at = float("-inf")
        self.avoided_until = float("-inf")
        self.reason = ""


class Endpoints:
    """The API servers of one Contrail, in the order in which they are tried; thread-safe."""

    def __init__(self, servers: Sequence[Server]) -> None:
        self._all = tuple(Endpoint(server) for server in servers)
        self._lock = threading.Lock()
        self._answering = self._all[0]
        self.current = self._all[0]
        """The one to ask."""

    def __str__(self) -> str:
        return ", ".join(endpoint.url for endpoint in self._all)

    def close(self) -> None:
        """Close all connections."""
        for endpoint in self._all:
            endpoint.server.close()

    def answered(self, endpoint: Endpoint, now: float) -> None:
        """It answered as an API that works."""
        endpoint.answered_at = now
        if endpoint.failures or endpoint is not self._answering:
            self._recovered(endpoint)

    def failed(self, endpoint: Endpoint, *, began: float, now: float, reason: str, answered: bool = False) -> bool:
        """A request begun at `began` found it away; returns whether the next ones have where to go.

        Unless it answered that it is not well, a single request is no proof: it may be that one's own fault. So it
        counts only if no other was answered since it began.
        """
        with self._lock:
            if (answered or endpoint.answered_at < began) and began >= endpoint.failed_at:
                # Several requests that were under way together count once.
                endpoint.failures += 1
                endpoint.failed_at = now
                endpoint.reason = reason
                endpoint.avoided_until = now + delay(
                    endpoint.failures, first=FIRST_AVOIDANCE, limit=LONGEST_AVOIDANCE, jitter=1.0
                )
            if endpoint is self.current and endpoint.avoided_until > now:
                self.current = self._best(now, self._after(endpoint))
            if endpoint is not self.current:
                endpoint.server.drop_idle()
            return len(self._all) > 1 and self.current.avoided_until <= now

    def untried(self, tried: Collection[Endpoint], now: float) -> Endpoint | None:
        """The best one that is not among these, if any is left."""
        if self.current not in tried:
            return self.current
        left = [endpoint for endpoint in self._after(self.current) if endpoint not in tried]
        return self._best(now, left) if left else None

    def _after(self, endpoint: Endpoint) -> Sequence[Endpoint]:
        """All of them, beginning with the one that comes after this."""
        at = self._all.index(endpoint) + 1
        return self._all[at:] + self._all[:at]

    def _best(self, now: float, among: Sequence[Endpoint]) -> Endpoint:
        return min(among, key=lambda endpoint: max(endpoint.avoided_until, now))

    def _recovered(self, endpoint: Endpoint) -> None:
        with self._lock:
            endpoint.failures = 0
            if endpoint is self.current and endpoint is not self._answering:
                before, self._answering = self._answering, endpoint
                metrics.FAILOVERS.inc()
                logger.warning(
                    "the Contrail API is asked at another endpoint from=%s to=%s reason=%s",
                    before.url,
                    endpoint.url,
                    before.reason,
                )
