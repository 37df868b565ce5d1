"""A neighbour that may be away: asked once at a time, waited for with growing patience, complained of once a reason.

Waits are exponential with jitter, from 0.1 to 15 seconds, and end early at a stop.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from typing import TypeVar

from schemas.errors import BusUnavailable, StoreUnavailable
from schemas.health import Health

logger = logging.getLogger(__name__)

T = TypeVar("T")

FIRST = 0.1
LONGEST = 15.0
"""Seconds; a neighbour that comes back is noticed within this."""


class Neighbour:
    """The bus or the store, as a part of this process's health; for one thread."""

    def __init__(
        self,
        part: str,
        *,
        health: Health,
        stop: threading.Event,
        longest: float = LONGEST,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._longest = longest
        self._part = part
        self._health = health
        self._stop = stop
        self._chance = chance
        self._failures = 0
        self._said = ""
        health.not_ready(part, "not asked yet")

    @property
    def failures(self) -> int:
        """Failed tries in a row; 0 while it serves."""
        return self._failures

    def ask(self, question: Callable[[], T]) -> T | None:
        """The answer, or None after a wait because the neighbour is away. Other errors pass through."""
        try:
            answer = question()
        except (BusUnavailable, StoreUnavailable) as error:
            if str(error) != self._said:
                self._said = str(error)
                logger.warning("%s is away, trying again: %s", self._part, error)
            self._health.not_ready(self._part, str(error))
            self._stop.wait(self._wait())
            return None
        if self._failures:
            logger.info("%s is back after %d failed tries", self._part, self._failures)
        self._failures = 0
        self._said = ""
        self._health.ready(self._part)
        return answer

    def _wait(self) -> float:
        limit = min(self._longest, FIRST * 2.0 ** min(self._failures, 20))
        self._failures += 1
        return limit * (0.5 + 0.5 * self._chance())
