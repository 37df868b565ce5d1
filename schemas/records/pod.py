"""Pod (v1) as networking sees it (pure)."""

from __future__ import annotations

import msgspec


class OwnerReference(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of `metadata.ownerReferences`."""

    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool = False


class ContainerPort(msgspec.Struct, frozen=True, kw_only=True):
    """A port that a container declares; `name` is '' where it has none, `protocol` TCP, UDP or SCTP."""

    port: int
    name: str = ""
    protocol: str = "TCP"


class PodRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a pod's interfaces, tags and service membership are made from.

    `node_name` is '' until the pod is scheduled; `phase` is Kubernetes' (Pending, Running, Succeeded, Failed,
    Unknown, or '' where the API has none yet); `ready` is the Ready condition.
    """

    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    owners: tuple[OwnerReference, ...] = ()
    node_name: str = ""
    host_network: bool = False
    phase: str = ""
    ready: bool = False
    host_ips: tuple[str, ...] = ()
    pod_ips: tuple[str, ...] = ()
    ports: tuple[ContainerPort, ...] = ()
    deleting: bool = False
