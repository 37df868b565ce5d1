"""`python -m cni` as a node runs it: its own process, a real PostgreSQL, the real view, real namespaces."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.engine import make_url

from console.postgres import EmbeddedPostgres
from simulators.vrouter.config import StaticConfig
from simulators.vrouter.server import VrouterSimulator
from simulators.vrouter.underlay import Underlay
from tests.cni.nodes import sandboxes, wait_for
from tests.cni.rows import UID, configured, row
from tests.cni.stored import apply_pod, insert_pod
from tests.rigs.kubelet import Kubelet, variables
from tests.rigs.netns import inside, links, ping
from tests.rigs.services import Service, Services, services

pytestmark = [pytest.mark.netns, pytest.mark.postgres]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Services]:
    with services(tmp_path) as made:
        yield made


def _start(running: Services, netns: str, directory: Path, url: str) -> Service:
    environment = {
        "CONTRAIL_KUBE_CNI_NODE_NAME": "node-a",
        "CONTRAIL_KUBE_CNI_SOCKET": str(directory / "cni.sock"),
        "CONTRAIL_KUBE_CNI_STATE_DIR": str(directory / "state"),
        "CONTRAIL_KUBE_CNI_PORTS_DIR": str(directory / "ports"),
        "CONTRAIL_KUBE_DATABASE_URL": url,
        "CONTRAIL_KUBE_PROCESS_HEALTH_PORT": "9464",
    }
    (directory / "cni.sock").unlink(missing_ok=True)  # a killed agent leaves it, and the wait below would see it
    service = running.start("cni", environment, netns=netns)
    running.wait("the agent's socket", (directory / "cni.sock").exists)
    return service


def _probe(netns: str, path: str) -> tuple[int, str]:
    def get() -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:9464{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    return inside(netns, get)


def test_a_pod_is_plugged_from_the_real_store_and_unplugged_without_it(
    underlay: Underlay,
    tmp_path: Path,
    running: Services,
    postgres_server: EmbeddedPostgres,
    store_engine: Engine,
    database_url: str,
) -> None:
    node = underlay.add("node-a")
    url = postgres_server.socket_url(make_url(database_url).database or "")
    kubelet = Kubelet(tmp_path, socket=tmp_path / "cni.sock")
    config = StaticConfig(configured(row()))
    with VrouterSimulator(config=config, netns=node.netns, ports_dir=tmp_path / "ports"), sandboxes(1) as (pod,):
        service = _start(running, node.netns, tmp_path, url)
        wait_for(lambda: _probe(node.netns, "/readyz")[0] == 200, "readiness")
        insert_pod(store_engine)
        plugin = kubelet.spawn("ADD", **variables("c1", pod, "shop/web-0", UID))
        apply_pod(store_engine)
        output, _ = plugin.communicate(timeout=30)
        assert plugin.returncode == 0, (output, service.tail())
        assert ping(pod, "10.47.255.254") and ping(node.netns, "10.47.255.250")
        assert 'requests_total{code="0",command="ADD"} 1.0' in _probe(node.netns, "/metrics")[1]
        assert _probe(node.netns, "/livez") == (200, "ok\n")
        service.kill()
        service = _start(running, node.netns, tmp_path, "postgresql://postgres@127.0.0.1:1/away")
        assert kubelet.delete("c1", pod, "shop/web-0", UID).code == 0
        assert links(pod) == {"lo"} and links(node.netns) == {"lo", "fabric0"}
        wait_for(lambda: "store: could not read pod addresses" in _probe(node.netns, "/readyz")[1], "the reason")
        assert service.terminate() == 0


def test_case_89_the_database_password_is_nowhere_in_the_log(
    underlay: Underlay, tmp_path: Path, running: Services
) -> None:
    node = underlay.add("node-a")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"postgresql://node:correct-horse@127.0.0.1:{nobody.getsockname()[1]}/none"
        service = _start(running, node.netns, tmp_path, url)
        kubelet = Kubelet(tmp_path, socket=tmp_path / "cni.sock")
        with VrouterSimulator(config=StaticConfig(), netns=node.netns):
            answer = kubelet.run("STATUS")
        assert answer.output["code"] == 50 and "could not read pod addresses" in answer.output["msg"]
        assert "correct-horse" not in service.tail(100_000) + str(answer)
