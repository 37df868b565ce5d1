"""The rights in deploy/kubernetes/feedback-rbac.yaml are enough, each is needed, and one that is missing is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import create_engine

from tests.rigs.kubernetes import Access, KubernetesCluster
from tests.watchers.feedback.scene import Scene
from tests.watchers.patience import eventually

pytestmark = [pytest.mark.kubernetes, pytest.mark.postgres]

FILE = Path(__file__).parents[3] / "deploy" / "kubernetes" / "feedback-rbac.yaml"
LEASE_RULES = [{"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "create", "update"]}]


def documents(kind: str = "") -> list[dict[str, Any]]:
    return [each for each in yaml.safe_load_all(FILE.read_text()) if kind in ("", each["kind"])]


@pytest.fixture(scope="session")
def granted(kubernetes_cluster: KubernetesCluster) -> Access:
    """The account of the manifest."""
    admin = kubernetes_cluster.admin
    for document in documents():
        namespace = document["metadata"].get("namespace")
        group = f"/apis/{document['apiVersion']}" if "/" in document["apiVersion"] else "/api/v1"
        scope = f"/namespaces/{namespace}" if namespace else ""
        admin.request("POST", f"{group}{scope}/{document['kind'].lower()}s", document)
    account = "/api/v1/namespaces/kube-system/serviceaccounts/contrail-kube-feedback/token"
    token = admin.request("POST", account, {"spec": {"expirationSeconds": 3600}})["status"]["token"]
    return replace(admin, token=token)


def ask_for_everything(scene: Scene) -> None:
    """Something for each right."""
    scene.service("web")
    scene.make("Ingress", "front", spec={"ingressClassName": "opencontrail", "defaultBackend": backend()})
    scene.pod("web-0")
    scene.service("wrong", annotations={"opencontrail.org/fip-pool": "?"})
    scene.apply()


def backend() -> dict[str, Any]:
    return {"service": {"name": "web", "port": {"number": 80}}}


def is_served(scene: Scene) -> dict[str, bool]:
    """What of it has come."""
    return {
        "services/status": bool(scene.status("web")),
        "ingresses/status": bool(scene.status("front", "Ingress")),
        "pods": scene.annotation("web-0") is not None,
        "events": bool(scene.events()),
    }


def test_the_manifest_is_enough(scene: Scene, granted: Access) -> None:
    ask_for_everything(scene)
    scene.pod("gone")
    scene.apply()
    scene.admin.request("DELETE", scene.path("Pod", "gone"), {"gracePeriodSeconds": 0})
    scene.stuck("virtual-machine-interface", "Contrail answered 412: quota limit (10) exceeded")
    with scene.running(granted, lease_name="contrail-kube-feedback", repeat_seconds=1.0) as run:
        eventually(lambda: all(is_served(scene).values()))
        eventually(lambda: any((each.get("series") or {}).get("count", 0) > 1 for each in scene.events()))
        eventually(run.ready)


def test_it_may_read_nothing_and_write_nothing_else(scene: Scene, granted: Access) -> None:
    scene.service("web")
    for resource in ("pods", "services", "secrets", "configmaps", "events", "nodes"):
        assert not granted.succeeds(f"/api/v1/namespaces/{scene.namespace}/{resource}")
    assert not granted.succeeds(scene.path("Service", "web"))
    assert {verb for each in documents("ClusterRole") for rule in each["rules"] for verb in rule["verbs"]} == {
        "create",
        "patch",
    }


@pytest.mark.parametrize("missing", ["services/status", "ingresses/status", "pods", "events"])
def test_case_94_a_right_that_is_missing_is_named_and_the_others_go_on(
    scene: Scene, kubernetes_cluster: KubernetesCluster, missing: str
) -> None:
    rules = [rule for each in documents("ClusterRole") for rule in each["rules"] if missing not in rule["resources"]]
    access = kubernetes_cluster.restricted(f"feedback-no-{missing.replace('/', '-')}", [*rules, *LEASE_RULES])
    ask_for_everything(scene)
    verb = "create" if missing == "events" else "patch"

    def said() -> str:
        return " ".join(run.health.why_not_ready().values())

    with scene.running(access) as run:
        eventually(lambda: f'cannot {verb} resource "{missing}"' in said())
        assert "deploy/kubernetes/feedback-rbac.yaml" in said()
        others = {"events", "pods"} - {missing}
        eventually(lambda: all(is_served(scene)[each] for each in others))
        assert not is_served(scene)[missing]


def test_case_94_the_database_role_is_enough(scene: Scene, granted: Access, database_url: str) -> None:
    ask_for_everything(scene)
    engine = create_engine(
        database_url.replace("postgresql://", "postgresql+psycopg2://"),
        connect_args={"options": "-c role=contrail_kube_feedback"},
    )
    try:
        with scene.running(granted, engine=engine, lease_name="contrail-kube-feedback") as run:
            eventually(lambda: all(is_served(scene).values()))
            scene.remove("Pod", "web-0")
            eventually(lambda: not scene.rows("SELECT FROM written_back WHERE resource LIKE 'Pod/%'"))
            eventually(run.ready)
    finally:
        engine.dispose()


def test_case_94_a_lease_that_may_not_be_had_is_named(scene: Scene, kubernetes_cluster: KubernetesCluster) -> None:
    rules = [rule for each in documents("ClusterRole") for rule in each["rules"]]
    access = kubernetes_cluster.restricted("feedback-no-lease", rules)
    with scene.running(access) as run:
        eventually(lambda: 'cannot get resource "leases"' in run.health.why_not_ready().get("lease", ""))
        assert "EPOCH_FILE" not in run.health.why_not_ready()["lease"], "that is the watchers' way out, and not ours"
