"""The change event: one normalized fact about one Kubernetes object, or a marker of a snapshot (pure)."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from schemas.identity import ResourceKey, event_id, marker_id
from schemas.records import Record


class Op(StrEnum):
    """What an event says; ADDED and MODIFIED of the watch are one `upsert`."""

    UPSERT = "upsert"
    DELETE = "delete"
    READ = "read"
    """Seen while listing: part of the snapshot of its epoch."""
    SNAPSHOT_BEGIN = "snapshot_begin"
    SNAPSHOT_END = "snapshot_end"


MARKERS = frozenset({Op.SNAPSHOT_BEGIN, Op.SNAPSHOT_END})


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Who saw it: cluster name and uid (of namespace kube-system), watcher instance and version, when.

    `observed_at` is microseconds since the Unix epoch, by the watcher's clock.
    """

    cluster: str
    cluster_uid: str = ""
    watcher: str = ""
    version: str = ""
    observed_at: int = 0


class ChangeEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event; `body` is None on deletes and markers, `name`/`uid`/`resource_version` are '' on markers."""

    event_id: str
    op: Op
    epoch: int
    kind: str
    api_version: str = "v1"
    namespace: str = ""
    name: str = ""
    uid: str = ""
    resource_version: str = ""
    body: Record | None = None
    source: Source

    @property
    def key(self) -> ResourceKey:
        """Key of the resource that the event is about (of the kind alone, on markers)."""
        return ResourceKey(self.kind, self.namespace, self.name)


def change(
    *,
    op: Op,
    epoch: int,
    key: ResourceKey,
    uid: str,
    resource_version: str,
    source: Source,
    body: Record | None = None,
    api_version: str = "v1",
) -> ChangeEvent:
    """Event about one object, with its computed id."""
    return ChangeEvent(
        event_id=event_id(source.cluster, uid, resource_version, op),
        op=op,
        epoch=epoch,
        kind=key.kind,
        api_version=api_version,
        namespace=key.namespace,
        name=key.name,
        uid=uid,
        resource_version=resource_version,
        body=body,
        source=source,
    )


def marker(*, op: Op, epoch: int, kind: str, partition: int, source: Source, api_version: str = "v1") -> ChangeEvent:
    """Snapshot marker for one partition, with its computed id."""
    if op not in MARKERS:
        raise ValueError(f"{op} is not a snapshot marker")
    return ChangeEvent(
        event_id=marker_id(source.cluster, kind, epoch, op, partition),
        op=op,
        epoch=epoch,
        kind=kind,
        api_version=api_version,
        source=source,
    )
