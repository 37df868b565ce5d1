"""The watchers against a real kube-apiserver and etcd."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes.client import Configuration

from schemas.bus.log import LogConsumer, LogProducer
from schemas.codec import decode
from schemas.errors import KubernetesForbidden
from schemas.events import Op
from schemas.health import Health
from tests.rigs.kubernetes import USER, Access, ApiError, KubernetesCluster, Options
from tests.watchers.folded import Folded
from tests.watchers.memory_bus import MemoryBus
from tests.watchers.patience import eventually
from tests.watchers.proxy import Proxy
from tests.watchers.watching import Watching, watching
from watchers import lister
from watchers.connection import Connection, from_kubeconfig
from watchers.kinds import BUILT_IN, KINDS, OPTIONAL, Kind
from watchers.kinds import namespace as namespaces
from watchers.kinds import node as nodes
from watchers.kinds import pod as pods
from watchers.lease import Lease
from watchers.register_lease import RegisterLease
from watchers.service import run as run_service
from watchers.settings import WatchersSettings

pytestmark = pytest.mark.kubernetes

ROLE = Path(__file__).parents[2] / "deploy" / "kubernetes" / "watchers-rbac.yaml"
SPEC = {"containers": [{"name": "web", "image": "example.org/web:1", "ports": [{"containerPort": 80, "name": "http"}]}]}
LEASE = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"


def _load(access: Access, directory: Path, name: str = "kubeconfig") -> Callable[[], Configuration]:
    return from_kubeconfig(str(access.write_kubeconfig(directory / name)))


def _create(admin: Access, namespace: str, name: str, **metadata: Any) -> dict[str, Any]:
    body = {"metadata": {"name": name, **metadata}, "spec": SPEC}
    return admin.request("POST", f"/api/v1/namespaces/{namespace}/pods", body)


def _delete(admin: Access, namespace: str, name: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/pods/{name}"
    admin.request("DELETE", path, {"gracePeriodSeconds": 0})
    eventually(lambda: not admin.succeeds(path))


def _uids(admin: Access, path: str = "/api/v1/pods") -> Callable[[], set[str]]:
    return lambda: {item["metadata"]["uid"] for item in admin.request("GET", path)["items"]}


def _agree(run: Watching, admin: Access) -> None:
    """Wait until downstream has exactly what the cluster has, of every kind."""
    for kind in BUILT_IN:
        run.settled(_uids(admin, kind.path), kind.name)
    run.ready()


def _told(run: Watching, kind: str) -> list[str]:
    return [f"{event.op} {event.name}" for event in run.events() if event.kind == kind and event.name]


@contextmanager
def _proxy(admin: Access) -> Iterator[tuple[Proxy, Access]]:
    """A proxy in front of the API server, and the administrator's access through it."""
    address, _, port = admin.server.rpartition(":")
    with Proxy(int(port)) as proxy:
        yield proxy, replace(admin, server=f"{address}:{proxy.port}")


@pytest.fixture
def own_cluster(kubernetes_binary: Path) -> Iterator[KubernetesCluster]:
    """A cluster that a test may break."""
    with KubernetesCluster(Options(controllers=("namespace-controller",))) as cluster:
        yield cluster


def test_snapshot_and_changes_of_every_kind(
    kubernetes_cluster: KubernetesCluster, kubernetes_namespace: str, tmp_path: Path
) -> None:
    admin = kubernetes_cluster.admin
    _create(admin, kubernetes_namespace, "before")
    with watching(_load(admin, tmp_path), tmp_path, kinds=BUILT_IN, page_size=2) as run:
        _agree(run, admin)
        made = _create(admin, kubernetes_namespace, "after", labels={"app": "web"}, annotations={"other": "dropped"})
        _agree(run, admin)
        [event] = [e for e in run.events(Op.UPSERT) if e.name == "after"]
        assert (event.uid, event.resource_version) == (made["metadata"]["uid"], made["metadata"]["resourceVersion"])
        assert event.body.labels == {"app": "web"}  # type: ignore[union-attr]
        assert event.body.annotations == {}  # type: ignore[union-attr]
        assert event.body.ports[0].name == "http"  # type: ignore[union-attr]
        _delete(admin, kubernetes_namespace, "after")
        _agree(run, admin)
    uid = admin.request("GET", "/api/v1/namespaces/kube-system")["metadata"]["uid"]
    assert {e.source.cluster_uid for e in run.events()} == {uid}


def test_case_24_a_hundred_heartbeats_of_a_node_publish_nothing(
    kubernetes_cluster: KubernetesCluster, tmp_path: Path
) -> None:
    admin = kubernetes_cluster.admin
    kubernetes_cluster.add_nodes(1)
    with watching(_load(admin, tmp_path), tmp_path, kinds=BUILT_IN) as run:
        _agree(run, admin)
        before = len(_told(run, "Node"))
        for second in range(100):
            beat = {
                "type": "Ready",
                "status": "True",
                "reason": "alive",
                "lastHeartbeatTime": f"2026-01-01T00:00:{second % 60:02}Z",
            }
            path = "/api/v1/nodes/node-1/status"
            fresh = admin.request("GET", "/api/v1/nodes/node-1")
            fresh["status"]["conditions"] = [beat | {"message": str(second)}]
            admin.request("PUT", path, fresh)
        fresh = admin.request("GET", "/api/v1/nodes/node-1")
        fresh["metadata"]["labels"]["marked"] = "yes"
        admin.request("PUT", "/api/v1/nodes/node-1", fresh)
        eventually(lambda: len(_told(run, "Node")) > before)
        told = _told(run, "Node")[before:]
    assert told == ["upsert node-1"]


def test_case_4_and_5_what_happened_while_the_watcher_was_down(
    kubernetes_cluster: KubernetesCluster, kubernetes_namespace: str, tmp_path: Path
) -> None:
    admin, bus = kubernetes_cluster.admin, MemoryBus()
    for name in ("stays", "goes", "again"):
        _create(admin, kubernetes_namespace, name)
    with watching(_load(admin, tmp_path), tmp_path, bus=bus, kinds=BUILT_IN) as run:
        _agree(run, admin)
    _delete(admin, kubernetes_namespace, "goes")
    _delete(admin, kubernetes_namespace, "again")
    fresh = _create(admin, kubernetes_namespace, "again")
    with watching(_load(admin, tmp_path), tmp_path, bus=bus, kinds=BUILT_IN) as run:
        _agree(run, admin)
    rows = {key.name: row for key, row in run.folded().rows.items() if key.namespace == kubernetes_namespace}
    assert set(rows) == {"stays", "again"}
    assert rows["again"].uid == fresh["metadata"]["uid"]


@pytest.mark.parametrize("watch_cache", [True, False])
def test_case_2_and_3_history_that_was_compacted_meanwhile(
    kubernetes_binary: Path, tmp_path: Path, watch_cache: bool
) -> None:
    with KubernetesCluster(Options(watch_cache=watch_cache)) as cluster, _proxy(cluster.admin) as (proxy, access):
        admin = cluster.admin
        with watching(_load(access, tmp_path), tmp_path) as run:
            _create(admin, "default", "goes")
            run.settled(_uids(admin))
            proxy.open = False
            proxy.reset()
            _delete(admin, "default", "goes")
            _create(admin, "default", "comes")
            cluster.compact()
            _create(admin, "default", "comes-later")
            proxy.open = True
            run.settled(_uids(admin))
            run.ready()
            assert len(run.snapshots()) == 2
            assert run.told(Op.DELETE) == []


def test_case_1_a_reset_connection_goes_on_without_listing(
    kubernetes_cluster: KubernetesCluster, kubernetes_namespace: str, tmp_path: Path
) -> None:
    admin = kubernetes_cluster.admin
    with _proxy(admin) as (proxy, access), watching(_load(access, tmp_path), tmp_path) as run:
        for number in range(5):
            _create(admin, kubernetes_namespace, f"web-{number}")
            run.settled(_uids(admin))
            proxy.reset()
        _delete(admin, kubernetes_namespace, "web-0")
        run.settled(_uids(admin))
        run.ready()
        assert len(run.snapshots()) == 1


def test_case_14_a_silent_connection_is_found_and_replaced(
    kubernetes_cluster: KubernetesCluster, kubernetes_namespace: str, tmp_path: Path
) -> None:
    admin = kubernetes_cluster.admin
    with _proxy(admin) as (proxy, access), watching(_load(access, tmp_path), tmp_path, read_timeout=2.0) as run:
        run.ready()
        proxy.silent.set()
        _create(admin, kubernetes_namespace, "web")
        eventually(lambda: "went silent" in run.health.why_not_ready().get("Pod", ""))
        proxy.silent.clear()
        run.settled(_uids(admin))
        run.ready()
        assert len(run.snapshots()) == 1


def test_case_1_an_apiserver_that_is_killed_and_started_again(own_cluster: KubernetesCluster, tmp_path: Path) -> None:
    admin = own_cluster.admin
    with watching(_load(admin, tmp_path), tmp_path, kinds=BUILT_IN) as run:
        web = _create(admin, "default", "web")
        _agree(run, admin)
        own_cluster.kill_apiserver()
        eventually(lambda: set(run.health.why_not_ready()) == {kind.name for kind in BUILT_IN})
        assert all(own_cluster.admin.server in reason for reason in run.health.why_not_ready().values())
        own_cluster.start_apiserver()
        _delete(admin, "default", "web")
        _create(admin, "default", "web")
        _agree(run, admin)
        uids = [(e.op, e.uid) for e in run.events(Op.UPSERT, Op.DELETE, Op.READ) if e.name == "web"]
        assert uids[0][1] == web["metadata"]["uid"] != uids[-1][1]


def test_case_19_rights_on_pods_are_missing(
    kubernetes_cluster: KubernetesCluster, kubernetes_namespace: str, tmp_path: Path
) -> None:
    rules = [{"apiGroups": [""], "resources": ["namespaces", "nodes"], "verbs": ["get", "list", "watch"]}]
    access = kubernetes_cluster.restricted("no-pods", rules)
    admin = kubernetes_cluster.admin
    kinds = (namespaces.KIND, nodes.KIND, pods.KIND)
    with watching(_load(access, tmp_path), tmp_path, kinds=kinds, streamed_lists=False) as run:
        refused = 'cannot list resource "pods" in API group ""'
        eventually(lambda: refused in run.health.why_not_ready().get("Pod", ""))
        eventually(lambda: set(run.health.why_not_ready()) == {"Pod"})
        run.settled(_uids(admin, "/api/v1/namespaces"), "Namespace")
        assert run.begun("Pod") == []


def test_case_19_the_right_to_watch_is_missing(kubernetes_cluster: KubernetesCluster, tmp_path: Path) -> None:
    rules = [{"apiGroups": [""], "resources": ["pods", "namespaces"], "verbs": ["get", "list"]}]
    access = kubernetes_cluster.restricted("no-watch", rules)
    with watching(_load(access, tmp_path), tmp_path) as run:
        eventually(lambda: 'cannot watch resource "pods"' in run.health.why_not_ready().get("Pod", ""))


def test_of_two_watchers_with_one_lease_one_publishes_and_the_other_takes_over(
    kubernetes_cluster: KubernetesCluster, kubernetes_namespace: str, tmp_path: Path
) -> None:
    admin, path = kubernetes_cluster.admin, f"{LEASE}/two"
    settings: dict[str, Any] = {"lease_name": "two", "lease_seconds": 3.0}
    with watching(_load(admin, tmp_path), None, identity="first", **settings) as first:
        first.ready()
        with watching(_load(admin, tmp_path), None, bus=first.bus, identity="second", **settings) as second:
            second.ready()  # who stands by is ready, too
            assert second.bus.opened == 1
            first.stop.set()
            eventually(lambda: len(second.snapshots()) == 2)
            _create(admin, kubernetes_namespace, "after")
            second.settled(_uids(admin))
            lease = admin.request("GET", path)
            assert lease["spec"]["holderIdentity"].startswith("second_")
            assert lease["spec"]["leaseTransitions"] == 2
    assert len(set(first.begun())) == 2
    lease = admin.request("GET", path)
    assert lease["spec"]["holderIdentity"] == "", "released at the end"
    assert int(lease["metadata"]["annotations"]["opencontrail.org/epoch.Pod"]) == max(first.begun())
    assert int(lease["metadata"]["annotations"]["opencontrail.org/known.Pod"]) == len(_uids(admin)())


def test_a_lease_is_swapped_and_never_overwritten(kubernetes_cluster: KubernetesCluster, tmp_path: Path) -> None:
    connection = Connection(_load(kubernetes_cluster.admin, tmp_path))
    one, other = (
        RegisterLease(Lease(connection, namespace="kube-system", name="swap"), clock=lambda: 5.0) for _ in range(2)
    )
    assert [one.next("Pod"), other.next("Pod"), one.next("Pod")] == [5, 6, 7]
    lease = kubernetes_cluster.admin.request("GET", f"{LEASE}/swap")
    lease["metadata"]["resourceVersion"] = "1"
    with pytest.raises(ApiError, match="409"):
        kubernetes_cluster.admin.request("PUT", f"{LEASE}/swap", lease)
    connection.close()


@pytest.mark.parametrize("missing", ["get", "create", "update"])
def test_a_right_on_leases_that_is_missing_is_named(
    kubernetes_cluster: KubernetesCluster, tmp_path: Path, missing: str
) -> None:
    verbs = [verb for verb in ("get", "create", "update") if verb != missing]
    rules = [{"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": verbs}]
    access = kubernetes_cluster.restricted(f"no-{missing}", rules)
    connection = Connection(_load(access, tmp_path))
    epochs = RegisterLease(Lease(connection, namespace="kube-system", name=f"no-{missing}"))
    with pytest.raises(KubernetesForbidden, match=f'cannot {missing} resource "leases"') as refused:
        for _ in range(2):
            epochs.next("Pod")
    assert "CONTRAIL_KUBE_WATCHERS_EPOCH_FILE" in str(refused.value)
    connection.close()


def test_case_18_credentials_that_are_rotated_while_watching(own_cluster: KubernetesCluster, tmp_path: Path) -> None:
    """One watcher has a token, one a certificate; the server takes new ones only, the files hold them a while later."""
    admin, token, certificate = own_cluster.admin, tmp_path / "token", own_cluster.certificate
    assert certificate is not None
    token.write_text(own_cluster.token)
    binding = {
        "metadata": {"name": "rotated"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": USER}],
    }
    admin.request("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", binding)

    def load(name: str, **user: object) -> Callable[[], Configuration]:
        path = admin.write_kubeconfig(tmp_path / name)
        content = json.loads(path.read_text())
        content["users"][0]["user"] = {key.replace("_", "-"): str(value) for key, value in user.items()}
        path.write_text(json.dumps(content))
        return from_kubeconfig(str(path))

    by_token = load("by-token", tokenFile=token)
    by_certificate = load("by-cert", client_certificate=certificate.certificate, client_key=certificate.key)
    with (
        watching(by_token, None, epoch_file=str(tmp_path / "one")) as one,
        watching(by_certificate, None, epoch_file=str(tmp_path / "other")) as other,
    ):
        _create(admin, "default", "before")
        for run in (one, other):
            run.settled(_uids(admin))
        fresh_token, fresh_certificate = own_cluster.rotate()
        own_cluster.kill_apiserver()
        own_cluster.start_apiserver()
        for run in (one, other):
            eventually(lambda run=run: "401" in run.health.why_not_ready().get("Pod", ""), within=20)  # type: ignore[misc]
        _create(admin, "default", "meanwhile")
        token.write_text(fresh_token)
        certificate.replace(fresh_certificate)
        for run in (one, other):
            run.settled(_uids(admin))
            run.ready()


@contextmanager
def _served(admin: Access, file: Path) -> Iterator[None]:
    """A CRD, until the block ends."""
    definition = yaml.safe_load(file.read_text())
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    name = f"{path}/{definition['metadata']['name']}"
    admin.request("POST", path, definition)
    try:
        yield
    finally:
        admin.request("DELETE", name)
        eventually(lambda: not admin.succeeds(name), within=20)


HERE = Path(__file__).parent / "kinds"
CRDS = (HERE / "nad-crd.yaml", ROLE.parent / "servicechain-crd.yaml", HERE / "anp-crd.yaml", HERE / "banp-crd.yaml")
"""Of the optional kinds, in their order."""
SPECS: dict[str, Any] = {
    "NetworkAttachmentDefinition": {"config": "{}"},
    "ServiceChain": {
        "left": {"networkAttachmentDefinition": {"name": "inside"}},
        "right": {"networkAttachmentDefinition": {"name": "outside"}},
        "services": [{"name": "fw", "mode": "in-network", "podSelector": {"matchLabels": {"app": "fw"}}}],
    },
    "AdminNetworkPolicy": {"priority": 1, "subject": {"namespaces": {}}},
    "BaselineAdminNetworkPolicy": {"subject": {"namespaces": {}}},
}


def test_crds_that_are_installed_and_removed_while_watching(
    kubernetes_cluster: KubernetesCluster, kubernetes_namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lister, "ABSENT_SECONDS", 0.3)
    admin = kubernetes_cluster.admin

    def make(kind: Kind) -> None:
        scope = f"/namespaces/{kubernetes_namespace}" if kind.namespaced else ""
        collection, metadata = f"{kind.discovery_path}{scope}/{kind.resource}", {"name": "default"}
        body = {"apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata, "spec": SPECS[kind.name]}
        eventually(lambda: admin.succeeds(collection))
        admin.request("POST", collection, body)

    def absent() -> bool:
        notes = run.health.notes()
        return all("not served" in notes.get(kind.name, "") for kind in OPTIONAL)

    with watching(_load(admin, tmp_path), tmp_path, kinds=(pods.KIND, *OPTIONAL)) as run:
        run.ready()
        eventually(absent)
        with ExitStack() as stack:
            for file in CRDS:
                stack.enter_context(_served(admin, file))
            for kind in OPTIONAL:
                make(kind)
            for kind in OPTIONAL:
                run.settled(_uids(admin, kind.path), kind.name)
                assert run.folded().uids(kind.name) != set()
            eventually(lambda: run.health.notes() == {})
        # Kubernetes deletes the objects of a CRD, and says so, before it stops to serve the kind.
        eventually(absent)
        assert run.health.why_not_ready() == {}
        assert [run.folded().uids(kind.name) for kind in OPTIONAL] == [set()] * len(OPTIONAL)
        ended = {kind.name: run.snapshots(kind.name) for kind in OPTIONAL}
        _create(admin, kubernetes_namespace, "goes-on")
        run.settled(_uids(admin))
        assert {kind.name: run.snapshots(kind.name) for kind in OPTIONAL} == ended, "no listing said that all is gone"
        for kind, file in list(zip(OPTIONAL, CRDS, strict=True))[1:3]:
            with _served(admin, file):
                make(kind)
                run.settled(_uids(admin, kind.path), kind.name)


def test_a_server_with_another_authority_is_not_trusted(kubernetes_cluster: KubernetesCluster, tmp_path: Path) -> None:
    admin = kubernetes_cluster.admin
    path = admin.write_kubeconfig(tmp_path / "kubeconfig")
    content = json.loads(path.read_text())
    del content["clusters"][0]["cluster"]["certificate-authority-data"]
    path.write_text(json.dumps(content))
    with watching(from_kubeconfig(str(path)), tmp_path) as run:
        eventually(lambda: "certificate authority" in run.health.why_not_ready().get("cluster", ""))


def test_the_log_directory_holds_what_the_cluster_has(
    kubernetes_cluster: KubernetesCluster, kubernetes_namespace: str, tmp_path: Path
) -> None:
    admin, stop = kubernetes_cluster.admin, threading.Event()
    thread = threading.Thread(
        target=lambda: run_service(
            WatchersSettings(epoch_file=str(tmp_path / "epochs.json")),
            cluster="k8s",
            load=_load(admin, tmp_path),
            open_producer=lambda: LogProducer(tmp_path / "log", "k8s.changes.k8s", 4),
            stop=stop,
            health=Health(),
        )
    )
    thread.start()
    try:
        eventually((tmp_path / "log/k8s.changes.k8s/topic.json").exists)
        consumer = LogConsumer(tmp_path / "log", "k8s.changes.k8s")
        for partition in range(4):
            consumer.seek(partition, 0)
        folded = Folded()
        _create(admin, kubernetes_namespace, "web")

        def agrees() -> bool:
            folded.fold((record.partition, decode(record.value)) for record in consumer.poll(0.05))
            return all(folded.uids(kind.name) == _uids(admin, kind.path)() for kind in BUILT_IN)

        eventually(agrees)
        delays = []
        for number in range(10):
            began = time.monotonic()
            _create(admin, kubernetes_namespace, f"web-{number}")
            while not any(decode(r.value).name == f"web-{number}" for r in consumer.poll(0.01)):
                assert time.monotonic() - began < 5
            delays.append(time.monotonic() - began)
        assert sorted(delays)[5] < 0.25
        consumer.close()
    finally:
        stop.set()
        thread.join(15)
    assert not thread.is_alive()


def test_the_role_in_deploy_is_enough(kubernetes_cluster: KubernetesCluster, tmp_path: Path) -> None:
    admin = kubernetes_cluster.admin
    for document in yaml.safe_load_all(ROLE.read_text()):
        namespace = document["metadata"].get("namespace")
        group = f"/apis/{document['apiVersion']}" if "/" in document["apiVersion"] else "/api/v1"
        scope = f"/namespaces/{namespace}" if namespace else ""
        admin.request("POST", f"{group}{scope}/{document['kind'].lower()}s", document)
    account = "/api/v1/namespaces/kube-system/serviceaccounts/contrail-kube-watchers/token"
    token = admin.request("POST", account, {"spec": {"expirationSeconds": 3600}})["status"]["token"]
    with watching(_load(replace(admin, token=token), tmp_path), None, kinds=BUILT_IN) as run:
        _agree(run, admin)
        assert {event.source.cluster_uid for event in run.events()} != {""}


@pytest.mark.parametrize("missing", ["list", "watch"])
def test_case_94_each_verb_of_the_role_is_needed(
    kubernetes_cluster: KubernetesCluster, tmp_path: Path, missing: str
) -> None:
    """Kinds are independent (case 19): all of them without one verb show what each of them says without it."""
    roles = [each for each in yaml.safe_load_all(ROLE.read_text()) if each["kind"] == "ClusterRole"]
    rules = [rule | {"verbs": [verb for verb in rule["verbs"] if verb != missing]} for rule in roles[0]["rules"]]
    access = kubernetes_cluster.restricted(f"all-but-{missing}", rules)
    with watching(_load(access, tmp_path), tmp_path, kinds=KINDS, streamed_lists=False) as run:

        def said(kind: Kind) -> str:
            return run.health.why_not_ready().get(kind.name, "")

        for kind in BUILT_IN:
            eventually(lambda kind=kind: f'cannot {missing} resource "{kind.resource}"' in said(kind))  # type: ignore[misc]
        if missing == "list":
            for kind in OPTIONAL:
                wanted = f'cannot list resource "{kind.resource}"'
                eventually(lambda kind=kind, wanted=wanted: wanted in run.health.notes().get(kind.name, ""))  # type: ignore[misc]
            assert run.events() == []
    assert rules and all(set(rule["verbs"]) <= {"get", "list", "watch"} for rule in roles[0]["rules"])


def test_case_94_the_verb_get_is_needed_for_the_clusters_uid_only(
    kubernetes_cluster: KubernetesCluster, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rules = [{"apiGroups": [""], "resources": ["pods", "namespaces"], "verbs": ["list", "watch"]}]
    access = kubernetes_cluster.restricted("no-get-at-all", rules)
    with watching(_load(access, tmp_path), tmp_path) as run:
        run.ready()
    assert 'cannot get resource "namespaces"' in caplog.text
    assert {event.source.cluster_uid for event in run.events()} == {""}
