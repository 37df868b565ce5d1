"""What owns pods, by metadata alone: raw JSON to WorkloadRecord (pure).

An app's label may stand on the controller, and a pod is led there by owner references. So only our labels are kept:
a rollout that changes other labels, annotations, replicas or status is no change at all.
"""

from __future__ import annotations

import msgspec

from schemas.records import WorkloadRecord
from watchers.kinds.kind import Kind, Metadata

PREFIX = "opencontrail.org/"


class WorkloadInput(msgspec.Struct, gc=False):
    """What is read of a PartialObjectMetadata, or of a whole object."""

    metadata: Metadata


def normalize(raw: WorkloadInput) -> WorkloadRecord:
    """The record of one controller of pods."""
    labels = raw.metadata.labels or {}
    return WorkloadRecord(
        labels={key: value for key, value in labels.items() if key.startswith(PREFIX)},
        owners=raw.metadata.owners(),
    )


def _kind(name: str, resource: str, api_version: str) -> Kind:
    return Kind(name, resource, WorkloadInput, normalize, api_version=api_version, metadata_only=True)


KINDS = (
    _kind("ReplicationController", "replicationcontrollers", "v1"),
    _kind("ReplicaSet", "replicasets", "apps/v1"),
    _kind("Deployment", "deployments", "apps/v1"),
    _kind("StatefulSet", "statefulsets", "apps/v1"),
    _kind("DaemonSet", "daemonsets", "apps/v1"),
    _kind("Job", "jobs", "batch/v1"),
)
