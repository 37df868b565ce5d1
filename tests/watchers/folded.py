"""What downstream makes of a log: the translator's own fold over rows in memory, the measure of the watchers' tests."""

from __future__ import annotations

from collections.abc import Iterable

from schemas.events import MARKERS, ChangeEvent
from schemas.identity import ResourceKey, partition_of
from translator.fold import Action, Epoch, fold
from translator.resource import Head


class Folded:
    """Rows by key, and what the fold knows of each kind in each partition."""

    def __init__(self, partitions: int = 4) -> None:
        self._partitions = partitions
        self.rows: dict[ResourceKey, ChangeEvent] = {}
        self._epochs: dict[tuple[str, int], Epoch] = {}

    def fold(self, records: Iterable[tuple[int, ChangeEvent]]) -> Folded:
        """Fold (partition, event) pairs in order."""
        for partition, event in records:
            slot = event.kind, partition
            row = self.rows.get(event.key) if event.op not in MARKERS else None
            action, self._epochs[slot] = fold(event, _head(row), self._epochs.get(slot))
            if event.op not in MARKERS and action is not Action.STALE:
                assert partition == partition_of(event.key, self._partitions)
            if action is Action.PUT:
                self.rows[event.key] = event
            elif action is Action.REMOVE:
                del self.rows[event.key]
            elif action is Action.SWEEP:
                self._sweep(event.kind, partition, event.epoch)
        return self

    def uids(self, kind: str) -> set[str]:
        """Uids of the rows of a kind."""
        return {row.uid for key, row in self.rows.items() if key.kind == kind}

    def _sweep(self, kind: str, partition: int, epoch: int) -> None:
        for key, row in list(self.rows.items()):
            if key.kind == kind and partition_of(key, self._partitions) == partition and row.epoch < epoch:
                del self.rows[key]


def _head(row: ChangeEvent | None) -> Head | None:
    if row is None:
        return None
    return Head(uid=row.uid, resource_version=row.resource_version, epoch=row.epoch, digest=b"", partition=0)
