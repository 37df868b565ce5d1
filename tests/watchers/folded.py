"""What downstream makes of a log, by the rules of the snapshot protocol: the measure of the watchers' tests."""

from __future__ import annotations

from collections.abc import Iterable

from schemas.events import MARKERS, ChangeEvent, Op
from schemas.identity import ResourceKey, partition_of


class Folded:
    """Rows (uid, version, epoch, body) by key. Refuses, by assertion, what a watcher must never publish."""

    def __init__(self, partitions: int = 4) -> None:
        self._partitions = partitions
        self.rows: dict[ResourceKey, ChangeEvent] = {}
        self._epochs: dict[tuple[str, int], int] = {}
        self._listing: dict[tuple[str, int], bool] = {}
        self._revisions: dict[tuple[str, int, int], int] = {}
        self.sweeps = 0

    def fold(self, records: Iterable[tuple[int, ChangeEvent]]) -> Folded:
        """Fold (partition, event) pairs in order."""
        for partition, event in records:
            self._fold_one(partition, event)
        return self

    def uids(self, kind: str) -> set[str]:
        """Uids of the rows of a kind."""
        return {row.uid for key, row in self.rows.items() if key.kind == kind}

    def _fold_one(self, partition: int, event: ChangeEvent) -> None:
        slot = event.kind, partition
        if event.epoch < self._epochs.get(slot, 0):
            return
        if event.op in MARKERS:
            self._fold_marker(slot, event)
            return
        assert partition == partition_of(event.key, self._partitions)
        assert event.epoch == self._epochs.get(slot), f"{event.key} before its epoch's snapshot_begin"
        if event.op is not Op.READ:
            # Per epoch the changes of a kind come in the order of their versions; repeats are whole runs.
            revision, highest = int(event.resource_version), self._revisions.get((*slot, event.epoch), 0)
            row = self.rows.get(event.key)
            if revision <= highest and (row is None or row.uid != event.uid or revision > int(row.resource_version)):
                raise AssertionError(f"{event.key} at version {revision} comes after version {highest}")
            self._revisions[*slot, event.epoch] = max(revision, highest)
        if event.op is Op.DELETE:
            if (row := self.rows.get(event.key)) and row.uid == event.uid:
                del self.rows[event.key]
        else:
            self.rows[event.key] = event

    def _fold_marker(self, slot: tuple[str, int], event: ChangeEvent) -> None:
        if event.op is Op.SNAPSHOT_BEGIN:
            self._epochs[slot], self._listing[slot] = event.epoch, True
            return
        assert self._listing.get(slot), "snapshot_end without its begin"
        self._listing[slot] = False
        self.sweeps += 1
        for key, row in list(self.rows.items()):
            if key.kind == slot[0] and partition_of(key, self._partitions) == slot[1] and row.epoch < event.epoch:
                del self.rows[key]
