"""`python -m watchers` as a process."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from console.ports import free_port
from schemas.bus.log import LogConsumer
from schemas.bus.log_file import FileConsumer
from schemas.codec import decode
from tests.rigs.kubernetes import KubernetesCluster
from tests.rigs.services import ROOT, services
from tests.watchers.fake_cluster import FakeCluster
from tests.watchers.folded import Folded
from tests.watchers.objects import namespace, pod
from tests.watchers.patience import eventually
from watchers.kinds import BUILT_IN, OPTIONAL

pytestmark = pytest.mark.process


def _kubeconfig(directory: Path, server: str) -> str:
    path = directory / "kubeconfig"
    path.write_text(
        json.dumps(
            {
                "current-context": "x",
                "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
                "clusters": [{"name": "x", "cluster": {"server": server}}],
                "users": [{"name": "x", "user": {"token": "secret-token"}}],
            }
        )
    )
    return str(path)


def _asked(url: str) -> bytes:
    """What the endpoint says, b'' while nothing listens."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bytes(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return bytes(error.read())
    except OSError:
        return b""


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("CONTRAIL_KUBE_WATCHERS_KUBECONFG", "x", "did you mean CONTRAIL_KUBE_WATCHERS_KUBECONFIG?"),
        ("CONTRAIL_KUBE_WATCHERS_READ_TIMEOUT", "300", "accepted are 2.0 to 60.0"),
        ("CONTRAIL_KUBE_WATCHERS_LEASE_SECONDS", "0", "accepted are 1.0 to 600.0"),
        ("CONTRAIL_KUBE_WATCHERS_KUBECONFIG", "/does/not/exist", "kubeconfig /does/not/exist cannot be used"),
    ],
)
def test_a_wrong_setting_is_one_line_and_exit_code_2(variable: str, value: str, said: str, tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(tmp_path), variable: value}
    done = subprocess.run(
        [sys.executable, "-m", "watchers"], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert last.startswith("watchers: ")
    assert said in last
    assert "Traceback" not in done.stderr


def test_case_99_without_an_api_it_waits_and_ends_cleanly_when_told(tmp_path: Path) -> None:
    server = f"http://127.0.0.1:{free_port()}"
    port = free_port()
    environment = {
        "CONTRAIL_KUBE_WATCHERS_KUBECONFIG": _kubeconfig(tmp_path, server),
        "CONTRAIL_KUBE_WATCHERS_EPOCH_FILE": str(tmp_path / "epochs.json"),
        "CONTRAIL_KUBE_BUS_DIRECTORY": str(tmp_path / "log"),
        "CONTRAIL_KUBE_PROCESS_HEALTH_PORT": str(port),
    }
    with services(tmp_path) as running:
        service = running.start("watchers", environment)
        running.wait("it says what it waits for", lambda: server.encode() in _asked(f"http://127.0.0.1:{port}/readyz"))
        assert _asked(f"http://127.0.0.1:{port}/livez") == b"ok\n"
        assert service.terminate(within=15) == 0
    lines = [json.loads(line) for line in service.log.read_text().splitlines()]
    waiting = [line for line in lines if "is the API server running" in line["message"]]
    assert len(waiting) == 1
    assert lines[-1]["message"] == "stopped"


def test_case_89_it_publishes_and_never_logs_the_token(tmp_path: Path) -> None:
    with FakeCluster() as cluster, services(tmp_path) as running:
        cluster.put(namespace("shop"), "namespaces")
        environment = {
            "CONTRAIL_KUBE_WATCHERS_KUBECONFIG": _kubeconfig(tmp_path, cluster.api.url),
            "CONTRAIL_KUBE_WATCHERS_EPOCH_FILE": str(tmp_path / "epochs.json"),
            "CONTRAIL_KUBE_BUS_DIRECTORY": str(tmp_path / "log"),
            "CONTRAIL_KUBE_PROCESS_LOG_LEVEL": "DEBUG",
        }
        service = running.start("watchers", environment)
        running.wait("it watches", lambda: len(cluster.api.watches()) >= 3)
        assert service.terminate(within=15) == 0
        assert {request.headers["authorization"] for request in cluster.api.requests} == {"Bearer secret-token"}
    assert "secret-token" not in service.log.read_text()
    assert (tmp_path / "log" / "k8s.changes.k8s" / "topic.json").exists()


@pytest.mark.kubernetes
def test_on_a_real_cluster_it_is_ready_counts_and_ends_cleanly(
    kubernetes_cluster: KubernetesCluster, kubernetes_namespace: str, tmp_path: Path
) -> None:
    admin, port = kubernetes_cluster.admin, free_port()
    environment = {
        "CONTRAIL_KUBE_WATCHERS_KUBECONFIG": str(admin.write_kubeconfig(tmp_path / "kubeconfig")),
        "CONTRAIL_KUBE_WATCHERS_LEASE_NAME": "process",
        "CONTRAIL_KUBE_BUS_DIRECTORY": str(tmp_path / "log"),
        "CONTRAIL_KUBE_PROCESS_HEALTH_PORT": str(port),
    }
    with services(tmp_path) as running:
        service = running.start("watchers", environment)
        running.wait("it is ready", lambda: _asked(f"http://127.0.0.1:{port}/readyz").startswith(b"ok\n"))
        pod = {"metadata": {"name": "web"}, "spec": {"containers": [{"name": "web", "image": "example.org/web:1"}]}}
        admin.request("POST", f"/api/v1/namespaces/{kubernetes_namespace}/pods", pod)
        counter = rb'published_total{kind="Pod",op="upsert"} [1-9]'  # each step of the pod's life is one more
        running.wait(
            "it has published", lambda: re.search(counter, _asked(f"http://127.0.0.1:{port}/metrics")) is not None
        )
        assert service.terminate(within=15) == 0
    assert admin.token not in service.log.read_text()


def _environment(tmp_path: Path, server: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "HOME": str(tmp_path),
        "CONTRAIL_KUBE_WATCHERS_KUBECONFIG": _kubeconfig(tmp_path, server),
        "CONTRAIL_KUBE_BUS_DIRECTORY": str(tmp_path / "log"),
    }


def _run(tmp_path: Path, *arguments: str, server: str) -> subprocess.CompletedProcess[str]:
    command, environment = [sys.executable, "-m", *arguments], _environment(tmp_path, server)
    return subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60)


def test_once_publishes_a_snapshot_of_every_kind_and_ends(tmp_path: Path) -> None:
    with FakeCluster() as cluster:
        cluster.not_served = {kind.resource for kind in OPTIONAL}
        cluster.put(namespace("shop"), "namespaces")
        cluster.put(pod("web-0"))
        done = _run(tmp_path, "watchers", "once", server=cluster.api.url)
        assert done.returncode == 0, done.stderr
        assert cluster.lease is not None and cluster.lease["spec"]["holderIdentity"] == ""
        cluster.lease["spec"] |= {"holderIdentity": "another", "leaseDurationSeconds": 600}
        again = _run(tmp_path, "watchers", "once", server=cluster.api.url)
        assert again.returncode == 1
        assert "another publishes already" in again.stderr.splitlines()[-1]
    consumer = LogConsumer(tmp_path / "log", "k8s.changes.k8s")
    for partition in range(4):
        consumer.seek(partition, 0)
    events = [(record.partition, decode(record.value)) for record in consumer.poll(0, 10_000)]
    consumer.close()
    assert {event.kind for _, event in events if event.op == "snapshot_end"} == {kind.name for kind in BUILT_IN}
    assert Folded().fold(events).uids("Pod") == {"uid-web-0"}


def test_a_recording_ends_cleanly_and_is_replayed_with_the_same_result(tmp_path: Path) -> None:
    file = tmp_path / "shop.avro"
    with FakeCluster() as cluster:
        cluster.put(namespace("shop"), "namespaces")
        cluster.put(pod("web-0", uid="0c2b5d0e-5a3b-4a25-8f61-000000000000"))
        with subprocess.Popen(
            [sys.executable, "-m", "watchers", "record", str(file)],
            env=_environment(tmp_path, cluster.api.url),
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                eventually(lambda: len(cluster.api.watches()) >= 3, within=30)
                cluster.put(pod("web-1", uid="0c2b5d0e-5a3b-4a25-8f61-000000000001"))
                eventually(lambda: b"web-1" in _recorded(file), within=30)
                process.send_signal(signal.SIGINT)
                said, _ = process.communicate(timeout=20)
            finally:
                process.kill()
        assert (process.returncode, said.startswith("recorded ")) == (0, True)
        assert cluster.lease is None, "nothing is written to the cluster"
        refused = _run(tmp_path, "watchers", "record", str(file), server=cluster.api.url)
        assert (refused.returncode, "never written over another" in refused.stderr) == (1, True)
    cut = tmp_path / "cut.avro"
    cut.write_bytes(file.read_bytes()[:-5])
    replays = [_run(tmp_path, "translator", "replay", "--log", str(file), server="http://x") for _ in range(2)]
    assert [replay.returncode for replay in replays] == [0, 0], replays[0].stderr
    assert replays[0].stdout == replays[1].stdout
    assert "dead=0" in replays[0].stdout
    assert _run(tmp_path, "translator", "replay", "--log", str(cut), server="http://x").returncode == 0


def _recorded(file: Path) -> bytes:
    """Keys of what was recorded."""
    if not file.exists():
        return b""
    consumer = FileConsumer(file)
    try:
        return b" ".join(record.key or b"" for records in iter(lambda: consumer.poll(0), []) for record in records)
    finally:
        consumer.close()
