"""Records results as they come, many per commit (shell): a thread that commits while others apply.

While one commit runs, the next batch gathers; a lone result waits a moment for others, unless it is urgent.
A store that is away is tried again until it is back: what was done is not forgotten.
"""

from __future__ import annotations

import logging
import queue
import random
import threading
import time
from collections.abc import Callable, Sequence

from sqlalchemy import Engine

from applier import metrics
from applier.backoff import delay
from applier.record import Recorded, record
from applier.rows import Result
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

    def __init__(
        self, engine: Engine, *, done: Done, died: Callable[[Exception], None], health: Health, linger: float = 0.01
    ) -> None:
        self._engine = engine
        self._done = done
        self._died = died
        self._health = health
        self._linger = linger
        self._queue: queue.SimpleQueue[tuple[Sequence[Result], bool] | None] = queue.SimpleQueue()
        self._abandon = threading.Event()
        self._scarcity = Scarcity()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)

    def start(self) -> None:
        """Begin to record."""
        self._thread.start()

    def put(self, results: Sequence[Result], *, urgent: bool) -> None:
        """Record these; `urgent` ones without waiting for others."""
        if results:
            self._queue.put((results, urgent))

    def close(self, timeout: float) -> None:
        """Record what was put, and end; gives up after `timeout` seconds if the store stays away."""
        self._queue.put(None)
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
        item = self._queue.get()
        if item is None:
            return [], False
        batch = list(item[0])
        deadline = 0.0 if item[1] else time.monotonic() + self._linger
        while len(batch) < MOST:
            try:
                item = self._queue.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                break
            if item is None:
                return batch, False
            batch.extend(item[0])
            if item[1]:
                deadline = 0.0
        return batch, True

    def _commit(self, batch: Sequence[Result]) -> None:
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
