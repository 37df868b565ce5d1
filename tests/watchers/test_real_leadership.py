"""Leaders as processes, frozen and woken, over a real kube-apiserver and a real Kafka."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from schemas.bus.kafka import KafkaConsumer
from schemas.codec import decode
from schemas.events import ChangeEvent
from schemas.settings import KafkaSettings
from tests.rigs.kafka_broker import KafkaBroker
from tests.rigs.kubernetes import KubernetesCluster
from tests.rigs.services import services
from tests.watchers.folded import Folded
from tests.watchers.patience import eventually

pytestmark = [pytest.mark.kubernetes, pytest.mark.kafka, pytest.mark.slow]

LEASE = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/frozen"


def test_case_22_a_leader_that_is_frozen_beyond_its_lease_and_woken_is_fenced(
    kubernetes_cluster: KubernetesCluster, kubernetes_namespace: str, kafka_broker: KafkaBroker, tmp_path: Path
) -> None:
    admin = kubernetes_cluster.admin
    kubeconfig = str(admin.write_kubeconfig(tmp_path / "kubeconfig"))
    servers = kafka_broker.bootstrap_servers
    topic = f"k8s.changes.{kubernetes_namespace}"
    settings = {
        "CONTRAIL_KUBE_WATCHERS_KUBECONFIG": kubeconfig,
        "CONTRAIL_KUBE_WATCHERS_LEASE_NAME": "frozen",
        "CONTRAIL_KUBE_WATCHERS_LEASE_SECONDS": "3",
        "CONTRAIL_KUBE_BUS_KIND": "kafka",
        "CONTRAIL_KUBE_BUS_TOPIC": topic,
        "CONTRAIL_KUBE_KAFKA_BOOTSTRAP_SERVERS": ",".join(servers),
    }

    def holder() -> str:
        return str(admin.request("GET", LEASE)["spec"]["holderIdentity"]) if admin.succeeds(LEASE) else ""

    def create(name: str) -> None:
        body = {"metadata": {"name": name}, "spec": {"containers": [{"name": "web", "image": "example.org/web:1"}]}}
        admin.request("POST", f"/api/v1/namespaces/{kubernetes_namespace}/pods", body)

    def pods() -> set[str]:
        return {item["metadata"]["uid"] for item in admin.request("GET", "/api/v1/pods")["items"]}

    with services(tmp_path) as running:
        first = running.start("watchers", {**settings, "CONTRAIL_KUBE_WATCHERS_IDENTITY": "first"}, name="first")
        running.wait("the first leads", lambda: holder().startswith("first_"))
        create("before")
        running.start("watchers", {**settings, "CONTRAIL_KUBE_WATCHERS_IDENTITY": "second"}, name="second")
        folded, events = Folded(), list[ChangeEvent]()
        running.wait("the first has begun", lambda: "listed kind=Pod" in first.log.read_text())
        consumer = KafkaConsumer(KafkaSettings(bootstrap_servers=servers), topic, group=None, partitions=4)
        try:
            for partition in sorted(consumer.take_assignment()[0]) or range(4):
                consumer.seek(partition, 0)

            def settled() -> bool:
                fresh = [(record.partition, decode(record.value)) for record in consumer.poll(0.2)]
                events.extend(event for _, event in fresh)
                folded.fold(fresh)
                return folded.uids("Pod") == pods()

            eventually(settled, within=30)
            os.kill(first.pid, signal.SIGSTOP)
            create("while-frozen")
            running.wait("the second leads", lambda: holder().startswith("second_"), seconds=15)
            eventually(settled, within=30)
            os.kill(first.pid, signal.SIGCONT)
            running.wait("the first knows", lambda: "not leading any more" in first.log.read_text(), seconds=15)
            create("after")
            eventually(settled, within=30)
            assert {event.source.watcher for event in events if event.name == "after"} == {"second"}
        finally:
            consumer.close()
        assert first.terminate(within=15) == 0
    assert json.loads(first.log.read_text().splitlines()[-1])["message"] == "stopped"
