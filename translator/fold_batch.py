"""The fold over a whole batch: many events in, the last state of each touched resource out (pure).

What a resource was between two events of one batch never reaches the translation: created and deleted within
a batch is nothing at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import msgspec

from translator.fold import Action, Epoch, after_gap, fold
from translator.intake import Arrival, Batch
from translator.resource import Cause, Head, Key, Position, Resource, digest_of
from translator.store import EpochKey, ResourceChanges, Seen, Sweep


class Changed(msgspec.Struct, frozen=True, gc=False):
    """A resource whose translation may differ now: as it is (None: gone), what made it so, whether it is new.

    `is_successor`: one of the same name and another uid was there before, so nothing of that one is its own.
    """

    resource: Resource | None
    cause: Cause
    is_new: bool = False
    is_successor: bool = False


class Folded(msgspec.Struct, frozen=True, gc=False):
    """Result of the fold: rows to write, resources to translate, epochs with the offset that set them, tallies.

    `well_told` is the last record of each resource that could be read, its deletion included, also that of one that the
    store never had.
    """

    rows: ResourceChanges
    well_told: dict[Key, Position]
    changed: dict[Key, Changed]
    epochs: dict[EpochKey, tuple[Epoch, int]]
    tally: Counter[Action]


def keys_of(batch: Batch) -> set[Key]:
    """Resources that the batch tells of."""
    return {arrival.key for part in batch.slices for arrival in part.arrivals if arrival.event.name}


def sweeps_of(batch: Batch) -> list[Sweep]:
    """Snapshot ends of the batch: what they would remove must be loaded before the fold."""
    return [
        Sweep(arrival.event.kind, arrival.position.partition, arrival.event.epoch)
        for part in batch.slices
        for arrival in part.arrivals
        if arrival.event.op == "snapshot_end"
    ]


def fold_batch(
    batch: Batch, heads: Mapping[Key, Head], older: Mapping[Key, Head], epochs: Mapping[EpochKey, Epoch]
) -> Folded:
    """Fold the batch over the stored `heads` and `epochs`; `older` is what its sweeps may remove."""
    work = _Fold(heads, older, epochs)
    for part in batch.slices:
        if part.gap:
            work.distrust(part.partition, part.expected)
        for arrival in part.arrivals:
            work.take(arrival)
    return work.result()


class _Fold:
    """Accumulates one batch; `now` overlays what was stored, None for what is gone."""

    def __init__(self, heads: Mapping[Key, Head], older: Mapping[Key, Head], epochs: Mapping[EpochKey, Epoch]) -> None:
        self._before: dict[Key, Head] = {**older, **heads}
        self._now: dict[Key, Head | None] = {**older, **heads}
        self._last: dict[Key, Arrival] = {}
        self._good: dict[Key, Arrival] = {}
        self._told: dict[Key, Position] = {}
        self._epochs = dict(epochs)
        self._moved: dict[EpochKey, tuple[Epoch, int]] = {}
        self._tally: Counter[Action] = Counter()

    def distrust(self, partition: int, offset: int) -> None:
        """Records of the partition were lost: no open listing is complete."""
        for key, epoch in list(self._epochs.items()):
            if key[1] == partition and epoch.listing:
                self._set_epoch(key, after_gap(epoch), offset)

    def take(self, arrival: Arrival) -> None:
        """Fold one event."""
        event, key = arrival.event, arrival.key
        place = (event.kind, arrival.position.partition)
        action, epoch = fold(event, self._now.get(key), self._epochs.get(place))
        self._tally[action] += 1
        if epoch is not self._epochs.get(place):
            self._set_epoch(place, epoch, arrival.position.offset)
        if action is Action.PUT:
            self._put(arrival, place[1])
        elif action is Action.REMOVE:
            self._remove(key, arrival)
        elif action is Action.UNKNOWN:
            self._told[key] = arrival.position
        elif action is Action.SWEEP:
            self._sweep(place, epoch.epoch, arrival)

    def result(self) -> Folded:
        """What the batch comes to."""
        folded = Folded(ResourceChanges([], [], [], []), self._told, {}, self._moved, self._tally)
        for key, arrival in self._last.items():
            before = self._before.get(key)
            if self._now[key] is not None:
                self._keep(folded, key, before, arrival)
            elif before is not None:
                folded.rows.removed.append(key)
                folded.changed[key] = Changed(None, _cause(arrival))
        return folded

    def _keep(self, folded: Folded, key: Key, before: Head | None, last: Arrival) -> None:
        """A resource that is there: as its last well-formed body says, told of by its last record."""
        good = self._good.get(key)
        if good is None:
            folded.rows.seen.append(_seen(key, last))
            return
        resource = _resource(good, last)
        if before is not None and before.uid == resource.uid and before.digest == resource.digest:
            folded.rows.seen.append(_seen(key, last))
            return
        (folded.rows.created if before is None else folded.rows.replaced).append(resource)
        is_successor = before is not None and before.uid != resource.uid
        folded.changed[key] = Changed(resource, _cause(good), is_new=before is None, is_successor=is_successor)

    def _put(self, arrival: Arrival, partition: int) -> None:
        event, key = arrival.event, arrival.key
        current = self._now.get(key)
        if arrival.malformed and (current is None or current.uid != event.uid):
            # Nothing is known of this object that could stay; its predecessor of the same name is gone.
            self._remove(key, arrival)
            return
        if current is not None and current.uid != event.uid:
            self._good.pop(key, None)
        if not arrival.malformed:
            self._good[key] = arrival
            self._told[key] = arrival.position
        # The digest is computed once per resource, at the end; the fold never looks at it.
        self._now[key] = Head(event.uid, event.resource_version, event.epoch, b"", partition)
        self._last[key] = arrival

    def _remove(self, key: Key, arrival: Arrival) -> None:
        self._now[key] = None
        self._last[key] = arrival
        self._good.pop(key, None)
        if not arrival.malformed:  # else a successor takes the name, and its own letter is as open as any
            self._told[key] = arrival.position

    def _set_epoch(self, place: EpochKey, epoch: Epoch, offset: int) -> None:
        self._epochs[place] = epoch
        self._moved[place] = (epoch, offset)

    def _sweep(self, place: EpochKey, epoch: int, arrival: Arrival) -> None:
        kind, partition = place
        prefix = f"{kind}/"
        for key, head in self._now.items():
            if head is not None and head.partition == partition and head.epoch < epoch and key.startswith(prefix):
                self._remove(key, arrival)


def _cause(arrival: Arrival) -> Cause:
    return Cause(arrival.position, arrival.event.event_id)


def _seen(key: Key, arrival: Arrival) -> Seen:
    event = arrival.event
    return Seen(key, event.resource_version, event.epoch, _cause(arrival), event.source.observed_at)


def _resource(good: Arrival, last: Arrival) -> Resource:
    """Body and identity from one record, version and place from the last that told of the same object."""
    event = good.event
    assert event.body is not None
    return Resource(
        kind=event.kind,
        namespace=event.namespace,
        name=event.name,
        api_version=event.api_version,
        uid=event.uid,
        resource_version=last.event.resource_version,
        epoch=last.event.epoch,
        body=event.body,
        text=good.text,
        digest=digest_of(good.text),
        cause=_cause(last),
        observed_at=last.event.source.observed_at,
    )
