"""A synthetic log of a busy cluster, the same for the same arguments: namespaces, nodes, and lives of pods.

Every kind begins with a snapshot (empty for pods). A pod's life is six events: created, scheduled, running with an
address, ready, ending, deleted; many lives overlap. Records are encoded as the watchers encode them.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterable, Iterator

import msgspec

from schemas.bus.port import Record
from schemas.codec import encode
from schemas.events import ChangeEvent, Op, Source, change, marker
from schemas.identity import ResourceKey, partition_of
from schemas.records import ContainerPort, NamespaceRecord, NodeAddress, NodeRecord, OwnerReference, PodRecord
from schemas.records import Record as Body

CLUSTER = "k8s"
TOPIC = "k8s.changes.k8s"
Placed = tuple[int, ChangeEvent]
"""An event and its partition."""
_SOURCE = Source(cluster=CLUSTER, cluster_uid="0" * 36, watcher="benchmark", version="1", observed_at=1)


def records(*, pods: int, namespaces: int = 50, nodes: int = 100, partitions: int = 4, seed: int = 1) -> list[Record]:
    """The log as records, in order of publication; offsets rise inside each partition."""
    events = lives(pods=pods, namespaces=namespaces, nodes=nodes, partitions=partitions, chance=random.Random(seed))
    return as_records(events, partitions)


def as_records(events: Iterable[Placed], partitions: int) -> list[Record]:
    """Events of a log as its records, with revisions that rise."""
    offsets = [0] * partitions
    log = []
    for revision, (partition, event) in enumerate(events, 1):
        told = _at(event, revision) if event.name else event
        log.append(Record(TOPIC, partition, offsets[partition], str(event.key).encode(), encode(told)))
        offsets[partition] += 1
    return log


def snapshot(kind: str, events: Iterable[ChangeEvent], partitions: int) -> Iterator[Placed]:
    """A listing of a kind, with its beginning and end in every partition."""
    for op in (Op.SNAPSHOT_BEGIN, Op.SNAPSHOT_END):
        for partition in range(partitions):
            yield partition, marker(op=op, epoch=1, kind=kind, partition=partition, source=_SOURCE)
        for event in events if op is Op.SNAPSHOT_BEGIN else ():
            yield partition_of(event.key, partitions), event


def lives(
    *, pods: int, namespaces: int, nodes: int, partitions: int, chance: random.Random, apps: int = 40
) -> Iterator[Placed]:
    """Namespaces and nodes, then all that happens to the pods, with the partition of each."""
    yield from snapshot("Namespace", [_namespace(i) for i in range(namespaces)], partitions)
    yield from snapshot("Node", [_node(i) for i in range(nodes)], partitions)
    yield from snapshot("Pod", [], partitions)
    going: list[Iterator[ChangeEvent]] = []
    waiting = iter(range(pods))
    while True:
        while len(going) < 2000 and (number := next(waiting, None)) is not None:
            going.append(_life(number, namespaces, nodes, apps, chance))
        if not going:
            return
        place = chance.randrange(len(going))
        event = next(going[place], None)
        if event is None:
            going[place] = going[-1]
            going.pop()
            continue
        yield partition_of(event.key, partitions), event


def _at(event: ChangeEvent, revision: int) -> ChangeEvent:
    return msgspec.structs.replace(event, resource_version=str(revision))


def happened(op: Op, key: ResourceKey, body: Body | None) -> ChangeEvent:
    """An event; the uid follows from the key."""
    uid = str(uuid.uuid5(uuid.NAMESPACE_OID, str(key)))
    return change(op=op, epoch=1, key=key, uid=uid, resource_version="0", source=_SOURCE, body=body)


def _namespace(number: int) -> ChangeEvent:
    name = f"team-{number}"
    body = NamespaceRecord(labels={"kubernetes.io/metadata.name": name, "team": str(number)})
    return happened(Op.READ, ResourceKey("Namespace", "", name), body)


def _node(number: int) -> ChangeEvent:
    name = f"worker-{number}"
    addresses = (
        NodeAddress("InternalIP", f"192.168.{number // 250}.{number % 250 + 1}"),
        NodeAddress("Hostname", name),
    )
    body = NodeRecord(labels={"kubernetes.io/hostname": name, "zone": f"z{number % 3}"}, addresses=addresses)
    return happened(Op.READ, ResourceKey("Node", "", name), body)


def _life(number: int, namespaces: int, nodes: int, apps: int, chance: random.Random) -> Iterator[ChangeEvent]:
    app, node = f"app-{number % apps}", f"worker-{chance.randrange(nodes)}"
    name = f"{app}-{number:07x}-{chance.randrange(1 << 20):05x}"
    key = ResourceKey("Pod", f"team-{chance.randrange(namespaces)}", name)
    created = PodRecord(
        labels={"app": app, "pod-template-hash": f"{number % apps:010x}", "tier": "backend"},
        annotations={"k8s.v1.cni.cncf.io/networks": ""},
        owners=(
            OwnerReference(
                api_version="apps/v1",
                kind="ReplicaSet",
                name=f"{app}-5d9c",
                uid=str(uuid.uuid5(uuid.NAMESPACE_OID, app)),
                controller=True,
            ),
        ),
        phase="Pending",
        ports=(ContainerPort(port=8080, name="http"), ContainerPort(port=9090, name="metrics")),
    )
    scheduled = msgspec.structs.replace(created, node_name=node)
    running = msgspec.structs.replace(
        scheduled, phase="Running", host_ips=("192.168.0.1",), pod_ips=(f"10.32.{number // 250 % 250}.{number % 250}",)
    )
    ready = msgspec.structs.replace(running, ready=True)
    for body in (created, scheduled, running, ready, msgspec.structs.replace(ready, deleting=True)):
        yield happened(Op.UPSERT, key, body)
    yield happened(Op.DELETE, key, None)
