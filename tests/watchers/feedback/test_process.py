"""The feedback as a process: settings, health, signals; killed in the middle of its work, and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from console.ports import free_port
from tests.rigs.services import services
from tests.watchers.feedback.scene import Scene
from tests.watchers.patience import eventually


@pytest.mark.process
def test_a_setting_that_nobody_reads_ends_the_process_with_2(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "CONTRAIL_KUBE_FEEDBACK_INTERVALL": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "watchers", "feedback"], env=environment, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 2
    assert "CONTRAIL_KUBE_FEEDBACK_INTERVALL is not a setting; did you mean" in done.stderr


@pytest.mark.kubernetes
@pytest.mark.postgres
@pytest.mark.slow
def test_killed_in_the_middle_of_its_work_it_writes_everything_and_nothing_twice(
    scene: Scene, database_url: str, store_engine: Engine, tmp_path: Path
) -> None:
    balancers = [f"web-{number:02}" for number in range(20)]
    wrong = [f"wrong-{number:02}" for number in range(20)]
    pods = [f"pod-{number:02}" for number in range(20)]
    for name in balancers:
        scene.service(name)
    for name in wrong:
        scene.service(name, annotations={"opencontrail.org/fip-pool": "?"})
    for name in pods:
        scene.pod(name)
    scene.apply()
    environment = {
        "CONTRAIL_KUBE_FEEDBACK_KUBECONFIG": str(scene.admin.write_kubeconfig(tmp_path / "kubeconfig")),
        "CONTRAIL_KUBE_FEEDBACK_LEASE_NAME": f"killed-{scene.namespace}",
        "CONTRAIL_KUBE_FEEDBACK_LEASE_SECONDS": "1",
        "CONTRAIL_KUBE_FEEDBACK_INTERVAL": "0.1",
        "CONTRAIL_KUBE_FEEDBACK_SETTLE_SECONDS": "0",
        "CONTRAIL_KUBE_FEEDBACK_RESYNC_SECONDS": "1",
        "CONTRAIL_KUBE_FEEDBACK_WRITES_PER_SECOND": "25",
        "CONTRAIL_KUBE_FEEDBACK_EVENTS_PER_SECOND": "10",
        "CONTRAIL_KUBE_DATABASE_URL": database_url,
    }

    def done() -> int:
        listed = scene.admin.request("GET", f"/api/v1/namespaces/{scene.namespace}/services")["items"]
        annotated = scene.admin.request("GET", f"/api/v1/namespaces/{scene.namespace}/pods")["items"]
        announced = sum(bool(each["status"]["loadBalancer"].get("ingress")) for each in listed)
        return announced + len(scene.events()) + sum(bool(each["metadata"].get("annotations")) for each in annotated)

    with services(tmp_path) as running:
        process = running.start("watchers.feedback", environment)
        for progress in (3, 15, 35):
            running.wait(f"{progress} writes", lambda progress=progress: done() >= progress)  # type: ignore[misc]
            process.kill()
            process.start()
        running.wait("all of it", lambda: done() == len(balancers) + len(wrong) + len(pods))
        with store_engine.begin() as connection:
            connection.execute(text("UPDATE told_event SET count = 0, told_at = NULL"))  # as if killed before the tick
            connection.execute(text("DELETE FROM written_back"))
        versions = {name: scene.version("Service", name) for name in balancers}
        rows = "SELECT FROM written_back"
        running.wait("written again", lambda: len(scene.rows(rows)) == len(balancers) + len(pods))
        told = "SELECT FROM told_event WHERE count = 1"
        running.wait("told again", lambda: len(scene.rows(told)) == len(wrong))
        assert process.terminate(within=15) == 0
    assert {name: scene.version("Service", name) for name in balancers} == versions, "an equal apply changes nothing"
    assert sorted(each["regarding"]["name"] for each in scene.events()) == wrong, "each once"


@pytest.mark.kubernetes
@pytest.mark.postgres
def test_it_says_how_it_is_and_ends_when_told(scene: Scene, database_url: str, tmp_path: Path) -> None:
    environment = {
        "CONTRAIL_KUBE_FEEDBACK_KUBECONFIG": str(scene.admin.write_kubeconfig(tmp_path / "kubeconfig")),
        "CONTRAIL_KUBE_FEEDBACK_LEASE_NAME": f"process-{scene.namespace}",
        "CONTRAIL_KUBE_DATABASE_URL": database_url.replace("/test_", "/absent_"),
        "CONTRAIL_KUBE_PROCESS_HEALTH_PORT": str(port := free_port()),
    }

    def asked(path: str) -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=5) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            return str(error.read().decode())
        except OSError:
            return ""

    with services(tmp_path) as running:
        process = running.start("watchers.feedback", environment)
        running.wait("the store is named", lambda: 'database "absent_' in asked("readyz"))
        assert process.terminate(within=15) == 0
    environment["CONTRAIL_KUBE_DATABASE_URL"] = database_url
    with services(tmp_path) as running:
        process = running.start("watchers.feedback", environment, name="again")
        running.wait("it is ready", lambda: asked("readyz") == "ok\n")
        assert "contrail_kube_feedback_leading 1.0" in asked("metrics")
        os.kill(process.pid, signal.SIGTERM)
        eventually(lambda: not process.running)
        assert process.terminate() == 0
        assert "stopped" in process.tail()
