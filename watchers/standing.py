"""How one kind stands: readiness, liveness, metrics and the log say the same."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from schemas.health import Health
from watchers import metrics

logger = logging.getLogger(__name__)

ALIVE_SECONDS = 120.0
LISTING, WATCHING, STATE = "listing", "watching", "state"
"""What can be in trouble: the loop that lists, the loop that watches, and what they brought."""


class Standing:
    """Speaks for one kind; not ready until listing, watching and state are all well.

    An `optional` kind is spoken of in the same places, and readiness does not depend on it.
    """

    def __init__(
        self, kind: str, health: Health, *, optional: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._kind = kind
        self._health = health
        self._optional = optional
        self._clock = clock
        self._lock = threading.Lock()
        self._troubles = {LISTING: "not listed yet", WATCHING: ""}
        self._heard_at = clock()
        metrics.SILENCE.labels(kind).set_function(lambda: max(0.0, self._clock() - self._heard_at))
        self._publish()

    def well(self, part: str) -> None:
        """All is well with the part."""
        with self._lock:
            if self._troubles.get(part):
                self._troubles[part] = ""
                self._publish()
                if not any(self._troubles.values()):
                    logger.info("in order kind=%s", self._kind)

    def trouble(self, part: str, text: str) -> None:
        """Something is wrong; the log has a line for each new trouble, not for each time that it shows."""
        with self._lock:
            if self._troubles.get(part) != text:
                self._troubles[part] = text
                self._publish()
                level = logging.INFO if self._optional else logging.WARNING
                logger.log(level, "degraded kind=%s: %s", self._kind, text)

    def beat(self, part: str, wait: float = 0.0) -> None:
        """The loop is alive, and may now wait so many seconds."""
        self._health.beat(f"{self._kind} {part}", within=ALIVE_SECONDS + wait)

    def heard(self, objects: int) -> None:
        """The API server has said something."""
        self._heard_at = self._clock()
        metrics.OBJECTS.labels(self._kind).set(objects)

    def ended(self, part: str) -> None:
        """The loop has ended as it should."""
        self._health.ended(f"{self._kind} {part}")

    def _publish(self) -> None:
        reason = "; ".join(filter(None, self._troubles.values()))
        if self._optional:
            self._health.note(self._kind, reason)
        elif reason:
            self._health.not_ready(self._kind, reason)
        else:
            self._health.ready(self._kind)
