"""A log of a small busy cluster for tests: pods come, are scheduled, go, and come again under the same name."""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from schemas.bus.log import LogProducer
from schemas.codec import encode
from schemas.events import ChangeEvent, Op, Source, change, marker
from schemas.identity import ResourceKey, partition_of
from schemas.records import NamespaceRecord, NodeAddress, NodeRecord, PodRecord, Record

TOPIC = "k8s.changes.k8s"
PARTITIONS = 4
NODES = {f"node-{number}": f"192.0.2.{number + 1}" for number in range(3)}
NAMESPACES = ("shop", "billing", "monitoring")
_SOURCE = Source(cluster="k8s", watcher="tests")


@dataclass(slots=True)
class History:
    """Writes one history into a log directory; `pods` is what is left at its end, namespace/name to uid."""

    producer: LogProducer
    chance: random.Random
    pods: dict[str, str] = field(default_factory=dict)
    revision: int = 0

    def write(self, steps: int) -> None:
        """Snapshots of all kinds, then so many changes to pods."""
        bodies: dict[str, dict[str, Record]] = {
            "Namespace": {name: NamespaceRecord(labels={"team": name}) for name in NAMESPACES},
            "Node": {n: NodeRecord(addresses=(NodeAddress("InternalIP", a),)) for n, a in NODES.items()},
            "Pod": {},
        }
        for kind, named in bodies.items():
            self._mark(Op.SNAPSHOT_BEGIN, kind)
            for name, body in named.items():
                self._say(Op.READ, ResourceKey(kind, "", name), f"{kind}-{name}", body)
            self._mark(Op.SNAPSHOT_END, kind)
        for _ in range(steps):
            self._step()
        self.producer.flush(30)

    def _step(self) -> None:
        if self.pods and self.chance.random() < 0.35:
            name = self.chance.choice(sorted(self.pods))
            self._say(Op.DELETE, self._key(name), self.pods.pop(name), None)
            return
        name = f"{self.chance.choice(NAMESPACES)}/pod-{self.chance.randrange(40)}"
        known = self.pods.get(name)
        uid = known or str(uuid.UUID(int=self.chance.getrandbits(128), version=4))
        self.pods[name] = uid
        node = self.chance.choice(sorted(NODES)) if known else ""
        labels = {"app": name, "version": str(self.chance.randrange(3))}
        # The final step of a pod may leave it unscheduled: it has an address then, and no link.
        self._say(Op.UPSERT, self._key(name), uid, PodRecord(labels=labels, node_name=node, phase="Pending"))

    @staticmethod
    def _key(name: str) -> ResourceKey:
        namespace, _, pod = name.partition("/")
        return ResourceKey("Pod", namespace, pod)

    def _say(self, op: Op, key: ResourceKey, uid: str, body: Record | None) -> None:
        self.revision += 1
        version = str(self.revision)
        event = change(op=op, epoch=1, key=key, uid=uid, resource_version=version, source=_SOURCE, body=body)
        self._put(partition_of(key, PARTITIONS), event)

    def _mark(self, op: Op, kind: str) -> None:
        for partition in range(PARTITIONS):
            self._put(partition, marker(op=op, epoch=1, kind=kind, partition=partition, source=_SOURCE))

    def _put(self, partition: int, event: ChangeEvent) -> None:
        self.producer.publish(partition, str(event.key).encode(), encode(event))


def write_history(directory: Path, *, seed: int, steps: int) -> dict[str, str]:
    """Write a history and close its log; returns the pods at its end."""
    producer = LogProducer(directory, TOPIC, PARTITIONS)
    try:
        history = History(producer, random.Random(seed))
        history.write(steps)
        return history.pods
    finally:
        producer.close()
