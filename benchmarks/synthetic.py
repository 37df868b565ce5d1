"""A synthetic log of a busy cluster, the same for the same arguments: namespaces, nodes, and lives of pods.

Every kind begins with a snapshot (empty for pods). A pod's life is six events: created, scheduled, running with an
address, ready, ending, deleted; many lives overlap. Records are encoded as the watchers encode them.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator

import msgspec

from schemas.bus.port import Record
from schemas.codec import encode
from schemas.events import ChangeEvent, Op, Source, change, marker
from schemas.identity import ResourceKey, partition_of
from schemas.records import ContainerPort, NamespaceRecord, NodeAddress, NodeRecord, OwnerReference, PodRecord

CLUSTER = "k8s"
TOPIC = "k8s.changes.k8s"
_SOURCE = Source(cluster=CLUSTER, cluster_uid="0" * 36, watcher="benchmark", version="1", observed_at=1)


def records(*, pods: int, namespaces: int = 50, nodes: int = 100, partitions: int = 4, seed: int = 1) -> list[Record]:
    """The log as records, in order of publication; offsets rise inside each partition."""
    offsets = [0] * partitions
    log = []
    for partition, event in _events(pods, namespaces, nodes, partitions, random.Random(seed)):
        key = str(event.key).encode()
        log.append(Record(TOPIC, partition, offsets[partition], key, encode(event)))
        offsets[partition] += 1
    return log


def _events(
    pods: int, namespaces: int, nodes: int, partitions: int, chance: random.Random
) -> Iterator[tuple[int, ChangeEvent]]:
    revision = 0
    for kind, events in (
        ("Namespace", [_namespace(i) for i in range(namespaces)]),
        ("Node", [_node(i) for i in range(nodes)]),
        ("Pod", []),
    ):
        for op in (Op.SNAPSHOT_BEGIN, Op.SNAPSHOT_END):
            if op is Op.SNAPSHOT_END:
                for event in events:
                    revision += 1
                    yield partition_of(event.key, partitions), _at(event, revision)
            for partition in range(partitions):
                yield partition, marker(op=op, epoch=1, kind=kind, partition=partition, source=_SOURCE)
    lives: list[Iterator[ChangeEvent]] = []
    waiting = iter(range(pods))
    while True:
        while len(lives) < 2000 and (number := next(waiting, None)) is not None:
            lives.append(_life(number, namespaces, nodes, chance))
        if not lives:
            return
        place = chance.randrange(len(lives))
        event = next(lives[place], None)
        if event is None:
            lives[place] = lives[-1]
            lives.pop()
            continue
        revision += 1
        yield partition_of(event.key, partitions), _at(event, revision)


def _at(event: ChangeEvent, revision: int) -> ChangeEvent:
    return msgspec.structs.replace(event, resource_version=str(revision))


def _event(op: Op, key: ResourceKey, body: NamespaceRecord | NodeRecord | PodRecord | None) -> ChangeEvent:
    uid = str(uuid.uuid5(uuid.NAMESPACE_OID, str(key)))
    return change(op=op, epoch=1, key=key, uid=uid, resource_version="0", source=_SOURCE, body=body)


def _namespace(number: int) -> ChangeEvent:
    name = f"team-{number}"
    body = NamespaceRecord(labels={"kubernetes.io/metadata.name": name, "team": str(number)})
    return _event(Op.READ, ResourceKey("Namespace", "", name), body)


def _node(number: int) -> ChangeEvent:
    name = f"worker-{number}"
    addresses = (
        NodeAddress("InternalIP", f"192.168.{number // 250}.{number % 250 + 1}"),
        NodeAddress("Hostname", name),
    )
    body = NodeRecord(labels={"kubernetes.io/hostname": name, "zone": f"z{number % 3}"}, addresses=addresses)
    return _event(Op.READ, ResourceKey("Node", "", name), body)


def _life(number: int, namespaces: int, nodes: int, chance: random.Random) -> Iterator[ChangeEvent]:
    app, node = f"app-{number % 40}", f"worker-{chance.randrange(nodes)}"
    name = f"{app}-{number:07x}-{chance.randrange(1 << 20):05x}"
    key = ResourceKey("Pod", f"team-{chance.randrange(namespaces)}", name)
    created = PodRecord(
        labels={"app": app, "pod-template-hash": f"{number % 40:010x}", "tier": "backend"},
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
        yield _event(Op.UPSERT, key, body)
    yield _event(Op.DELETE, key, None)
