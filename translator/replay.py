"""Replaying a log into an empty store: the same log gives the same desired state, and its digest proves it.

Memory is the default target, so a replay is a dry run unless a database is named; and a database that holds
anything is refused unless the caller says otherwise.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable

import msgspec

from schemas.bus.port import Consumer
from schemas.errors import BusMismatch, StoreMismatch
from translator.backlog import Backlog
from translator.batch import Rules, put_settings, take_whole
from translator.fold import Action
from translator.intake import Batch, intake
from translator.store import Store

POLL = 1.0
"""Seconds without a record before the end of the log is compared again."""


class Replayed(msgspec.Struct, frozen=True):
    """What a replay came to: records read, events by action, dead letters, rows by table, the state's digest."""

    records: int
    events: Counter[Action]
    dead_letters: int
    rows: dict[str, int]
    digest: str


def state_digest(store: Store) -> str:
    """SHA-256 over `uuid type fq_name digest` of every desired object that is not absent, a line each, by uuid."""
    hashed = hashlib.sha256()
    for uuid, kind, fq_name, digest in store.desired_rows():
        hashed.update(f"{uuid} {kind} {fq_name} {digest.hex()}\n".encode())
    return hashed.hexdigest()


def require_empty(store: Store, target: str) -> None:
    """Raise StoreMismatch if anything was ever stored there."""
    if not store.is_empty():
        raise StoreMismatch(
            f"{target} is not empty: replaying into it would mix an old log with what is there now. "
            "Name an empty database, or say --into-existing if that is meant"
        )


def replay(
    consumer: Consumer,
    store: Store,
    rules: Rules,
    *,
    batch_records: int,
    progress: Callable[[int], None] = lambda done: None,
) -> Replayed:
    """Take the whole log in as it is now; `progress` hears the number of records so far."""
    store.run(lambda session: put_settings(session, rules))
    backlog = _begin(consumer, store, rules, batch_records)
    ends = consumer.end_offsets()
    done, events, dead_letters = 0, Counter[Action](), 0
    while any(backlog.stored[number] < end for number, end in ends.items()):
        backlog.add(consumer.poll(POLL, backlog.room))
        runs = backlog.runs(consumer.begin_offsets, consumer.end_offsets)
        if not runs:
            at = dict(backlog.stored)
            raise BusMismatch(f"{consumer.topic} gives no more records at {at}, although it ends at {ends}")
        cluster = rules.settings.cluster
        slices = [intake(cluster, run.records, expected=run.expected, gap=run.gap) for run in runs]
        batch = Batch(consumer.topic, slices)
        summary = take_whole(store, batch, rules)
        backlog.done(runs)
        done += sum(len(run.records) for run in runs)
        events.update(summary.events)
        dead_letters += len(summary.dead_letters)
        progress(done)
    return Replayed(done, events, dead_letters, dict(store.counts()), state_digest(store))


def _begin(consumer: Consumer, store: Store, rules: Rules, batch_records: int) -> Backlog:
    backlog = Backlog(batch_records)
    gained, _ = consumer.take_assignment()
    stored = store.progress(rules.consumer, consumer.topic, gained, rules.version)
    for partition, progress in sorted(stored.items()):
        backlog.place(partition, progress.next_offset)
        consumer.seek(partition, progress.next_offset)
    return backlog
