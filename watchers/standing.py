"""How one kind's reflector stands: readiness, liveness, metrics and the log say the same."""

from __future__ import annotations

import logging
import time

from schemas.health import Health
from watchers import metrics

logger = logging.getLogger(__name__)

ALIVE_SECONDS = 120.0


class Standing:
    """Speaks for one kind; not ready until told that all is well."""

    def __init__(self, kind: str, health: Health) -> None:
        self._kind = kind
        self._health = health
        self._trouble = "not listed yet"
        health.not_ready(kind, self._trouble)

    def well(self, objects: int) -> None:
        """All is well with so many objects."""
        self._health.ready(self._kind)
        if self._trouble:
            logger.info("in order kind=%s objects=%d", self._kind, objects)
        self._trouble = ""

    def trouble(self, text: str) -> None:
        """Something is wrong; the log has a line for each new trouble, not for each time that it shows."""
        self._health.not_ready(self._kind, text)
        if text != self._trouble:
            logger.warning("degraded kind=%s: %s", self._kind, text)
        self._trouble = text

    def beat(self, wait: float = 0.0) -> None:
        """The loop is alive, and may now wait so many seconds."""
        self._health.beat(self._kind, within=ALIVE_SECONDS + wait)

    def heard(self, objects: int) -> None:
        """The API server has said something."""
        self.beat()
        metrics.LAST_HEARD.labels(self._kind).set(time.time())
        metrics.OBJECTS.labels(self._kind).set(objects)

    def ended(self) -> None:
        """The loop has ended as it should."""
        self._health.ended(self._kind)
