"""Undecodable records and malformed objects, through whole processes: dead letters, and unharmed neighbours."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from schemas.bus.log import LogProducer
from schemas.codec import encode
from schemas.events import Op, Source, change, marker
from schemas.identity import ResourceKey, partition_of
from schemas.records import NamespaceRecord, PodRecord
from tests.integration.history import PARTITIONS, TOPIC
from tests.integration.troubled import NAME, begin, expect_end, kubeconfig
from tests.rigs.services import services
from tests.watchers.fake_cluster import FakeCluster
from tests.watchers.objects import namespace, pod

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

WEB, API, LATE, ODD = (f"0c2b5d0e-5a3b-4a25-8f61-2f6a1c1a000{number}" for number in (1, 2, 3, 4))


class Facts:
    """Writes records into a log, good ones and others, all about one namespace; `last` is the offset of the last."""

    def __init__(self, directory: Path) -> None:
        self._producer = LogProducer(directory, TOPIC, PARTITIONS)
        self.partition = partition_of(ResourceKey("Pod", "shop", "x"), PARTITIONS)
        self.last = -1
        self._version = 0
        self._source = Source(cluster="k8s", watcher="tests")

    def begin(self) -> None:
        """Snapshots of what pods need."""
        for kind in ("Namespace", "Node", "Pod"):
            for op in (Op.SNAPSHOT_BEGIN, Op.SNAPSHOT_END):
                for partition in range(PARTITIONS):
                    event = marker(op=op, epoch=1, kind=kind, partition=partition, source=self._source)
                    self._put(partition, str(event.key).encode(), encode(event))
        key = ResourceKey("Namespace", "", "shop")
        event = self._change(key, "shop-uid", NamespaceRecord())
        self._put(partition_of(key, PARTITIONS), str(key).encode(), encode(event))

    def pod(self, name: str, uid: str, **fields: Any) -> bytes:
        """A pod's record; returns its bytes."""
        key = ResourceKey("Pod", "shop", name)
        value = encode(self._change(key, uid, PodRecord(phase="Pending", **fields)))
        self.raw(name, value)
        return value

    def raw(self, name: str, value: bytes | None) -> None:
        """Bytes where a record should be."""
        self._put(self.partition, f"Pod/shop/{name}".encode(), value)

    def flush(self) -> None:
        """Let readers see it."""
        self._producer.flush(10)

    def close(self) -> None:
        """Close the log."""
        self._producer.close()

    def _change(self, key: ResourceKey, uid: str, body: NamespaceRecord | PodRecord) -> Any:
        self._version += 1
        version = str(self._version)
        return change(op=Op.UPSERT, epoch=1, key=key, uid=uid, resource_version=version, source=self._source, body=body)

    def _put(self, partition: int, key: bytes, value: bytes | None) -> None:
        self._producer.publish(partition, key, value)
        if partition == self.partition:
            self.last += 1


@pytest.mark.postgres
def test_undecodable_records_and_malformed_pods_go_to_dead_letters_between_their_neighbours(
    database_url: str, store_engine: Engine, tmp_path: Path
) -> None:
    facts = Facts(tmp_path / "log")
    facts.begin()
    good = facts.pod("web-0", WEB)
    expected: list[tuple[str, int, str, str]] = []

    def bad(name: str, value: bytes | None, reason: str) -> None:
        facts.raw(name, value)
        expected.append(("decode", facts.last, f"Pod/shop/{name}", reason))

    def malformed(name: str, uid: str, reason: str, **fields: Any) -> None:
        facts.pod(name, uid, **fields)
        expected.append(("fold", facts.last, f"Pod/shop/{name}", reason))

    bad("tombstone", None, "a tombstone")
    bad("garbage", b"\x00\xff not ours", "does not begin with the Avro single-object marker")
    facts.pod("api-0", API)
    bad("cut", good[:-7], "cut short")
    bad("schema", good[:2] + bytes(8) + good[10:], "fingerprint")
    bad("kind", good.replace(b"Pod", b"Pox"), "unknown kind='Pox'")
    malformed("odd-0", "not-a-uuid", "Pod shop/odd-0: metadata.uid is 'not-a-uuid'")
    malformed("web-0", WEB, "Pod shop/web-0: spec.nodeName is 'Node One!'", node_name="Node One!")
    facts.pod("late-0", LATE)
    facts.flush()
    environment = {f"{NAME}DATABASE_URL": database_url, f"{NAME}BUS_DIRECTORY": str(tmp_path / "log")}
    with contextlib.closing(facts), services(tmp_path) as running:
        service = running.start("translator", environment)
        running.wait("all pods are translated", lambda: machines(store_engine) == {WEB, API, LATE})
        found = letters(store_engine, "resolved_at IS NULL")
        assert [letter[:3] for letter in found] == [letter[:3] for letter in expected]
        for letter, (*_, reason) in zip(found, expected, strict=True):
            assert reason in letter[3], (letter, reason)
        facts.pod("web-0", WEB, labels={"mended": "yes"})
        facts.pod("odd-0", ODD)
        facts.flush()
        running.wait("resolved", lambda: len(letters(store_engine, "resolved_at IS NOT NULL")) == 2)
        assert {letter[0] for letter in letters(store_engine, "resolved_at IS NULL")} == {"decode"}
        assert machines(store_engine) == {WEB, API, LATE, ODD}
        assert service.terminate() == 0


def machines(store: Engine) -> set[str]:
    """Virtual-machines that shall be there."""
    with store.connect() as connection:
        rows = connection.execute(
            text("SELECT uuid::text FROM desired_object WHERE type = 'virtual-machine' AND NOT absent")
        )
        return {row.uuid for row in rows}


def letters(store: Engine, condition: str) -> list[tuple[str, int, str, str]]:
    """Dead letters in order of their position: stage, offset, resource, reason."""
    with store.connect() as connection:
        rows = connection.execute(
            text(f"SELECT stage, at_offset, resource, error FROM dead_letter WHERE {condition} ORDER BY at_offset")
        )
        return [(row.stage, row.at_offset, row.resource, row.error) for row in rows]


def test_a_malformed_pod_is_named_by_the_watchers_and_mended_by_its_next_version(tmp_path: Path) -> None:
    broken = pod("broken-0", uid=API)
    broken["metadata"]["labels"] = ["a", "list"]
    with FakeCluster() as cluster, services(tmp_path) as running:
        cluster.put(namespace(), "namespaces")
        cluster.put(pod(uid=WEB))
        environment = {
            f"{NAME}WATCHERS_KUBECONFIG": kubeconfig(tmp_path / "kubeconfig", cluster.api.url),
            f"{NAME}WATCHERS_EPOCH_FILE": str(tmp_path / "epochs"),
            f"{NAME}BUS_DIRECTORY": str(tmp_path / "log"),
        }
        words = ("shop/broken-0", "labels")
        watchers = begin(running, "watchers", environment, name="watchers", part="Pod", words=words)
        running.wait("it watches", watchers.is_ready)
        cluster.put(broken)
        running.wait("it explains", watchers.explains)
        cluster.put(pod("broken-0", uid=API))
        running.wait("it is in order again", watchers.is_ready)
        expect_end([watchers])
