"""Namespace (v1): raw JSON to NamespaceRecord (pure)."""

from __future__ import annotations

import msgspec

from schemas.records import NamespaceRecord
from watchers.kinds.annotations import kept
from watchers.kinds.kind import Kind, Metadata


class NamespaceStatus(msgspec.Struct, gc=False):
    """`status`: Active or Terminating."""

    phase: str = ""


class NamespaceInput(msgspec.Struct, gc=False):
    """What is read of a Namespace."""

    metadata: Metadata
    status: NamespaceStatus | None = None


def normalize(raw: NamespaceInput) -> NamespaceRecord:
    """The record of one Namespace."""
    terminating = raw.status is not None and raw.status.phase == "Terminating"
    return NamespaceRecord(
        labels=raw.metadata.labels or {},
        annotations=kept(raw.metadata.annotations),
        deleting=terminating or raw.metadata.deletion_timestamp is not None,
    )


KIND = Kind("Namespace", "namespaces", NamespaceInput, normalize, namespaced=False, never_empty=True)
