"""The recording that ships with the package holds what the README and the demonstration say of it."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

from schemas.bus.log import LogConsumer
from schemas.codec import decode
from schemas.events import ChangeEvent, Op
from schemas.records import PodRecord
from tests.rigs.recording.__main__ import PARTITIONS, SHIPPED, TOPIC
from tests.watchers.folded import Folded


@cache
def _events() -> tuple[tuple[int, ChangeEvent], ...]:
    consumer = LogConsumer(SHIPPED, TOPIC)
    try:
        for partition in range(PARTITIONS):
            consumer.seek(partition, 0)
        found = []
        while records := consumer.poll(0.0):
            found += [(record.partition, decode(record.value)) for record in records]
        return tuple(found)
    finally:
        consumer.close()


def _pods() -> dict[tuple[str, str], PodRecord]:
    rows = Folded(PARTITIONS).fold(_events()).rows
    return {(key.namespace, key.name): row.body for key, row in rows.items() if isinstance(row.body, PodRecord)}


def test_it_is_small() -> None:
    files = [file for file in Path(SHIPPED).rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < 1_000_000


def test_at_its_end_fifty_pods_run_on_nodes_in_three_namespaces() -> None:
    running = {key: pod for key, pod in _pods().items() if pod.phase == "Running" and not pod.host_network}
    assert len(running) >= 50
    assert all(pod.node_name and pod.ready and not pod.deleting for pod in running.values())
    per_namespace = Counter(namespace for namespace, _ in running)
    assert set(per_namespace) == {"shop", "payments", "data", "monitoring"}
    nodes = {key.name for key in Folded(PARTITIONS).fold(_events()).rows if key.kind == "Node"}
    assert {pod.node_name for pod in running.values()} == nodes


def test_it_has_pods_without_an_interface_and_pods_that_completed() -> None:
    pods = _pods().values()
    assert sum(pod.host_network for pod in pods) == 4
    assert sum(pod.phase == "Succeeded" for pod in pods) == 3


def test_pods_and_a_namespace_are_deleted_in_it() -> None:
    deleted = [event.key for _, event in _events() if event.op is Op.DELETE]
    assert Counter(key.kind for key in deleted)["Pod"] >= 15
    assert "Namespace//staging" in map(str, deleted)
    assert not any(namespace == "staging" for namespace, _ in _pods())


def test_a_rolling_update_takes_the_place_of_every_pod() -> None:
    versions: dict[str, str] = {}
    for _, event in _events():
        body = event.body
        if isinstance(body, PodRecord) and event.namespace == "shop" and body.labels["app"] == "catalogue":
            versions[event.name] = body.labels.get("version", "1.0")
    assert Counter(versions.values()) >= Counter({"1.0": 5, "1.1": 5})
    left = [pod for pod in _pods().values() if pod.labels["app"] == "catalogue"]
    assert [pod.labels["version"] for pod in left] == ["1.1"] * 5


def test_a_pod_of_a_stateful_set_comes_back_under_its_name_as_another() -> None:
    uids: dict[tuple[str, str], set[str]] = {}
    for _, event in _events():
        if event.kind == "Pod" and event.name:
            uids.setdefault((event.namespace, event.name), set()).add(event.uid)
    assert sum(len(each) > 1 for each in uids.values()) >= 2


def test_what_happened_while_the_watchers_were_down_shows_in_the_second_snapshot_only() -> None:
    epochs = sorted({event.epoch for _, event in _events() if event.kind == "Pod"})
    assert len(epochs) == 2
    last = {event.key.name for _, event in _events() if event.epoch == epochs[1] and event.kind == "Pod"}
    assert not any(name.startswith("mail-") for name in last)
    assert any(e.name.startswith("mail-") for _, e in _events() if e.epoch == epochs[0])
    assert not any(e.name.startswith("mail-") for _, e in _events() if e.op is Op.DELETE)


def test_it_names_no_machine() -> None:
    assert {event.source.watcher for _, event in _events()} == {"recorder"}
