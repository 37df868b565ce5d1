"""One term of the feedback (shell): looks at everything again and again, and writes what differs.

The parts do not depend on each other: where the rights for one are missing, the others go on.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from schemas.errors import KubernetesForbidden, KubernetesUnavailable, StoreUnavailable
from schemas.health import Health
from watchers.backoff import pause
from watchers.feedback import metrics
from watchers.feedback.patience import Patience
from watchers.feedback.standing import Standing

logger = logging.getLogger(__name__)

ALIVE_SECONDS = 180.0
SOON = 0.2
"""Seconds until the next look where this one left something over."""
STORE, KUBERNETES = "store", "kubernetes"


class Part(Protocol):
    """One thing that is fed back."""

    @property
    def name(self) -> str:
        """How /readyz and the log call it."""

    def round(self) -> bool:
        """Write what is due now; returns whether more is due at once. Raises what the store and the API raise."""


class Rounds:
    """Looks after its parts until told to stop."""

    def __init__(self, parts: Sequence[Part], *, interval: float, health: Health) -> None:
        self._parts = parts
        self._interval = interval
        self._health = health
        self._standings = {each.name: Standing(each.name, health) for each in parts}
        self._api = Standing(KUBERNETES, health)
        self._store = Standing(STORE, health)
        self._denied = Patience()
        self._failures = 0

    def run(self, ended: threading.Event) -> None:
        """Until `ended`; one that is away is waited for."""
        while not ended.is_set():
            self._health.beat("feedback", within=ALIVE_SECONDS)
            ended.wait(self._round())
        self._health.ended("feedback")
        for part in (*self._standings, STORE, KUBERNETES):  # whoever leads next speaks of them
            self._health.ready(part)

    def _round(self) -> float:
        """One look at everything; returns the seconds until the next."""
        began = time.monotonic()
        try:
            with metrics.ROUND_SECONDS.time():
                more = [self._part(each) for each in self._parts]
        except StoreUnavailable as error:
            return self._wait(self._store, error)
        except KubernetesUnavailable as error:
            return self._wait(self._api, error)
        self._failures = 0
        self._store.well()
        self._api.well()
        left = self._interval - (time.monotonic() - began)
        return min(SOON, self._interval) if any(more) else max(SOON, left)

    def _part(self, part: Part) -> bool:
        if not self._denied.may(part.name, time.monotonic()):
            return False
        try:
            more = part.round()
        except KubernetesForbidden as error:
            self._denied.failed(part.name, time.monotonic())
            self._standings[part.name].trouble(str(error))
            return False
        self._denied.well(part.name)
        self._standings[part.name].well()
        return more

    def _wait(self, standing: Standing, error: StoreUnavailable | KubernetesUnavailable) -> float:
        self._failures += 1
        standing.trouble(str(error))
        return pause(self._failures, draw=random.random(), asked=error.retry_after)


Make = Callable[[Callable[[], bool]], Sequence[Part]]
"""The parts of one term, given what tells whether it still leads."""
