"""The loop that makes Contrail follow the store (shell): load, plan, apply in parallel, record.

One thread decides, on events only; calls, loads and commits run in others. So nothing waits for a slow object but
what needs it, and new work joins what is under way. All state that matters is in the store: killed at any point,
the next run goes on from there.
"""

from __future__ import annotations

import logging
import queue
import random
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from sqlalchemy import Engine

from applier import metrics
from applier.agenda import Agenda
from applier.gate import Gate
from applier.lease import Lease
from applier.loader import Held, Loader
from applier.observe import CHUNK
from applier.outcome import Outcome
from applier.plan import Blocked, plan
from applier.record import Recorded
from applier.recorder import Recorder
from applier.results import blocked_by, result_of
from applier.rows import Result, Row, Status
from applier.settings import ApplierSettings
from applier.tally import Tally
from applier.wakeups import Wakeups
from applier.work import Work
from applier.worker import Worked, Worker
from schemas.health import Health

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Reconciler:
    """Applies one cluster's objects until told to stop."""

    def __init__(
        self,
        *,
        engine: Engine,
        worker: Worker,
        cluster: str,
        settings: ApplierSettings,
        health: Health,
        lease: Lease | None = None,
    ) -> None:
        self._worker = worker
        self._settings = settings
        self._health = health
        self._agenda = Agenda()
        self._gate = Gate(settings.concurrency, url=worker.url, health=health)
        self._tally = Tally()
        self._events: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._lease = lease or Lease(settings.lease)
        self._loader = Loader(
            engine, cluster=cluster, settings=settings, health=health, tell=self._events.put, lease=self._lease
        )
        self._recorder = Recorder(
            engine,
            done=lambda results, recorded: self._events.put(partial(self._on_recorded, results, recorded)),
            died=lambda error: self._events.put(partial(_raise, error)),
            health=health,
            linger=settings.record_linger,
        )
        self._wakeups = Wakeups(engine, woken=lambda shards: self._events.put(partial(self._loader.woken, shards)))
        self._pool = ThreadPoolExecutor(settings.concurrency, thread_name_prefix="apply")
        self._address_pool = ThreadPoolExecutor(1, thread_name_prefix="addresses")
        self._stopping = False
        self._calls = 0
        self._probing = False
        self._unread: list[Row] = []
        self._read_at = float("inf")

    def run(self) -> None:
        """Work until `stop` is called; then let calls under way end, record them, and give the shards back."""
        self._recorder.start()
        self._wakeups.start()
        self._probe()
        try:
            while not self._stopping:
                self._step()
            self._drain()
        finally:
            self._close()

    def stop(self) -> None:
        """Make `run` return soon; may be called from any thread and from a signal handler."""
        self._stopping = True
        self._events.put(lambda: None)

    def _step(self) -> None:
        self._health.beat("reconciler", within=60.0)
        self._handle_events(self._patience())
        self._dispatch()
        if self._agenda.unfinished < self._settings.load_limit:
            self._loader.load_if_due(self._agenda.begin_load, self._on_loaded, self._agenda.drop_waiting)
        self._loader.touch_if_due(self._agenda.drop_waiting)
        if report := self._tally.report(idle=not self._agenda, now=time.monotonic()):
            logger.info("round %s", report)

    def _handle_events(self, patience: float) -> None:
        try:
            self._events.get(timeout=patience)()
            while True:
                self._events.get_nowait()()
        except queue.Empty:
            return

    def _patience(self) -> float:
        now = time.monotonic()
        times = [now + 5.0, self._read_at, self._loader.touch_at]
        if self._agenda.unfinished < self._settings.load_limit:
            times.append(self._loader.due_at)
        if self._gate.is_shut(now):
            times.append(self._gate.opens_at)
        return max(0.0, min(times) - now)

    def _on_loaded(self, work: Work, held: Held) -> None:
        # What was under way when the store was read may have been recorded since: it counts as under way still,
        # because the store as it was read does not show it as done.
        planned = plan(work.rows, work.edges, work.neighbours, held=held.keys() | self._agenda.held.keys())
        self._record_blocked(self._agenda.add(planned))

    def _probe(self) -> None:
        self._probing = True
        self._submit(self._pool, self._worker.probe, self._on_probed)

    def _on_probed(self, outcome: Outcome, *, began: float) -> None:
        self._probing = False
        self._gate.note_probe(outcome, began=began)

    def _dispatch(self) -> None:
        now = time.monotonic()
        self._read_addresses(now)
        if self._gate.wants_probe:
            if not self._probing and not self._gate.is_shut(now):
                self._probe()
            return
        if len(self._agenda) and not self._loader.is_certain:
            return  # what waits may be another's by now; asking the store comes back here
        while not self._gate.is_shut(now) and self._calls < self._gate.limit and (row := self._agenda.take()):
            self._submit(self._pool, partial(self._apply, row, self._lease.session), self._on_worked)
        if self._gate.is_waiting and not self._calls and not self._gate.is_shut(now):
            self._probe()
        if self._agenda.is_stuck and not self._calls and not self._unread:
            logger.warning("two plans contradict each other; planning anew rows=%d", self._agenda.unfinished)
            self._agenda.drop_waiting()
            self._loader.wake_in(1.0)
        metrics.HELD.set(len(self._agenda))
        metrics.RUNNING.set(self._calls)

    def _apply(self, row: Row, session: int) -> Worked:
        with self._lease.since(session):
            return self._worker.apply(row)

    def _submit(self, pool: ThreadPoolExecutor, work: Callable[[], T], then: Callable[..., None]) -> None:
        def ended(began: float, found: T) -> None:
            self._calls -= 1
            then(found, began=began)

        def perform() -> None:
            began = time.monotonic()
            self._events.put(partial(ended, began, work()))

        self._calls += 1
        pool.submit(perform)

    def _on_worked(self, worked: Worked, *, began: float) -> None:
        self._gate.note(worked.outcome, began=began)
        if worked.unread:
            self._unread.append(worked.row)
            self._read_at = min(self._read_at, time.monotonic() + self._settings.address_linger)
        else:
            self._finish([worked])

    def _read_addresses(self, now: float) -> None:
        # Nothing under way can add to the batch, or the first of it has waited long enough.
        if not self._unread or (self._calls and now < self._read_at and len(self._unread) < CHUNK):
            return
        batch, self._unread = self._unread[:CHUNK], self._unread[CHUNK:]
        self._read_at = now if self._unread else float("inf")
        self._submit(self._address_pool, partial(self._worker.read_addresses, batch), self._on_addresses)

    def _on_addresses(self, found: Sequence[Worked], *, began: float) -> None:
        self._gate.note(found[0].outcome, began=began)
        self._finish(found)

    def _finish(self, ended: Iterable[Worked]) -> None:
        results: list[Result] = []
        blocked: list[Blocked] = []
        for worked in ended:
            row, outcome = worked.row, worked.outcome
            result = result_of(
                row, outcome, settings=self._settings, jitter=random.random(), observation=worked.observation
            )
            results.append(result)
            if result.done:
                self._agenda.done(row.uuid)
            else:
                _log_failure(result, outcome)
                blocked += self._agenda.failed(row.uuid, outcome.reason)
        observed = sum(result.observation is not None for result in results)
        metrics.ADDRESSES.inc(observed)
        self._recorder.put(results, urgent=observed > 0 or not self._calls)
        self._record_blocked(blocked)

    def _record_blocked(self, blocked: Iterable[Blocked]) -> None:
        results = [
            blocked_by(found.row, found.reason, settings=self._settings, jitter=random.random()) for found in blocked
        ]
        self._recorder.put(results, urgent=False)

    def _on_recorded(self, results: Sequence[Result], recorded: Recorded) -> None:
        if self._agenda.recorded(result.row.uuid for result in results) or recorded.stale:
            self._loader.wake_in(0.0)
        self._loader.woken(recorded.freed, certain=False)
        waits = [result.delay for result in results if not result.done and result.status is not Status.DEAD]
        if waits:
            self._loader.wake_in(min(waits))
        for result in results:
            metrics.RESULTS.labels(str(result.status)).inc()
        metrics.STALE.inc(recorded.stale)
        self._tally.add(results, stale=recorded.stale, now=time.monotonic())

    def _drain(self) -> None:
        self._agenda.drop_waiting()
        deadline = time.monotonic() + self._settings.drain_timeout
        while (self._calls or self._unread) and time.monotonic() < deadline:
            self._handle_events(min(0.5, max(0.0, self._read_at - time.monotonic())))
            self._read_addresses(time.monotonic())

    def _close(self) -> None:
        self._wakeups.close()
        self._recorder.close(timeout=5.0)
        self._loader.close()
        for pool in (self._pool, self._address_pool):
            pool.shutdown(wait=False, cancel_futures=True)
        self._health.ended("reconciler")


def _raise(error: Exception) -> None:
    raise error


def _log_failure(result: Result, outcome: Outcome) -> None:
    row = result.row
    level = logging.DEBUG
    if result.status is Status.DEAD:
        level = logging.ERROR
    elif result.attempts == 1 and result.status is Status.FAILED:
        level = logging.WARNING
    logger.log(
        level,
        "%s uuid=%s status=%s attempts=%d: %s",
        row.label,
        row.uuid,
        result.status,
        result.attempts,
        outcome.reason,
    )
