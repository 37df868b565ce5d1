"""`contrail-kube up` with real parts in the place of embedded ones: a Kubernetes API, Kafka."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kubernetes import client

from tests.console.runs import live, none_left, up
from tests.rigs.kafka_broker import KafkaBroker
from tests.rigs.kubernetes import KubernetesCluster

pytestmark = [pytest.mark.kubernetes, pytest.mark.postgres, pytest.mark.slow]

Deploy = Callable[[int], str]


@pytest.fixture
def state() -> Iterator[Path]:
    """A state directory that an unprivileged PostgreSQL can reach when the tests run as root."""
    folder = Path(tempfile.mkdtemp(prefix="contrail-kube-test-"))
    folder.chmod(0o755)
    yield folder / "state"
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def deploy(kubernetes_whole_cluster: KubernetesCluster) -> Iterator[Deploy]:
    """Makes, or scales, a deployment of so many pods in a namespace of the test's own; returns the namespace."""
    namespace = f"up-{uuid.uuid4().hex[:8]}"
    api = kubernetes_whole_cluster.client()
    core, apps = client.CoreV1Api(api), client.AppsV1Api(api)
    core.create_namespace({"metadata": {"name": namespace}})
    labels = {"app": "web"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "image": "web"}]}}
    spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": pod}
    apps.create_namespaced_deployment(namespace, {"metadata": {"name": "web"}, "spec": spec})

    def scale(replicas: int) -> str:
        apps.patch_namespaced_deployment_scale("web", namespace, {"spec": {"replicas": replicas}})
        return namespace

    yield scale
    core.delete_namespace(namespace)
    api.close()


def _ready(output: str, namespace: str) -> int:
    """How many pods of the namespace were shown as ready, ever."""
    rows = [line.split() for line in output.splitlines()]
    return len({row[1] for row in rows if row and row[0] == namespace and row[-1] == "ready"})


def test_a_live_cluster_is_followed_and_nothing_is_written_to_it(
    kubernetes_whole_cluster: KubernetesCluster, deploy: Deploy, state: Path
) -> None:
    namespace = deploy(3)
    kubeconfig = str(kubernetes_whole_cluster.kubeconfig)
    leases = client.CoordinationV1Api(kubernetes_whole_cluster.client())
    before = {lease.metadata.name for lease in leases.list_namespaced_lease("kube-system").items}
    with live("--kubeconfig", kubeconfig, "--state", str(state)) as run:
        run.wait_for(lambda: _ready(run.read(), namespace) >= 3, "three pods with an address")
        deploy(5)
        run.wait_for(lambda: _ready(run.read(), namespace) >= 5, "five pods with an address")
        run.press("\x03")
        assert run.wait() == 0
    assert none_left(state) == {}
    assert {lease.metadata.name for lease in leases.list_namespaced_lease("kube-system").items} == before


@pytest.mark.kafka
def test_events_go_over_kafka_and_a_second_run_reads_them_again(
    kubernetes_whole_cluster: KubernetesCluster, deploy: Deploy, kafka_broker: KafkaBroker
) -> None:
    namespace = deploy(2)
    kafka = ",".join(kafka_broker.bootstrap_servers)
    environ = {"CONTRAIL_KUBE_BUS_TOPIC": f"k8s.changes.{namespace}", "CONTRAIL_KUBE_CLUSTER_NAME": namespace}
    with_watchers = up("--kafka", kafka, "--kubeconfig", str(kubernetes_whole_cluster.kubeconfig), environ=environ)
    assert with_watchers.returncode == 0, with_watchers.stderr
    without = up("--kafka", kafka, environ=environ)
    assert without.returncode == 0, without.stderr
    assert _ready(without.stdout, namespace) == _ready(with_watchers.stdout, namespace) >= 1
