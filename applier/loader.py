"""Loads work when it is due and plans it, in a thread of its own (shell); holds the shards that it is loaded from."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from sqlalchemy import Engine

from applier.backoff import delay
from applier.lease import Lease
from applier.plan import Plan, plan
from applier.settings import ApplierSettings
from applier.shards import Shards
from applier.work import Work, load
from schemas.errors import StoreUnavailable
from schemas.health import Health

logger = logging.getLogger(__name__)

PART = "store"
"""Name of the store in the health endpoint."""

Held = Mapping[str, int]
"""Generations under way, by uuid."""
Tell = Callable[[Callable[[], None]], None]
Then = Callable[[Plan], None]


class Loader:
    """Decides when to load; used by the deciding thread, to which it hands results as events through `tell`."""

    def __init__(
        self,
        engine: Engine,
        *,
        cluster: str,
        settings: ApplierSettings,
        health: Health,
        tell: Tell,
        lease: Lease,
    ) -> None:
        self._cluster = cluster
        self._settings = settings
        self._health = health
        self._tell = tell
        self._lease = lease
        self._shards = Shards(
            engine,
            cluster=cluster,
            most=settings.max_shards,
            interval=settings.takeover_interval,
            lease=self._lease,
        )
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="load")
        self._loading = False
        self._failures = 0
        self._said = ""
        self._due_at = float("-inf")
        self._touch_at = float("inf")
        health.not_ready(PART, "has not answered yet")

    @property
    def due_at(self) -> float:
        """Monotonic time of the next load; infinity while one runs."""
        return float("inf") if self._loading else self._due_at

    @property
    def touch_at(self) -> float:
        """Monotonic time at which the session that holds the shards wants to be used."""
        return float("inf") if self._loading else self._touch_at

    @property
    def is_certain(self) -> bool:
        """Whether the shards are surely ours now; if not, it is found out soon."""
        certain = self._lease.is_certain()
        if not certain and self._touch_at < float("inf"):
            self._touch_at = float("-inf")
        return certain

    def wake_in(self, seconds: float) -> None:
        """Load within so many seconds, unless the store is away."""
        if not self._failures:
            self._due_at = min(self._due_at, time.monotonic() + seconds)

    def woken(self, shards: frozenset[int], *, certain: bool = True) -> None:
        """Work has come in these shards; in none named means in any if `certain`, else nothing."""
        if shards & self._shards.held or (certain and not shards):
            self.wake_in(0.0)

    def load_if_due(self, held: Callable[[], Held], then: Then, lost: Callable[[], None]) -> None:
        """Begin a load if it is time.

        `held` tells what is under way; `then` gets the plan; `lost` is called if the shards may be another's now.
        """
        now = time.monotonic()
        if now >= self.due_at:
            self._loading = True
            self._due_at = now + self._settings.poll_interval
            self._pool.submit(self._load, held(), then, lost)

    def touch_if_due(self, lost: Callable[[], None]) -> None:
        """Use the session that holds the shards, if it was not used for a while; `lost` as when loading."""
        if time.monotonic() >= self.touch_at:
            self._loading = True
            self._pool.submit(self._touch, lost)

    def close(self) -> None:
        """End, and give the shards back."""
        self._pool.submit(self._shards.close)
        self._pool.shutdown(wait=True, cancel_futures=False)

    def _load(self, held: Held, then: Then, lost: Callable[[], None]) -> None:
        try:
            with self._shards.session() as connection:
                shards, limit = self._shards.held, self._settings.load_limit
                work = load(connection, cluster=self._cluster, shards=shards, held=held, limit=limit)
            # What was under way when the store was read may have been recorded since: it counts as under way still,
            # because the store as it was read does not show it as done.
            planned = plan(work.rows, work.edges, work.neighbours, held=held.keys())
            self._tell(partial(self._loaded, work, planned, then))
        except Exception as error:
            self._tell_failure(error, lost)

    def _touch(self, lost: Callable[[], None]) -> None:
        try:
            self._shards.touch()
            self._tell(self._touched)
        except Exception as error:
            self._tell_failure(error, lost)

    def _tell_failure(self, error: Exception, lost: Callable[[], None]) -> None:
        """Whatever it was: a thread that ended without a word would leave the applier waiting for it."""
        said = str(error)
        if not isinstance(error, StoreUnavailable):
            logger.exception("the store was asked in vain, for a reason that was not expected")
            said = f"{type(error).__name__}: {error}"
        self._tell(partial(self._failed, said, lost))

    def _touched(self) -> None:
        self._loading = False
        self._touch_at = time.monotonic() + self._lease.refresh_interval

    def _loaded(self, work: Work, planned: Plan, then: Then) -> None:
        self._touched()
        if self._failures:
            logger.info("the store is back")
            self._failures, self._said = 0, ""
        self._health.ready(PART)
        if work.more:
            self.wake_in(0.0)
        elif work.next_due is not None:
            self.wake_in(work.next_due)
        if self._shards.wants_more:
            self.wake_in(self._settings.takeover_interval)
        then(planned)

    def _failed(self, reason: str, lost: Callable[[], None]) -> None:
        self._loading = False
        self._touch_at = float("inf")  # the next load opens another session
        self._failures += 1
        if reason != self._said:
            self._said = reason
            logger.warning("cannot load work, trying again: %s", reason)
        self._health.not_ready(PART, reason)
        self._due_at = time.monotonic() + delay(self._failures, first=0.1, limit=15.0, jitter=random.random())
        lost()
