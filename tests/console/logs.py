"""Small logs as the watchers write them: a snapshot of each kind, then changes."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from pathlib import Path

from schemas.bus.log import LogProducer
from schemas.codec import encode
from schemas.events import ChangeEvent, Op, Source, change, marker
from schemas.identity import ResourceKey, partition_of
from schemas.records import NamespaceRecord, NodeAddress, NodeRecord, PodRecord, Record

CLUSTER = "k8s"
TOPIC = "k8s.changes.k8s"
PARTITIONS = 2
SOURCE = Source(cluster=CLUSTER, cluster_uid="c", watcher="test", version="0", observed_at=1_700_000_000_000_000)
EPOCH = 1
KINDS = ("Namespace", "Node", "Pod")


class Cluster:
    """A cluster that is told to a log: `has` before its first snapshot, `event` after it."""

    def __init__(self, directory: Path) -> None:
        self._producer = LogProducer(directory, TOPIC, PARTITIONS)
        self._version = 0
        for kind in KINDS:
            for partition in range(PARTITIONS):
                self._put(
                    marker(op=Op.SNAPSHOT_BEGIN, epoch=EPOCH, kind=kind, partition=partition, source=SOURCE), partition
                )

    def tell(self, op: Op, key: ResourceKey, body: Record | None) -> None:
        """One event about one object."""
        self._version += 1
        event = change(
            op=op,
            epoch=EPOCH,
            key=key,
            uid=uid_of(key),
            resource_version=str(self._version),
            source=SOURCE,
            body=body,
        )
        self._put(event, partition_of(key, PARTITIONS))

    def listed(self) -> None:
        """End the first snapshots."""
        for kind in KINDS:
            for partition in range(PARTITIONS):
                self._put(
                    marker(op=Op.SNAPSHOT_END, epoch=EPOCH, kind=kind, partition=partition, source=SOURCE), partition
                )

    def garbage(self, value: bytes, partition: int = 0) -> None:
        """A record that is no event."""
        self._producer.publish(partition, b"garbage", value)

    def close(self) -> None:
        """Make it durable."""
        self._producer.flush(30)
        self._producer.close()

    def _put(self, event: ChangeEvent, partition: int) -> None:
        self._producer.publish(partition, str(event.key).encode(), encode(event))


def uid_of(key: ResourceKey) -> str:
    """The uid that a small log gives to an object of this name."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, str(key)))


def small_log(
    directory: Path,
    *,
    pods: int = 5,
    nodes: Iterable[str] = ("node-0", "node-1"),
    unknown_node: bool = False,
    garbage: bool = False,
) -> Path:
    """A log of two namespaces, some nodes and pods spread over them; one more pod comes and goes.

    With `unknown_node` one pod, `shop/stray`, runs on a node that nobody told of.
    """
    cluster = Cluster(directory)
    names = tuple(nodes)
    for i, name in enumerate(names):
        addresses = (NodeAddress("InternalIP", f"192.0.2.{i + 1}"),)
        cluster.tell(Op.READ, ResourceKey("Node", "", name), NodeRecord(addresses=addresses))
    for name in ("shop", "kube-system"):
        cluster.tell(Op.READ, ResourceKey("Namespace", "", name), NamespaceRecord())
    for i in range(pods):
        namespace = "shop" if i % 3 else "kube-system"
        body = PodRecord(node_name=names[i % len(names)], phase="Running", labels={"app": "web"})
        cluster.tell(Op.READ, ResourceKey("Pod", namespace, f"web-{i}"), body)
    cluster.listed()
    passing = ResourceKey("Pod", "shop", "passing")
    cluster.tell(Op.UPSERT, passing, PodRecord(node_name=names[0], phase="Running"))
    cluster.tell(Op.DELETE, passing, None)
    if unknown_node:
        cluster.tell(Op.UPSERT, ResourceKey("Pod", "shop", "stray"), PodRecord(node_name="nowhere", phase="Running"))
    if garbage:
        cluster.garbage(b"\x1b[31mno event")
    cluster.close()
    return directory
