"""From the Kubernetes API to a ping: every part real but the Contrail API and the vrouter's forwarding."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from kubernetes import client
from sqlalchemy import Engine, text

from console.postgres import EmbeddedPostgres
from simulators.contrail.server import ContrailSimulator
from simulators.vrouter.contrail import ContrailConfig
from simulators.vrouter.server import VrouterSimulator
from simulators.vrouter.underlay import FABRIC, Underlay, UnderlayNode
from tests.rigs.kafka_broker import KafkaBroker
from tests.rigs.kubelet import Kubelet
from tests.rigs.kubernetes import KubernetesCluster
from tests.rigs.netns import links, namespace, ping
from tests.rigs.services import Services, services

pytestmark = [
    pytest.mark.kubernetes,
    pytest.mark.kafka,
    pytest.mark.postgres,
    pytest.mark.netns,
    pytest.mark.slow,
    pytest.mark.timeout(300),
]

NAMESPACE = "first-pod"
OWN_TYPES = ("virtual-machine", "virtual-machine-interface", "instance-ip")


@dataclass(frozen=True, slots=True)
class Site:
    """What the test acts on: the cluster's client, the simulated API, the store, the nodes and their kubelets."""

    core: client.CoreV1Api
    contrail: ContrailSimulator
    store: Engine
    running: Services
    nodes: dict[str, UnderlayNode]
    kubelets: dict[str, Kubelet]
    vrouters: dict[str, VrouterSimulator]
    folder: Path

    def objects(self, kind: str) -> list[dict[str, Any]]:
        """Objects of a type in the simulated API."""
        answer = requests.get(f"{self.contrail.url}/{kind}s", params={"fields": "annotations"}, timeout=10)
        answer.raise_for_status()
        found: list[dict[str, Any]] = answer.json()[f"{kind}s"]
        return found

    def objects_of(self, namespace: str, kind: str) -> list[dict[str, Any]]:
        """Those of them that are made for something in a namespace: the cluster has a service of its own elsewhere."""
        mark = {"key": "namespace", "value": namespace}
        return [o for o in self.objects(kind) if mark in (o.get("annotations") or {}).get("key_value_pair", ())]

    def rows(self, statement: str, **values: object) -> list[Any]:
        """Rows of the store."""
        with self.store.connect() as connection:
            return list(connection.execute(text(statement), values))

    def wait(self, what: str, condition: Callable[[], bool], *, seconds: float = 60.0) -> None:
        """Wait until it holds, failing with the services' last words."""
        self.running.wait(what, condition, seconds=seconds)


@pytest.fixture
def site(
    kubernetes_cluster: KubernetesCluster,
    kafka_broker: KafkaBroker,
    postgres_server: EmbeddedPostgres,
    database_url: str,
    store_engine: Engine,
    underlay: Underlay,
    tmp_path: Path,
) -> Iterator[Site]:
    with ExitStack() as stack:
        contrail = stack.enter_context(ContrailSimulator())
        core = client.CoreV1Api(stack.enter_context(kubernetes_cluster.client()))
        running = stack.enter_context(services(tmp_path))
        environment = {
            "CONTRAIL_KUBE_BUS_KIND": "kafka",
            "CONTRAIL_KUBE_BUS_TOPIC": f"k8s.changes.{tmp_path.name}",
            "CONTRAIL_KUBE_KAFKA_BOOTSTRAP_SERVERS": ",".join(kafka_broker.bootstrap_servers),
            "CONTRAIL_KUBE_DATABASE_URL": database_url,
            "CONTRAIL_KUBE_CONTRAIL_URLS": contrail.url,
            "CONTRAIL_KUBE_WATCHERS_KUBECONFIG": str(kubernetes_cluster.kubeconfig),
        }
        for module in ("watchers", "translator", "applier"):
            running.start(module, environment)
        nodes = {name: underlay.add(name) for name in ("node-a", "node-b")}
        kubelets, vrouters = {}, {}
        database = database_url.rpartition("/")[2]
        for name, node in nodes.items():
            folder = tmp_path / name
            folder.mkdir()
            register(core, contrail, node)
            stack.callback(core.delete_node, name)
            vrouters[name] = stack.enter_context(
                VrouterSimulator(
                    config=ContrailConfig(contrail.url, node=name),
                    netns=node.netns,
                    ports_dir=folder / "ports",
                    fabric=FABRIC,
                )
            )
            running.start(
                "cni",
                {
                    "CONTRAIL_KUBE_DATABASE_URL": postgres_server.socket_url(database),
                    "CONTRAIL_KUBE_CNI_NODE_NAME": name,
                    "CONTRAIL_KUBE_CNI_SOCKET": str(folder / "cni.sock"),
                    "CONTRAIL_KUBE_CNI_STATE_DIR": str(folder / "state"),
                    "CONTRAIL_KUBE_CNI_PORTS_DIR": str(folder / "ports"),
                },
                name=f"cni-{name}",
                netns=node.netns,
            )
            kubelets[name] = Kubelet(folder, socket=folder / "cni.sock")
        yield Site(core, contrail, store_engine, running, nodes, kubelets, vrouters, tmp_path)


def register(core: client.CoreV1Api, contrail: ContrailSimulator, node: UnderlayNode) -> None:
    """What kubelet and the vrouter's provisioning do when a node joins."""
    made = core.create_node({"metadata": {"name": node.name}})
    made.status = {"addresses": [{"type": "InternalIP", "address": node.address}]}
    core.replace_node_status(node.name, made)
    router = {
        "fq_name": ["default-global-system-config", node.name],
        "parent_type": "global-system-config",
        "virtual_router_ip_address": node.address,
    }
    requests.post(f"{contrail.url}/virtual-routers", json={"virtual-router": router}, timeout=10).raise_for_status()


def make_pod(core: client.CoreV1Api, name: str, node: str) -> str:
    """Create a scheduled pod; returns its uid."""
    container = {"name": "main", "image": "registry.invalid/none", "ports": [{"containerPort": 80}]}
    spec = {"nodeName": node, "containers": [container]}
    made = core.create_namespaced_pod(NAMESPACE, {"metadata": {"name": name, "labels": {"app": name}}, "spec": spec})
    return str(made.metadata.uid)


def plug(site: Site, node: str, container: str, sandbox: str, pod: str, uid: str) -> dict[str, Any]:
    """ADD as kubelet does it: again while the answer is 'try again later'; returns the plugin's result."""
    deadline = time.monotonic() + 90
    while (answer := site.kubelets[node].add(container, sandbox, f"{NAMESPACE}/{pod}", uid)).code != 0:
        logs = "\n".join(f"--- {service.name}\n{service.tail()}" for service in site.running)
        assert answer.output["code"] == 11, f"{answer}\n{logs}"
        assert time.monotonic() < deadline, f"{answer}\n{logs}"
        time.sleep(0.2)
    result: dict[str, Any] = answer.output
    return result


def test_two_pods_of_a_real_cluster_ping_each_other_and_leave_nothing_behind(site: Site) -> None:
    site.core.create_namespace({"metadata": {"name": NAMESPACE}})
    uids = {name: make_pod(site.core, name, node) for name, node in (("web-0", "node-a"), ("web-1", "node-b"))}
    with namespace("pod") as first, namespace("pod") as second:
        one = plug(site, "node-a", "c1", first, "web-0", uids["web-0"])
        two = plug(site, "node-b", "c2", second, "web-1", uids["web-1"])
        addresses = {
            row.pod: row.address
            for row in site.rows("SELECT pod, address FROM pod_address WHERE namespace = :ns", ns=NAMESPACE)
        }
        assert one["ips"][0]["address"] == f"{addresses['web-0']}/12"
        assert two["ips"][0]["address"] == f"{addresses['web-1']}/12"
        assert ping(first, addresses["web-1"]) and ping(second, addresses["web-0"])

        for name, uid, node, sandbox in (
            ("web-0", uids["web-0"], "node-a", first),
            ("web-1", uids["web-1"], "node-b", second),
        ):
            container = "c1" if name == "web-0" else "c2"
            assert site.kubelets[node].delete(container, sandbox, f"{NAMESPACE}/{name}", uid).code == 0
            site.core.delete_namespaced_pod(name, NAMESPACE, grace_period_seconds=0)
        assert links(first) == links(second) == {"lo"}
    site.core.delete_namespace(NAMESPACE)
    expect_nothing_left(site)


def expect_nothing_left(site: Site) -> None:
    """No object of the namespace or its pods in the API, the store or the kernel."""
    site.wait("objects gone from Contrail", lambda: not any(site.objects_of(NAMESPACE, kind) for kind in OWN_TYPES))
    site.wait(
        "project gone from Contrail", lambda: not any(NAMESPACE in p["fq_name"][-1] for p in site.objects("project"))
    )
    site.wait(
        "rows gone from the store",
        lambda: (
            site.rows("SELECT 1 FROM k8s_resource WHERE namespace = :ns OR name = :ns", ns=NAMESPACE) == []
            and site.rows("SELECT 1 FROM desired_object WHERE namespace = :ns", ns=NAMESPACE) == []
            and site.rows("SELECT 1 FROM pod_address WHERE namespace = :ns", ns=NAMESPACE) == []
            and site.rows("SELECT 1 FROM observed_object WHERE uuid NOT IN (SELECT uuid FROM desired_object)") == []
        ),
    )
    assert site.rows("SELECT * FROM dead_letter") == []
    for name, node in site.nodes.items():
        deadline = time.monotonic() + 10
        while left := [link for link in links(node.netns) if link.startswith(("tap", "vrb", "vrx"))]:
            assert time.monotonic() < deadline, f"{name} still has {left}"
            time.sleep(0.05)
        assert site.vrouters[name].announced == ()
        assert list((site.folder / name / "state").rglob("*.json")) == []
        assert [path for path in (site.folder / name / "ports").rglob("*") if path.is_file()] == []
