"""What downstream makes of a log, by the rules of the snapshot protocol: the measure of the watchers' tests."""

from __future__ import annotations

from collections.abc import Iterable

from schemas.events import MARKERS, ChangeEvent, Op
from schemas.identity import ResourceKey, partition_of


class Folded:
    """Rows by key. Within an epoch versions rise: what comes back from behind is a repetition, and dropped."""

    def __init__(self, partitions: int = 4) -> None:
        self._partitions = partitions
        self.rows: dict[ResourceKey, ChangeEvent] = {}
        self._epochs: dict[tuple[str, int], int] = {}
        self._listing: dict[tuple[str, int], bool] = {}
        self._highest: dict[tuple[str, int], int] = {}

    def fold(self, records: Iterable[tuple[int, ChangeEvent]]) -> Folded:
        """Fold (partition, event) pairs in order."""
        for partition, event in records:
            slot = event.kind, partition
            if event.epoch < self._epochs.get(slot, 0):
                continue
            if event.op in MARKERS:
                self._fold_marker(slot, event)
            else:
                assert partition == partition_of(event.key, self._partitions)
                assert event.epoch == self._epochs.get(slot), f"{event.key} before its epoch's snapshot_begin"
                self._fold_object(slot, event)
        return self

    def uids(self, kind: str) -> set[str]:
        """Uids of the rows of a kind."""
        return {row.uid for key, row in self.rows.items() if key.kind == kind}

    def _fold_object(self, slot: tuple[str, int], event: ChangeEvent) -> None:
        row, version, highest = self.rows.get(event.key), int(event.resource_version), self._highest[slot]
        if event.op is Op.DELETE:
            if row and row.uid == event.uid:
                del self.rows[event.key]
        elif row and row.epoch == event.epoch:
            if version > int(row.resource_version):
                self.rows[event.key] = event
        elif row or version > highest:
            self.rows[event.key] = event
        if event.op is not Op.READ:
            self._highest[slot] = max(version, highest)

    def _fold_marker(self, slot: tuple[str, int], event: ChangeEvent) -> None:
        if event.op is Op.SNAPSHOT_BEGIN:
            if event.epoch > self._epochs.get(slot, 0):
                self._epochs[slot], self._listing[slot], self._highest[slot] = event.epoch, True, 0
            return
        assert event.epoch == self._epochs.get(slot), "snapshot_end before its begin"
        if not self._listing[slot]:
            return
        self._listing[slot] = False
        for key, row in list(self.rows.items()):
            if key.kind == slot[0] and partition_of(key, self._partitions) == slot[1] and row.epoch < event.epoch:
                del self.rows[key]
