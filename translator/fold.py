"""The fold: what one event changes, given the stored resource and the newest snapshot epoch (pure).

Rules, each for one kind in one partition:
- an event of an older epoch comes from a leader that was replaced: dropped;
- `snapshot_begin` of a newer epoch opens a listing; its `snapshot_end` sweeps what the listing did not show.
  An end whose begin was not seen, or whose listing may have holes, sweeps nothing: the next snapshot heals;
- within one epoch revisions rise: what is not above the stored revision, or would bring back an object that
  is gone although the stream has passed its revision, is a repetition: dropped;
- a delete of another uid than the stored one is late: dropped. A uid never comes back, so any other holds.
"""

from __future__ import annotations

from enum import Enum

import msgspec

from schemas.events import MARKERS, ChangeEvent, Op
from translator.resource import Head

_MAX_DIGITS = 18
"""What fits into 64 bits; etcd's revisions do."""


class Action(Enum):
    """What becomes of the resource, or of all of the kind (SWEEP: remove what is older than the epoch)."""

    PUT = "put"
    REMOVE = "remove"
    SWEEP = "sweep"
    BEGIN = "begin"
    STALE = "stale epoch"
    REPEATED = "repeated"
    LATE = "late delete"
    UNKNOWN = "unknown object"
    INCOMPLETE = "incomplete snapshot"


APPLIED = frozenset({Action.PUT, Action.REMOVE, Action.SWEEP, Action.BEGIN})
"""Actions that change something; the others name why an event was dropped."""


class Epoch(msgspec.Struct, frozen=True, gc=False):
    """Newest snapshot epoch of a kind in a partition.

    `listing` is true from a snapshot's begin to its end, as long as no record can be missing between them;
    `revision` is the highest resource version streamed in the epoch, 0 if none. `listed_at` is when the watcher began
    the listing, in microseconds since the Unix epoch; 0 if it was not folded whole, or nobody told.
    """

    epoch: int
    listing: bool = False
    revision: int = 0
    listed_at: int = 0


def fold(event: ChangeEvent, current: Head | None, known: Epoch | None) -> tuple[Action, Epoch]:
    """What the event does to the resource, and the kind's epoch after it."""
    epoch = known if known is not None and known.epoch >= event.epoch else Epoch(event.epoch)
    if event.epoch < epoch.epoch:
        return Action.STALE, epoch
    if event.op in MARKERS:
        return _fold_marker(event, known, epoch)
    if event.op is Op.DELETE:
        return _fold_delete(event, current), _streamed(epoch, event)
    if _is_repeated(event, current, epoch):
        return Action.REPEATED, epoch
    return Action.PUT, _streamed(epoch, event) if event.op is Op.UPSERT else epoch


def after_gap(epoch: Epoch) -> Epoch:
    """The same epoch when records of the partition were lost: its listing can no longer be trusted."""
    return msgspec.structs.replace(epoch, listing=False, listed_at=0) if epoch.listing else epoch


def revision_of(resource_version: str) -> int:
    """Revision as a number; 0 where the API's text is none, and then nothing is compared.

    Versions of one kind on one server are comparable, as Kubernetes promises since 1.35 and etcd always did.
    """
    is_number = resource_version.isascii() and resource_version.isdigit() and len(resource_version) <= _MAX_DIGITS
    return int(resource_version) if is_number else 0


def _fold_marker(event: ChangeEvent, known: Epoch | None, epoch: Epoch) -> tuple[Action, Epoch]:
    if event.op is Op.SNAPSHOT_BEGIN:
        if known is not None and known.epoch >= event.epoch:
            return Action.REPEATED, epoch
        return Action.BEGIN, Epoch(event.epoch, listing=True, listed_at=event.source.observed_at)
    if not epoch.listing:
        return Action.INCOMPLETE, epoch
    return Action.SWEEP, msgspec.structs.replace(epoch, listing=False)


def _fold_delete(event: ChangeEvent, current: Head | None) -> Action:
    if current is None:
        return Action.UNKNOWN
    return Action.REMOVE if current.uid == event.uid else Action.LATE


def _is_repeated(event: ChangeEvent, current: Head | None, epoch: Epoch) -> bool:
    revision = revision_of(event.resource_version)
    if not revision:
        return False
    if current is not None and current.epoch == event.epoch:
        return revision <= revision_of(current.resource_version)
    return current is None and not epoch.listing and revision < epoch.revision


def _streamed(epoch: Epoch, event: ChangeEvent) -> Epoch:
    revision = revision_of(event.resource_version)
    if revision <= epoch.revision:
        return epoch
    return Epoch(epoch.epoch, epoch.listing, revision, epoch.listed_at)
