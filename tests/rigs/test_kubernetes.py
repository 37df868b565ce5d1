"""The rig is a real cluster: what it stores, forgets, forbids and runs. The example of its use."""

from __future__ import annotations

import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from kubernetes import client

from tests.rigs.kubernetes import Access, ApiError, KubernetesCluster, Options, kubernetes_version

pytestmark = pytest.mark.kubernetes

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
POD = {"containers": [{"name": "web", "image": "example.org/web:1"}]}


def test_a_pod_made_with_the_official_client_is_listed(
    kubernetes_cluster: KubernetesCluster, kubernetes_namespace: str
) -> None:
    with core(kubernetes_cluster) as api:
        made = api.create_namespaced_pod(kubernetes_namespace, {"metadata": {"name": "web"}, "spec": POD})
        listed = api.list_namespaced_pod(kubernetes_namespace).items
        assert [(pod.metadata.name, pod.metadata.uid) for pod in listed] == [("web", made.metadata.uid)]
        assert client.VersionApi(api.api_client).get_code().git_version == kubernetes_version()


def test_a_deleted_namespace_goes_with_what_is_in_it(kubernetes_cluster: KubernetesCluster) -> None:
    admin = kubernetes_cluster.admin
    admin.request("POST", "/api/v1/namespaces", {"metadata": {"name": "gone"}})
    admin.request("POST", "/api/v1/namespaces/gone/pods", {"metadata": {"name": "web"}, "spec": POD})
    admin.request("DELETE", "/api/v1/namespaces/gone")
    eventually(lambda: not admin.succeeds("/api/v1/namespaces/gone"), "namespace deleted")


def test_a_restricted_account_may_do_what_its_rules_say_and_no_more(kubernetes_cluster: KubernetesCluster) -> None:
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]
    reader = kubernetes_cluster.restricted("reader", rules)
    assert reader.request("GET", "/api/v1/pods")["kind"] == "PodList"
    for method, path in (("GET", "/api/v1/nodes"), ("DELETE", "/api/v1/namespaces/default/pods/web")):
        with pytest.raises(ApiError, match="forbidden") as refused:
            reader.request(method, path)
        assert refused.value.status == 403


def test_a_wrong_token_is_unauthorized(kubernetes_cluster: KubernetesCluster) -> None:
    admin = kubernetes_cluster.admin
    with pytest.raises(ApiError) as refused:
        Access(admin.server, admin.authority, "wrong").request("GET", "/api/v1/pods")
    assert refused.value.status == 401


def test_killed_and_started_again_it_has_its_data_and_its_address(kubernetes_binary: Path) -> None:
    with KubernetesCluster() as cluster, core(cluster) as api:
        before = api.create_namespaced_pod("default", {"metadata": {"name": "web"}, "spec": POD})
        cluster.kill_apiserver()
        with pytest.raises(OSError, match="refused"):
            cluster.admin.request("GET", "/version")
        cluster.start_apiserver()
        after = api.read_namespaced_pod("web", "default")
        assert (after.metadata.uid, after.metadata.resource_version) == (
            before.metadata.uid,
            before.metadata.resource_version,
        )


def test_a_frozen_api_server_is_silent_until_it_is_thawed(kubernetes_binary: Path) -> None:
    with KubernetesCluster() as cluster:
        cluster.freeze_apiserver()
        context = ssl.create_default_context(cadata=cluster.admin.authority)
        with pytest.raises((TimeoutError, urllib.error.URLError), match="timed out"):
            urllib.request.urlopen(cluster.admin.server + "/readyz", timeout=0.5, context=context)
        cluster.thaw_apiserver()
        assert cluster.admin.request("GET", "/api/v1/pods")["items"] == []


@pytest.mark.parametrize("watch_cache", [True, False])
def test_after_compaction_an_old_watch_and_an_old_page_are_gone(kubernetes_binary: Path, watch_cache: bool) -> None:
    with KubernetesCluster(Options(watch_cache=watch_cache)) as cluster, core(cluster) as api:
        page = api.list_namespace(limit=1)
        for number in range(3):
            api.create_namespace({"metadata": {"name": f"later-{number}"}})
        old, next_page = page.metadata.resource_version, page.metadata._continue
        assert first_event(cluster, f"/api/v1/namespaces?watch=1&resourceVersion={old}")["type"] == "ADDED"
        assert cluster.compact() > int(old)
        event = first_event(cluster, f"/api/v1/namespaces?watch=1&resourceVersion={old}")
        assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")
        with pytest.raises(client.ApiException) as expired:
            api.list_namespace(limit=1, _continue=next_page)
        assert expired.value.status == 410


def test_a_deployment_gets_running_pods_on_fake_nodes(kubernetes_whole_cluster: KubernetesCluster) -> None:
    labels = {"app": "web"}
    spread = {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "DoNotSchedule"}
    constraint = {**spread, "labelSelector": {"matchLabels": labels}}
    template = {"metadata": {"labels": labels}, "spec": {**POD, "topologySpreadConstraints": [constraint]}}
    deployment = {
        "metadata": {"name": "web"},
        "spec": {"replicas": 3, "selector": {"matchLabels": labels}, "template": template},
    }
    with core(kubernetes_whole_cluster) as api:
        apps = client.AppsV1Api(api.api_client)
        apps.create_namespaced_deployment("default", deployment)
        pods = eventually(lambda: running(api, 3), "three running pods")
        assert {pod.spec.node_name for pod in pods} == {"node-1", "node-2", "node-3"}
        assert {pod.status.host_ip for pod in pods} == {"198.18.0.1", "198.18.0.2", "198.18.0.3"}
        addresses = {pod.status.pod_ip for pod in pods}
        assert len(addresses) == 3
        assert all(address.startswith("10.32.0.") for address in addresses)
        first = {pod.metadata.uid for pod in pods}

        template["spec"] = {**POD, "containers": [{"name": "web", "image": "example.org/web:2"}]}
        apps.patch_namespaced_deployment("web", "default", {"spec": {"template": template, "replicas": 5}})
        updated = eventually(lambda: running(api, 5, image="example.org/web:2"), "five updated pods")
        assert not first & {pod.metadata.uid for pod in updated}

        apps.delete_namespaced_deployment("web", "default")
        eventually(lambda: not api.list_namespaced_pod("default").items, "pods deleted")


def test_nothing_outlives_a_run_that_is_killed(kubernetes_binary: Path) -> None:
    command = [sys.executable, "-m", "tests.rigs.kubernetes", "run", "--nodes", "1"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as run:
        assert run.stdout is not None
        directory = Path(run.stdout.readline().strip()).parent
        try:
            assert len(processes_in(directory)) == 5
        finally:
            run.send_signal(signal.SIGKILL)
        eventually(lambda: not processes_in(directory), "all components gone")
    shutil.rmtree(directory)


@contextmanager
def core(cluster: KubernetesCluster) -> Iterator[client.CoreV1Api]:
    with cluster.client() as api_client:
        yield client.CoreV1Api(api_client)


def running(api: client.CoreV1Api, count: int, *, image: str = "example.org/web:1") -> list[Any] | None:
    """The pods of the namespace, once there are exactly so many and all run the image."""
    pods: list[Any] = api.list_namespaced_pod("default").items
    ready = [p for p in pods if p.status.phase == "Running" and p.spec.containers[0].image == image]
    return pods if len(ready) == len(pods) == count else None


def first_event(cluster: KubernetesCluster, path: str) -> Any:
    context = ssl.create_default_context(cadata=cluster.admin.authority)
    headers = {"Authorization": f"Bearer {cluster.admin.token}"}
    request = urllib.request.Request(cluster.admin.server + path, headers=headers)
    with urllib.request.urlopen(request, timeout=20, context=context) as lines:
        return json.loads(lines.readline())


def processes_in(directory: Path) -> list[int]:
    """The processes whose working directory it is."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.readlink(entry / "cwd") == str(directory):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def eventually(probe: Callable[[], T | None], what: str, *, seconds: float = 60) -> T:
    deadline = time.monotonic() + seconds
    while not (answer := probe()):
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.05)
    return answer
