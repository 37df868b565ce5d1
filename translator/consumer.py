"""The loop that follows the bus into the store: poll, take in one transaction, again.

Positions come from the store, never from the bus. A batch is held until it is stored or until another instance
owns its partition, so nothing is lost while the store or the bus is away.
"""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections.abc import Callable, Collection

from schemas.bus.port import Consumer, Record
from schemas.errors import Fenced
from schemas.health import Health
from translator import metrics
from translator.backlog import Backlog, Run
from translator.batch import Rules, Summary, put_settings, renew, take
from translator.intake import Batch, Slice, intake
from translator.neighbour import LONGEST, Neighbour
from translator.resource import Key
from translator.settings import TranslatorSettings
from translator.store import Progress, Store

logger = logging.getLogger(__name__)

IDLE = 0.5
"""Seconds of one poll without records: how soon a stop is noticed."""
UNASSIGNED = 0.05
"""Seconds of one poll while no partition is placed: there can be no records, only an assignment."""
QUIET = 2.0
"""So many times `linger` after a batch the next record is a lone one, and is not kept waiting for company."""
BEAT = 420.0
"""Seconds within which the loop gives a sign of life: a transaction is tried 12 times of at most 30 s a statement."""
REOPEN_AFTER = 8
"""Failed polls in a row after which the bus is opened anew: a topic made again needs a new consumer."""
LOGGED_LETTERS = 5
"""Dead letters of one batch that get a line each in the log; the table has them all."""


class Follower:
    """Follows one topic; `run` in one thread, `stop` from any."""

    def __init__(
        self,
        *,
        open_consumer: Callable[[], Consumer],
        store: Store,
        rules: Rules,
        settings: TranslatorSettings,
        health: Health,
        clock: Callable[[], float] = time.monotonic,
        longest_wait: float = LONGEST,
    ) -> None:
        self._open_consumer = open_consumer
        self._store = store
        self._rules = rules
        self._settings = settings
        self._health = health
        self._clock = clock
        self._stop = threading.Event()
        self._bus = Neighbour("bus", health=health, stop=self._stop, longest=longest_wait)
        self._database = Neighbour("store", health=health, stop=self._stop, longest=longest_wait)
        self._backlog = Backlog(settings.batch_records)
        self._unplaced: set[int] = set()
        self._lag_at = 0.0
        self._stored_at = float("-inf")

    def stop(self) -> None:
        """Make `run` return after the batch in hand; may be called from any thread and from a signal handler."""
        self._stop.set()

    def run(self) -> None:
        """Follow until `stop`. Raises what no later try can mend."""
        try:
            self._put_settings()
            while not self._stop.is_set():
                self._follow()
        finally:
            self._health.ended("consumer")

    def _put_settings(self) -> None:
        while not self._stop.is_set():
            self._beat()
            summary = self._database.ask(lambda: self._store.run(lambda s: put_settings(s, self._rules)))
            if summary is not None:
                self._report(summary)
                return

    def _follow(self) -> None:
        """Open the bus and follow it until it must be opened anew, or until the stop."""
        self._beat()
        consumer = self._bus.ask(self._open_consumer)
        if consumer is None:
            return
        self._backlog, self._unplaced = Backlog(self._settings.batch_records), set()
        logger.info("following topic=%s consumer=%s", consumer.topic, self._rules.consumer)
        try:
            while not self._stop.is_set() and self._bus.failures < REOPEN_AFTER:
                self._step(consumer)
        finally:
            consumer.close()

    def _step(self, consumer: Consumer) -> None:
        self._beat()
        waits_for_store = self._database.failures and (self._unplaced or len(self._backlog))
        if not waits_for_store and self._backlog.room:
            self._bus.ask(lambda: self._gather(consumer))
        if self._unplaced and not self._place(consumer):
            return
        if len(self._backlog):
            self._store_backlog(consumer)
        self._measure(consumer)

    def _gather(self, consumer: Consumer) -> bool:
        """Read what there is, up to a batch; right after another batch wait `linger` for more to share this one."""
        self._poll(consumer, IDLE if self._backlog.stored else UNASSIGNED)
        now = self._clock()
        is_lone = now > self._stored_at + QUIET * self._settings.linger
        deadline = now if is_lone else now + self._settings.linger
        while len(self._backlog) and self._backlog.room:
            left = deadline - self._clock()
            if left <= 0 or not self._poll(consumer, left):
                break
        return True

    def _poll(self, consumer: Consumer, timeout: float) -> list[Record]:
        records = consumer.poll(timeout, self._backlog.room)
        gained, lost = consumer.take_assignment()
        if lost:
            logger.info("partitions lost topic=%s partitions=%s", consumer.topic, sorted(lost))
            self._backlog.lose(lost)
            self._unplaced -= lost
        if gained:
            logger.info("partitions gained topic=%s partitions=%s", consumer.topic, sorted(gained))
            self._backlog.lose(gained)
            self._unplaced |= gained
        self._backlog.add(records)
        metrics.PARTITIONS.set(len(self._backlog.stored) + len(self._unplaced))
        return records

    def _place(self, consumer: Consumer) -> bool:
        """Begin each gained partition where the store says, after translating it anew if the rules changed."""
        progress = self._database.ask(lambda: self._progress(consumer, self._unplaced))
        for partition, stored in sorted((progress or {}).items()):
            if stored.version != self._rules.version and not self._renew(consumer.topic, partition, stored):
                return False
            self._backlog.place(partition, stored.next_offset)
            consumer.seek(partition, stored.next_offset)
            self._unplaced.discard(partition)
        return progress is not None

    def _progress(self, consumer: Consumer, partitions: Collection[int]) -> dict[int, Progress]:
        return self._store.progress(self._rules.consumer, consumer.topic, partitions, self._rules.version)

    def _renew(self, topic: str, partition: int, stored: Progress) -> bool:
        """Translate all of a partition anew, page by page; False if that must be tried again later."""
        logger.info("translating anew partition=%d rules=%s before=%s", partition, self._rules.version, stored.version)
        after: Key | None = None
        while not self._stop.is_set():
            self._beat()
            page = functools.partial(
                renew,
                topic=topic,
                partition=partition,
                offset=stored.next_offset,
                after=after,
                rules=self._rules,
                old_version=stored.version,
            )
            try:
                done = self._database.ask(lambda work=page: (self._store.run(work),))  # type: ignore[misc]
            except Fenced as error:
                logger.warning("fenced while translating anew: %s", error)
                return False
            if done is None:
                return False
            (after,) = done
            if after is None:
                return True
        return False

    def _store_backlog(self, consumer: Consumer) -> None:
        runs = self._bus.ask(lambda: self._backlog.runs(consumer.begin_offsets, consumer.end_offsets))
        if runs is None:
            return
        batch = Batch(consumer.topic, [self._slice(consumer.topic, run) for run in runs])
        try:
            with metrics.BATCH_SECONDS.time():
                summary = self._database.ask(lambda: self._store.run(lambda s: take(s, batch, self._rules)))
        except Fenced as error:
            self._be_fenced(consumer, error)
            return
        if summary is None:
            return
        self._report(summary)
        self._stored_at = self._clock()
        if not summary.unfinished:
            self._backlog.done(runs)
            metrics.BATCH_EVENTS.observe(sum(len(run.records) for run in runs))

    def _slice(self, topic: str, run: Run) -> Slice:
        if run.gap:
            metrics.GAPS.inc()
            logger.warning(
                "records lost topic=%s partition=%d from=%d to=%d: retention has passed them, or the topic was made "
                "anew; the next snapshot of each kind heals it",
                topic,
                run.partition,
                run.expected,
                run.records[0].offset,
            )
        return intake(self._rules.settings.cluster, run.records, expected=run.expected, gap=run.gap)

    def _be_fenced(self, consumer: Consumer, error: Fenced) -> None:
        """Drop what another instance has stored already, and go on where the store says."""
        metrics.FENCED.inc()
        logger.warning("fenced, starting again from the store: %s", error)
        held = dict(self._backlog.stored)
        progress = self._database.ask(lambda: self._progress(consumer, held))
        moved = {number for number, stored in (progress or {}).items() if stored.next_offset != held[number]}
        self._backlog.lose(moved)
        self._unplaced |= moved

    def _measure(self, consumer: Consumer) -> None:
        """How far the bus is ahead, every now and then."""
        if self._clock() < self._lag_at:
            return
        self._lag_at = self._clock() + self._settings.lag_interval
        for partition, end in (self._bus.ask(consumer.end_offsets) or {}).items():
            if partition in self._backlog.stored:
                metrics.LAG.labels(str(partition)).set(max(0, end - self._backlog.stored[partition]))

    def _report(self, summary: Summary) -> None:
        for action, count in summary.events.items():
            metrics.EVENTS.labels(action.value).inc(count)
        for op, count in summary.changes.items():
            metrics.CHANGES.labels(op).inc(count)
        metrics.DEAD_LETTERS.inc(len(summary.dead_letters))
        for letter in summary.dead_letters[:LOGGED_LETTERS]:
            logger.warning(
                "dead letter stage=%s partition=%d offset=%d resource=%s: %s: %s",
                letter.stage,
                letter.position.partition,
                letter.position.offset,
                letter.resource or "?",
                letter.error_class,
                letter.error[:500],
            )
        if more := summary.dead_letters[LOGGED_LETTERS:]:
            logger.warning("and %d more dead letters of the same batch", len(more))
        if summary.changes:
            logger.debug("stored events=%d changes=%s", summary.events.total(), dict(summary.changes))

    def _beat(self) -> None:
        self._health.beat("consumer", within=BEAT)
