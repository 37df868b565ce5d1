"""What owns pods: ReplicationController, ReplicaSet, Deployment, StatefulSet, DaemonSet and Job (pure)."""

from __future__ import annotations

import msgspec

from schemas.records.pod import OwnerReference


class WorkloadRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Our labels (`opencontrail.org/…`, nobody else's) and the owners, sorted by uid: the way up from a pod."""

    labels: dict[str, str] = {}
    owners: tuple[OwnerReference, ...] = ()
