"""Each service killed with SIGKILL in the middle of its work, and started again, ends in the same state."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from kubernetes import client
from sqlalchemy import Engine, text

from schemas.bus.log import LogConsumer
from simulators.contrail.faults import Fault, Trouble
from simulators.contrail.server import ContrailSimulator
from tests.integration.history import NODES, PARTITIONS, TOPIC, write_history
from tests.rigs.kubernetes import KubernetesCluster
from tests.rigs.services import ROOT, Services, services

pytestmark = [pytest.mark.postgres, pytest.mark.slow]

STEPS = 600
UNAPPLIED = "SELECT count(*) FROM apply_state WHERE status <> 'applied'"
OWN_TYPES = ("project", "virtual-machine", "virtual-machine-interface", "instance-ip", "security-group")


def replay(log: Path) -> str:
    """Digest of the desired state that the log comes to, by `python -m translator replay`."""
    done = subprocess.run(
        [sys.executable, "-m", "translator", "replay", "--log", str(log)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    return done.stdout.rpartition("digest=")[2].strip()


def digest(store: Engine) -> str:
    """The same of a store: SHA-256 over `uuid type fq_name digest` lines by uuid."""
    with store.connect() as connection:
        value = connection.scalar(
            text(
                "SELECT encode(sha256(convert_to(coalesce(string_agg(uuid::text || ' ' || type || ' ' || fq_name"
                " || ' ' || encode(digest, 'hex') || E'\\n', '' ORDER BY uuid), ''), 'UTF8')), 'hex')"
                " FROM desired_object WHERE NOT absent"
            )
        )
    assert value is not None
    return str(value)


def scalar(store: Engine, statement: str) -> int:
    with store.connect() as connection:
        return int(connection.scalar(text(statement)) or 0)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("seed", [1, 2])
def test_case_70_translator_and_applier_killed_again_and_again_end_as_if_nothing_had_happened(
    seed: int, database_url: str, store_engine: Engine, tmp_path: Path
) -> None:
    print(f"seed {seed}")
    pods = write_history(tmp_path / "log", seed=seed, steps=STEPS)
    consumer = LogConsumer(tmp_path / "log", TOPIC, partitions=PARTITIONS)
    consumer.take_assignment()
    end = sum(consumer.end_offsets().values())
    consumer.close()
    chance = random.Random(seed)
    with ContrailSimulator(nodes=NODES) as contrail, services(tmp_path) as running:
        contrail.faults.add(Fault(Trouble.LATENCY, count=None, seconds=0.005))
        environment = {
            "CONTRAIL_KUBE_BUS_DIRECTORY": str(tmp_path / "log"),
            "CONTRAIL_KUBE_DATABASE_URL": database_url,
            "CONTRAIL_KUBE_CONTRAIL_URLS": contrail.url,
            "CONTRAIL_KUBE_TRANSLATOR_BATCH_RECORDS": "5",
        }
        for module in ("translator", "applier"):
            running.start(module, environment)
        kills = 0
        while kills < 6:
            settle = scalar(store_engine, "SELECT sum(next_offset) FROM consumer_offset") > 0
            time.sleep(chance.uniform(0.0, 0.4) if settle else 0.05)
            if not settle:
                continue
            victim = running[chance.choice(("translator", "applier"))]
            victim.kill()
            victim.start()
            kills += 1
        contrail.faults.clear()
        running.wait(
            "the log's end",
            lambda: scalar(store_engine, "SELECT sum(next_offset) FROM consumer_offset") == end,
            seconds=60,
        )
        wait_until_applied(store_engine)
        assert digest(store_engine) == replay(tmp_path / "log")
        expect_equal(store_engine, contrail, pods)
        for service in running:
            assert service.terminate() == 0


def wait_until_applied(store: Engine, *, seconds: float = 60.0) -> None:
    """Until nothing is left to do; fails with what is, and why."""
    deadline = time.monotonic() + seconds
    while scalar(store, UNAPPLIED) or scalar(store, "SELECT count(*) FROM pod_address WHERE address IS NULL"):
        with store.connect() as connection:
            left = connection.execute(text("SELECT type, fq_name, absent, status, reason, last_error FROM unapplied"))
            assert time.monotonic() < deadline, "\n".join(str(row) for row in left)
        time.sleep(0.05)


def expect_equal(store: Engine, contrail: ContrailSimulator, pods: dict[str, str]) -> None:
    """What is desired, what Contrail has and what the log ends with are one and the same."""
    with store.connect() as connection:
        rows = connection.execute(
            text("SELECT type, uuid::text FROM desired_object WHERE type = ANY(:types)"), {"types": list(OWN_TYPES)}
        )
        desired = {(row.type, row.uuid) for row in rows}
        addresses = list(connection.execute(text("SELECT namespace, pod, pod_uid, address, state FROM pod_address")))
    live = contrail.ask(
        lambda state: {
            (kind, item.uuid)
            for kind in OWN_TYPES
            for item in state.of_type(kind)
            if item.fq_name[-1] != "default-project" and item.fq_name[-1] != "__no_rule__"
        }
    )
    assert live == desired
    assert {f"{row.namespace}/{row.pod}": row.pod_uid for row in addresses} == pods
    assert len({row.address for row in addresses}) == len(pods)


@pytest.mark.kubernetes
@pytest.mark.timeout(240)
def test_watchers_killed_while_pods_come_and_go_lose_and_invent_nothing(
    kubernetes_cluster: KubernetesCluster, database_url: str, store_engine: Engine, tmp_path: Path
) -> None:
    namespace = "killed-watchers"
    with kubernetes_cluster.client() as api, services(tmp_path) as running:
        core = client.CoreV1Api(api)
        core.create_namespace({"metadata": {"name": namespace}})
        environment = {
            "CONTRAIL_KUBE_BUS_DIRECTORY": str(tmp_path / "log"),
            "CONTRAIL_KUBE_DATABASE_URL": database_url,
            "CONTRAIL_KUBE_WATCHERS_KUBECONFIG": str(kubernetes_cluster.kubeconfig),
        }
        for module in ("watchers", "translator"):
            running.start(module, environment)
        chance = random.Random(4)
        alive: dict[str, str] = {}
        for step in range(120):
            change_pods(core, namespace, alive, chance)
            if step in (20, 60, 100):
                running["watchers"].kill()
                for _ in range(10):
                    change_pods(core, namespace, alive, chance)
                running["watchers"].start()
                wait_for_rows(running, store_engine, namespace, alive)
        wait_for_rows(running, store_engine, namespace, alive)
        core.delete_namespace(namespace)


def change_pods(core: client.CoreV1Api, namespace: str, alive: dict[str, str], chance: random.Random) -> None:
    """Create or delete one pod of few names, so that names come back with other uids."""
    name = f"pod-{chance.randrange(15)}"
    if name in alive:
        core.delete_namespaced_pod(name, namespace, grace_period_seconds=0)
        del alive[name]
        return
    spec = {"nodeName": "node-x", "containers": [{"name": "main", "image": "registry.invalid/none"}]}
    made = core.create_namespaced_pod(namespace, {"metadata": {"name": name}, "spec": spec})
    alive[name] = str(made.metadata.uid)


def wait_for_rows(running: Services, store: Engine, namespace: str, alive: dict[str, str]) -> None:
    """The store holds exactly these pods."""

    def equal() -> bool:
        with store.connect() as connection:
            rows = connection.execute(
                text("SELECT name, uid FROM k8s_resource WHERE kind = 'Pod' AND namespace = :ns"), {"ns": namespace}
            )
            return {row.name: row.uid for row in rows} == alive

    running.wait("exactly the pods that are there", equal, seconds=60)
