"""A recorded cluster, translated for real, in a Contrail that the predecessor filled for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine, text

import console
from schemas.bus.log import LogConsumer
from schemas.records import SettingsRecord
from simulators.contrail.server import ContrailSimulator
from tests.applier.adoption.taking import adopt, all_objects, verdicts
from tests.applier.incumbent import KubeManager, PodThere
from tests.applier.kubernetes import KubernetesInStore
from tests.applier.running import applying, until_applied
from translator.batch import Rules
from translator.postgres import PostgresStore
from translator.replay import replay

pytestmark = pytest.mark.postgres

TOPIC = "k8s.changes.k8s"
LOG = Path(console.__file__).parent / "recordings" / "shop"
SETTINGS = SettingsRecord(
    cluster="k8s",
    owner="k8s",
    domain="default-domain",
    pod_subnets=("10.32.0.0/12",),
    service_subnets=("10.96.0.0/12",),
    ip_fabric_subnets=("10.64.0.0/12",),
)


def translated(engine: Engine) -> None:
    """The recording, in the store."""
    consumer = LogConsumer(LOG, TOPIC)
    try:
        rules = Rules.of("translator", SETTINGS)
        assert replay(consumer, PostgresStore(engine, "k8s"), rules, batch_records=500).records > 400
    finally:
        consumer.close()


def made(manager: KubeManager, engine: Engine) -> dict[str, PodThere]:
    """What the predecessor had made for it."""
    with engine.connect() as connection:
        namespaces = connection.scalars(text("SELECT name FROM k8s_resource WHERE kind = 'Namespace' ORDER BY 1")).all()
        pods = connection.execute(text("SELECT namespace, pod, pod_uid, node FROM pod_address ORDER BY 1, 2")).all()
    for namespace in namespaces:
        manager.namespace(namespace)
    return {pod.pod_uid: manager.pod(pod.namespace, pod.pod, uid=pod.pod_uid, node=pod.node) for pod in pods}


def test_every_pod_of_a_recorded_cluster_is_kept(store_engine: Engine) -> None:
    translated(store_engine)
    nodes = {f"node-{n}": f"192.0.2.{n}" for n in range(1, 5)}
    with ContrailSimulator(nodes=nodes) as contrail:
        manager = KubeManager(contrail.url)
        manager.bootstrap()
        pods = made(manager, store_engine)
        manager.close()
        assert len(pods) > 50
        before = {o["uuid"]: o["instance_ip_address"] for o in contrail.objects("instance-ip")}
        objects = all_objects(contrail)
        kubernetes = KubernetesInStore(store_engine)
        outlook, adopted = adopt(kubernetes, contrail)
        assert not adopted.failures and not adopted.removed and not outlook.judgement.held
        found = verdicts(outlook, "virtual-machine", "virtual-machine-interface", "instance-ip", "project")
        assert set(found.values()) == {"kept"}
        with applying(kubernetes.desired, contrail):
            until_applied(kubernetes.desired, within=30.0)
        # What firewall rules name comes anew; the predecessor's stays beside.
        now = all_objects(contrail)
        assert {type_ for type_ in now if now[type_] != objects[type_]} == {"tag", "address-group"}
        assert all(objects[type_] <= now[type_] for type_ in now)
        assert contrail.counters["DELETE", "instance-ip"] == 0
        with store_engine.connect() as connection:
            rows = {r.pod_uid: r for r in connection.execute(text("SELECT * FROM pod_address"))}
        assert {uid: row.state for uid, row in rows.items()} == dict.fromkeys(pods, "ready")
        for uid, there in pods.items():
            assert (str(rows[uid].interface_uuid), rows[uid].address) == (there.interface, before[there.address])
