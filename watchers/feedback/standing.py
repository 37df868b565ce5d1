"""How one part of the feedback stands: /readyz and the log say the same, the log once for each new trouble."""

from __future__ import annotations

import logging

from schemas.health import Health

logger = logging.getLogger(__name__)


class Standing:
    """Speaks for one part; ready until something is wrong."""

    def __init__(self, part: str, health: Health) -> None:
        self._part = part
        self._health = health
        self._trouble = ""
        health.ready(part)

    def well(self) -> None:
        """All is well."""
        if self._trouble:
            logger.info("in order part=%s", self._part)
        self._trouble = ""
        self._health.ready(self._part)

    def trouble(self, text: str) -> None:
        """Something is wrong."""
        if text != self._trouble:
            self._trouble = text
            logger.warning("degraded part=%s: %s", self._part, text)
        self._health.not_ready(self._part, text)
