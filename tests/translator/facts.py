"""Events and records as a watcher would publish them, in few words: the vocabulary of the translator's tests."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence

from schemas.bus.port import Record
from schemas.codec import encode
from schemas.events import ChangeEvent, Op, Source, change, marker
from schemas.identity import ResourceKey, partition_of
from schemas.records import (
    NamespaceRecord,
    NetworkAttachmentDefinitionRecord,
    NodeAddress,
    NodeRecord,
    OwnerReference,
    PodRecord,
    ServiceRecord,
    SettingsRecord,
    WorkloadRecord,
)
from schemas.records import Record as Body

CLUSTER = "k8s"
TOPIC = "k8s.changes.k8s"
PARTITIONS = 4
SOURCE = Source(cluster=CLUSTER, cluster_uid="c1", watcher="w1", version="0", observed_at=1_700_000_000_000_000)
SETTINGS = SettingsRecord(
    cluster=CLUSTER,
    owner="k8s",
    domain="default-domain",
    pod_subnets=("10.32.0.0/12",),
    service_subnets=("10.96.0.0/12",),
    ip_fabric_subnets=("10.64.0.0/12",),
)

OURS = '{"cniVersion": "0.3.1", "type": "contrail-k8s-cni"}'
"""Configuration of an attachment that our plugin serves."""


def uid(name: str) -> str:
    """A uid that follows from a name."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, name))


def event(
    op: Op, kind: str, namespace: str, name: str, version: int, body: Body | None, *, epoch: int = 1, of: str = ""
) -> ChangeEvent:
    """One event; `of` names the uid, default the object's own name."""
    return change(
        op=op,
        epoch=epoch,
        key=ResourceKey(kind, namespace, name),
        uid=uid(of or f"{kind}/{namespace}/{name}"),
        resource_version=str(version),
        source=SOURCE,
        body=body,
    )


def pod(
    name: str,
    version: int = 1,
    *,
    namespace: str = "shop",
    node: str = "n1",
    op: Op = Op.UPSERT,
    epoch: int = 1,
    of: str = "",
    **fields: object,
) -> ChangeEvent:
    """A pod event; other keywords are fields of the record."""
    body = None if op is Op.DELETE else PodRecord(node_name=node, **fields)  # type: ignore[arg-type]
    return event(op, "Pod", namespace, name, version, body, epoch=epoch, of=of)


def gone(name: str, version: int = 2, *, namespace: str = "shop", epoch: int = 1, of: str = "") -> ChangeEvent:
    """A pod's delete."""
    return pod(name, version, namespace=namespace, op=Op.DELETE, epoch=epoch, of=of)


def namespace(
    name: str = "shop",
    version: int = 1,
    *,
    op: Op = Op.UPSERT,
    epoch: int = 1,
    of: str = "",
    labels: dict[str, str] | None = None,
    **annotations: str,
) -> ChangeEvent:
    """A namespace event; other keywords are annotations of ours: isolation="true", network="…"."""
    held = {f"opencontrail.org/{key.replace('__', '-')}": value for key, value in annotations.items()}
    every = {"kubernetes.io/metadata.name": name, **(labels or {})}
    body = None if op is Op.DELETE else NamespaceRecord(labels=every, annotations=held)
    return event(op, "Namespace", "", name, version, body, epoch=epoch, of=of)


def attachment(name: str = "blue", *, namespace: str = "shop", config: str = OURS, **annotations: str) -> ChangeEvent:
    """An attachment's event; other keywords are annotations of ours: cidr="10.1.0.0/24"."""
    held = {f"opencontrail.org/{key.replace('__', '-')}": value for key, value in annotations.items()}
    body = NetworkAttachmentDefinitionRecord(annotations=held, config=config)
    return event(Op.UPSERT, "NetworkAttachmentDefinition", namespace, name, 1, body)


def workload(kind: str, name: str, app: str | None = None, *owners: OwnerReference, of: str = "") -> ChangeEvent:
    """A controller's event in namespace shop; `app` is its label."""
    body = WorkloadRecord(labels={} if app is None else {"opencontrail.org/name": app}, owners=owners)
    return event(Op.UPSERT, kind, "shop", name, 1, body, of=of)


def controlled(by: ChangeEvent) -> OwnerReference:
    """The owner reference of what this resource controls."""
    return OwnerReference(api_version=by.api_version, kind=by.kind, name=by.name, uid=by.uid, controller=True)


def service(name: str, version: int = 1, *, namespace: str = "shop", of: str = "", **fields: object) -> ChangeEvent:
    """A service event; other keywords are fields of the record."""
    return event(Op.UPSERT, "Service", namespace, name, version, ServiceRecord(**fields), of=of)  # type: ignore[arg-type]


def node(
    name: str = "n1", version: int = 1, *, address: str = "192.168.0.1", op: Op = Op.UPSERT, epoch: int = 1
) -> ChangeEvent:
    """A node event."""
    body = None if op is Op.DELETE else NodeRecord(addresses=(NodeAddress("InternalIP", address),))
    return event(op, "Node", "", name, version, body, epoch=epoch)


def begin(kind: str, epoch: int, partition: int = 0) -> ChangeEvent:
    """A snapshot's begin."""
    return marker(op=Op.SNAPSHOT_BEGIN, epoch=epoch, kind=kind, partition=partition, source=SOURCE)


def end(kind: str, epoch: int, partition: int = 0) -> ChangeEvent:
    """A snapshot's end."""
    return marker(op=Op.SNAPSHOT_END, epoch=epoch, kind=kind, partition=partition, source=SOURCE)


def owned_by(kind: str) -> OwnerReference:
    """An owner of that kind."""
    return OwnerReference(api_version="v1", kind=kind, name="owner", uid=uid("owner"), controller=True)


def record(value: bytes | None, partition: int, offset: int, key: bytes | None = None) -> Record:
    """A record of the topic."""
    return Record(TOPIC, partition, offset, key, value)


class Publisher:
    """Gives events their partitions and offsets, as the watchers and the bus do."""

    def __init__(self, partitions: int = PARTITIONS) -> None:
        self.offsets = [0] * partitions

    def record(self, event: ChangeEvent, partition: int | None = None) -> Record:
        """The event as the next record of its partition."""
        number = partition_of(event.key, len(self.offsets)) if partition is None else partition
        return self.raw(encode(event), number, str(event.key).encode())

    def raw(self, value: bytes | None, partition: int, key: bytes | None = None) -> Record:
        """Any bytes as the next record of a partition."""
        self.offsets[partition] += 1
        return record(value, partition, self.offsets[partition] - 1, key)

    def records(self, events: Iterable[ChangeEvent]) -> list[Record]:
        """Events as records; a marker goes to every partition."""
        return [each for event in events for each in self._all(event)]

    def _all(self, event: ChangeEvent) -> Sequence[Record]:
        if event.name:
            return [self.record(event)]
        return [self.record(event, partition) for partition in range(len(self.offsets))]
