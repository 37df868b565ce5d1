"""Logs and records results as they come, many per commit (shell): a thread that commits while others apply.

While one commit runs, the next batch gathers; a result says how long it may wait for others.
A store that is away is tried again until it is back: what was done is not forgotten.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence

from sqlalchemy import Engine

from applier import metrics
from applier.backoff import delay
from applier.record import Recorded, record
from applier.rows import Result, Status
from applier.scarcity import Scarcity
from schemas.errors import StoreUnavailable
from schemas.health import Health

logger = logging.getLogger(__name__)

MOST = 500
"""Results in one commit."""

Done = Callable[[Sequence[Result], Recorded], None]


class Recorder:
    """Writes results in a thread of its own; there, `done` is called after every commit.

    `died` is called instead if recording ends by a fault of ours: nothing may be applied then.
    """

    def __init__(self, engine: Engine, *, done: Done, died: Callable[[Exception], None], health: Health) -> None:
        self._engine = engine
        self._done = done
        self._died = died
        self._health = health
        self._changed = threading.Condition()
        self._gathered: list[Result] = []
        self._due_at = float("inf")
        self._closing = False
        self._abandon = threading.Event()
        self._scarcity = Scarcity()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)

    def start(self) -> None:
        """Begin to record."""
        self._thread.start()

    def put(self, results: Sequence[Result], *, within: float) -> None:
        """Record these; they may wait for others for so many seconds."""
        if not results:
            return
        due_at = time.monotonic() + within
        with self._changed:
            self._gathered.extend(results)
            # Waking the thread for each result would cost more than to record it.
            if due_at < self._due_at:
                self._due_at = due_at
                self._changed.notify()
            elif len(self._gathered) >= MOST:
                self._changed.notify()

    def close(self, timeout: float) -> None:
        """Record what was put, and end; gives up after `timeout` seconds if the store stays away."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(timeout)
        if self._thread.is_alive():
            self._abandon.set()
            self._thread.join(1.0)
            logger.error("results were not recorded: the store stayed away; they will be found in Contrail again")

    def _run(self) -> None:
        running = True
        try:
            while running:
                batch, running = self._gather()
                if batch:
                    self._commit(batch)
        except Exception as error:
            self._died(error)

    def _gather(self) -> tuple[list[Result], bool]:
        """The next batch, and whether more can come."""
        with self._changed:
            while not self._closing and len(self._gathered) < MOST:
                wait = self._due_at - time.monotonic()
                if wait <= 0:
                    break
                self._changed.wait(min(wait, threading.TIMEOUT_MAX))
            batch, self._gathered = self._gathered[:MOST], self._gathered[MOST:]
            if not self._gathered:
                self._due_at = float("inf")
            return batch, bool(self._gathered) or not self._closing

    def _commit(self, batch: Sequence[Result]) -> None:
        for result in batch:
            if not result.done and not result.untried:
                _log_failure(result)
        failures = 0
        due = self._scarcity.next_in_turn(batch)
        while not self._abandon.is_set():
            began = time.monotonic()
            try:
                recorded = record(self._engine, batch, due=due)
            except StoreUnavailable as error:
                failures += 1
                if failures == 1:
                    logger.warning("cannot record results=%d, trying again: %s", len(batch), error)
                self._health.not_ready("record", str(error))
                self._abandon.wait(delay(failures, first=0.1, limit=5.0, jitter=random.random()))
                continue
            if failures:
                logger.info("the store is back: results=%d recorded after attempts=%d", len(batch), failures + 1)
                self._health.ready("record")
            metrics.COMMIT_SECONDS.observe(time.monotonic() - began)
            self._done(batch, recorded)
            return


def _log_failure(result: Result) -> None:
    row = result.row
    level = logging.DEBUG
    if result.status is Status.DEAD:
        level = logging.ERROR
    elif result.attempts == 1 and result.status is Status.FAILED:
        level = logging.WARNING
    said = (row.label, row.uuid, result.status, result.attempts, result.reason)
    logger.log(level, "%s uuid=%s status=%s attempts=%d: %s", *said)
