"""A translator's world without its loop: a store, a publisher, and batches taken in one by one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import partial

from schemas.bus.port import Record
from schemas.events import ChangeEvent
from schemas.records import SettingsRecord
from tests.translator.facts import CLUSTER, PARTITIONS, SETTINGS, TOPIC, Publisher
from translator.batch import Rules, Summary, put_settings, renew, take
from translator.intake import Batch, intake
from translator.store import Store


class World:
    """Tells a store what happened; each call of `tell` is one transaction over all partitions it touches."""

    def __init__(self, store: Store, *, settings: SettingsRecord = SETTINGS, with_settings: bool = False) -> None:
        self.store = store
        self.rules = Rules.of("translator", settings)
        self.publisher = Publisher()
        progress = store.progress("translator", TOPIC, range(PARTITIONS), self.rules.version)
        self.at = {number: each.next_offset for number, each in progress.items()}
        self.publisher.offsets = [self.at[number] for number in range(PARTITIONS)]
        if with_settings:
            self.put_settings()

    def put_settings(self) -> Summary:
        """Store the settings."""
        return self.store.run(lambda session: put_settings(session, self.rules))

    def renew(self) -> None:
        """Translate anew what other rules or settings made, as the loop does at its start."""
        progress = self.store.progress("translator", TOPIC, range(PARTITIONS), self.rules.version)
        for partition, each in progress.items():
            place = {"topic": TOPIC, "partition": partition, "offset": each.next_offset}
            after, done = None, False
            while not done:
                page = partial(renew, **place, after=after, rules=self.rules, old_version=each.version)  # type: ignore[arg-type]
                after = self.store.run(page)
                done = after is None

    def tell(self, *events: ChangeEvent) -> Summary:
        """All events in one batch."""
        return self.take(self.publisher.records(events))

    def tell_each(self, events: Iterable[ChangeEvent]) -> None:
        """Each event in a batch of its own."""
        for event in events:
            self.tell(event)

    def take(self, records: Iterable[Record], *, gap: bool = False) -> Summary:
        """Records in one batch."""
        batch = self.batch(records, gap=gap)
        summary = self.store.run(lambda session: take(session, batch, self.rules))
        self.at.update({part.partition: part.next_offset for part in batch.slices})
        return summary

    def batch(self, records: Iterable[Record], *, gap: bool = False) -> Batch:
        """The batch of these records, as the loop would make it."""
        parts: defaultdict[int, list[Record]] = defaultdict(list)
        for each in records:
            parts[each.partition].append(each)
        slices = [intake(CLUSTER, part, expected=self.at[number], gap=gap) for number, part in sorted(parts.items())]
        return Batch(TOPIC, slices)
