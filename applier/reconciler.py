"""The loop that makes Contrail follow the store (shell): load, plan, apply in parallel, record.

One thread decides, on events only; calls, loads and commits run in others. A thread that has applied a row goes on
with what that made possible, or with whatever else can run, without asking the deciding one: handing over costs as
much as a call. So nothing waits for a slow object but what needs it, and new work joins what is under way. All state
that matters is in the store: killed at any point, the next run goes on from there.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from sqlalchemy import Engine

from applier import metrics
from applier.agenda import Agenda
from applier.gate import Gate
from applier.inbox import Inbox
from applier.lease import Lease
from applier.loader import Loader
from applier.outcome import Outcome, Verdict
from applier.plan import Blocked, Plan
from applier.record import Recorded
from applier.recorder import Recorder
from applier.results import blocked_by, result_of
from applier.rows import Result, Row, Status
from applier.settings import ApplierSettings
from applier.tally import Tally
from applier.unread import Unread
from applier.wakeups import Wakeups
from applier.worker import Worked, Worker
from schemas.health import Health

logger = logging.getLogger(__name__)

T = TypeVar("T")

UNRECORDED = 4
"""So many times `load_limit` objects are held at most, with those that are applied and not recorded."""
_BUSY_FACTOR = 10
"""While more waits than can run, results and new addresses wait so many times longer for others: the same calls and
commits then do for more of them, and nobody gets anything later, because what waits comes first."""


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
        self._lock = threading.Lock()
        """Guards all that follows; held for moments only, never over a call or a statement."""
        self._agenda = Agenda()
        self._gate = Gate(settings.concurrency, url=worker.url, health=health)
        self._tally = Tally()
        self._events = Inbox()
        self._lease = lease or Lease(settings.lease)
        self._loader = Loader(
            engine, cluster=cluster, settings=settings, health=health, tell=self._events.put, lease=self._lease
        )
        self._recorder = Recorder(
            engine,
            done=lambda results, recorded: self._events.put(partial(self._on_recorded, results, recorded)),
            died=self._events.fail,
            health=health,
        )
        self._wakeups = Wakeups(engine, woken=lambda shards: self._events.put(partial(self._loader.woken, shards)))
        self._pool = ThreadPoolExecutor(settings.concurrency, thread_name_prefix="apply")
        self._address_pool = ThreadPoolExecutor(1, thread_name_prefix="addresses")
        self._stopping = False
        self._calls = 0
        self._probing = False
        self._unread = Unread()

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
        self._events.wake()

    def _step(self) -> None:
        self._health.beat("reconciler", within=60.0)
        events = self._events.take(self._patience())
        with self._lock:
            for event in events:
                event()
            self._dispatch()
            if self._has_room:
                self._loader.load_if_due(self._agenda.begin_load, self._on_loaded, self._agenda.drop_waiting)
            self._loader.touch_if_due(self._agenda.drop_waiting)
            if report := self._tally.report(idle=not self._agenda, now=time.monotonic()):
                logger.info("round %s", report)

    @property
    def _has_room(self) -> bool:
        """Whether more work is worth loading; not while results pile up that the store does not take."""
        limit = self._settings.load_limit
        return self._agenda.unfinished < limit and len(self._agenda) < UNRECORDED * limit

    def _patience(self) -> float:
        now = time.monotonic()
        with self._lock:
            times = [now + 5.0, self._unread.due_at, self._loader.touch_at]
            if self._has_room:
                times.append(self._loader.due_at)
            if self._gate.is_shut(now):
                times.append(self._gate.opens_at)
        return max(0.0, min(times) - now)

    def _on_loaded(self, planned: Plan) -> None:
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
        self._start_what_can_run(now)
        if self._gate.is_waiting and not self._calls and not self._gate.is_shut(now):
            self._probe()
        if self._agenda.is_stuck and not self._calls and not self._unread:
            logger.warning("two plans contradict each other; planning anew rows=%d", self._agenda.unfinished)
            self._agenda.drop_waiting()
            self._loader.wake_in(1.0)
        metrics.HELD.set(len(self._agenda))
        metrics.RUNNING.set(self._calls)

    def _start_what_can_run(self, now: float) -> None:
        while (row := self._take(now)) is not None:
            self._pool.submit(self._work, row, self._lease.session)

    def _take(self, now: float) -> Row | None:
        if self._gate.wants_probe or self._gate.is_shut(now) or self._calls >= self._gate.limit:
            return None
        row = self._agenda.take()
        if row is not None:
            self._calls += 1
        return row

    def _work(self, row: Row | None, session: int) -> None:
        """Apply a row, and go on with others while there are any (in a thread of the pool)."""
        try:
            while row is not None:
                began = time.monotonic()
                with self._lease.since(session):
                    worked = self._worker.apply(row)
                with self._lock:
                    row, session = self._next(worked, began), self._lease.session
        except Exception as error:
            self._events.fail(error)

    def _next(self, worked: Worked, began: float) -> Row | None:
        """Take note of what came of a row; returns the next one for this thread."""
        now = time.monotonic()
        read_at, had_room = self._unread.due_at, self._has_room
        self._calls -= 1
        self._on_worked(worked, began=began, now=now)
        # After a doubt about the shards, the deciding thread finds out whether they are still ours.
        is_late = worked.outcome.verdict is Verdict.LATE
        row = None if self._stopping or is_late else self._take(now)
        if row is not None:
            self._start_what_can_run(now)
        may_load = self._has_room and not had_room
        if row is None or may_load or self._unread.is_full or self._unread.due_at < read_at:
            self._events.wake()
        return row

    def _submit(self, pool: ThreadPoolExecutor, work: Callable[[], T], then: Callable[..., None]) -> None:
        def ended(began: float, found: T) -> None:
            self._calls -= 1
            then(found, began=began)

        def perform() -> None:
            began = time.monotonic()
            self._events.put(partial(ended, began, work()))

        self._calls += 1
        pool.submit(perform)

    def _on_worked(self, worked: Worked, *, began: float, now: float) -> None:
        self._gate.note(worked.outcome, began=began)
        if worked.unread:
            self._unread.add(worked.row, read_by=now + self._linger(self._settings.address_linger))
        else:
            self._finish([worked])

    def _read_addresses(self, now: float) -> None:
        if batch := self._unread.take(now, more_may_come=self._calls > 0):
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
                blocked += self._agenda.failed(row.uuid, outcome.reason)
        observed = sum(result.observation is not None for result in results)
        if observed:
            metrics.ADDRESSES.inc(observed)
        urgent = observed > 0 or not self._calls
        self._recorder.put(results, within=0.0 if urgent else self._linger(self._settings.record_linger))
        if blocked:
            self._record_blocked(blocked)

    def _linger(self, seconds: float) -> float:
        is_busy = self._agenda.ready > self._settings.concurrency
        return _BUSY_FACTOR * seconds if is_busy else seconds

    def _record_blocked(self, blocked: Iterable[Blocked]) -> None:
        results = [
            blocked_by(found.row, found.reason, settings=self._settings, jitter=random.random()) for found in blocked
        ]
        self._recorder.put(results, within=self._linger(self._settings.record_linger))

    def _on_recorded(self, results: Sequence[Result], recorded: Recorded) -> None:
        if self._agenda.recorded(result.row.uuid for result in results) or recorded.stale:
            self._loader.wake_in(0.0)
        self._loader.woken(recorded.freed, certain=False)
        waits = [result.delay for result in results if not result.done and result.status is not Status.DEAD]
        if waits:
            self._loader.wake_in(min(waits))
        for status, count in Counter(result.status for result in results).items():
            _RESULTS[status].inc(count)
        metrics.STALE.inc(recorded.stale)
        self._tally.add(results, stale=recorded.stale, now=time.monotonic())

    def _drain(self) -> None:
        deadline = time.monotonic() + self._settings.drain_timeout
        with self._lock:
            self._agenda.drop_waiting()
        while (self._calls or self._unread) and time.monotonic() < deadline:
            events = self._events.take(min(0.5, max(0.0, self._unread.due_at - time.monotonic())))
            with self._lock:
                for event in events:
                    event()
                self._read_addresses(time.monotonic())

    def _close(self) -> None:
        self._wakeups.close()
        self._recorder.close(timeout=5.0)
        self._loader.close()
        for pool in (self._pool, self._address_pool):
            pool.shutdown(wait=False, cancel_futures=True)
        self._health.ended("reconciler")


_RESULTS = {status: metrics.RESULTS.labels(str(status)) for status in Status}
