"""The port API client against the simulated agent, and against servers that misbehave."""

from __future__ import annotations

import contextlib
import http.server
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cni.interface import interface_of
from cni.requests import Attachment
from cni.vrouter import ConfiguredPorts, PortFiles, PortState, VrouterAgent
from schemas.errors import AgentRefused, AgentUnavailable
from simulators.vrouter.config import StaticConfig
from simulators.vrouter.server import VrouterSimulator
from tests.cni.rows import UID, configured, row

pytestmark = pytest.mark.process

VMI = row().interface_uuid
INTERFACE = interface_of((row(),), "eth0", 1500)
CONTAINER = Attachment("c1", "eth0")


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[VrouterSimulator]:
    config = StaticConfig(configured(row()))
    with VrouterSimulator(config=config, port=0, forward=False, ports_dir=tmp_path / "ports") as running:
        yield running


def test_a_port_is_announced_seen_and_withdrawn(simulator: VrouterSimulator) -> None:
    agent = VrouterAgent("127.0.0.1", simulator.port, timeout=5)
    agent.check()
    assert agent.port(UID, VMI, wait=5) is None
    agent.announce(INTERFACE, CONTAINER, "/run/netns/x", wait=5)
    agent.announce(INTERFACE, CONTAINER, "/run/netns/x", wait=5)
    assert agent.port(UID, VMI, wait=5) == PortState(VMI, INTERFACE.tap, row().mac, "10.47.255.250")
    agent.withdraw(UID)
    agent.withdraw(UID)
    assert agent.port(UID, VMI, wait=5) is None and simulator.announced == ()


def test_a_sub_interface_is_there_by_configuration_and_nothing_is_told_of_it(tmp_path: Path) -> None:
    nested = row(vlan=7)
    interface = interface_of((nested,), "eth0", 1500)
    config = StaticConfig(configured(nested, parent="5c3f2b6e-0000-4000-8000-0000000000c1"))
    with VrouterSimulator(config=config, port=0, forward=False, ports_dir=tmp_path / "ports") as running:
        agent = ConfiguredPorts(VrouterAgent("127.0.0.1", running.port, timeout=5))
        agent.check()
        agent.announce(interface, CONTAINER, "/run/netns/x", wait=5)
        port = agent.port(UID, VMI, wait=5)
        assert port is not None and port.vlan == 7 and port.serves(interface)
        assert not port.serves(INTERFACE) and not port.serves(interface_of((row(vlan=8),), "eth0", 1500))
        agent.withdraw(UID)
        assert running.announced == () and agent.port(UID, VMI, wait=5) == port
    assert not list((tmp_path / "ports").glob("*"))


def test_a_port_that_is_no_sub_interface_does_not_serve_a_nested_pod(simulator: VrouterSimulator) -> None:
    agent = VrouterAgent("127.0.0.1", simulator.port, timeout=5)
    agent.announce(INTERFACE, CONTAINER, "/run/netns/x", wait=5)
    port = agent.port(UID, VMI, wait=5)
    assert port is not None and not port.serves(interface_of((row(vlan=7),), "eth0", 1500))


def test_the_files_that_the_agent_leaves_are_removed(simulator: VrouterSimulator, tmp_path: Path) -> None:
    agent, files = VrouterAgent("127.0.0.1", simulator.port, timeout=5), PortFiles(tmp_path / "ports")
    agent.announce(INTERFACE, CONTAINER, "/run/netns/x", wait=5)
    agent.withdraw(UID)
    assert (tmp_path / "ports" / "k8s__shop__web-0" / row().interface_uuid).exists()
    files.remove("k8s__shop__web-0", row().interface_uuid)
    files.remove("k8s__shop__web-0", row().interface_uuid)
    assert list((tmp_path / "ports").iterdir()) == []


def test_a_refusal_is_told_in_the_agents_words(simulator: VrouterSimulator, tmp_path: Path) -> None:
    (tmp_path / "ports" / "k8s__shop__web-0").write_text("in the way")
    with pytest.raises(AgentRefused, match="500 Writing of Json string to file failed"):
        VrouterAgent("127.0.0.1", simulator.port, timeout=5).announce(INTERFACE, CONTAINER, "/x", wait=5)


def test_an_absent_agent_is_unavailable() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        agent = VrouterAgent("127.0.0.1", probe.getsockname()[1], timeout=1)
        for call in (agent.check, lambda: agent.port(UID, VMI, wait=5), lambda: agent.withdraw(UID)):
            with pytest.raises(AgentUnavailable, match="refused"):
                call()


def test_an_agent_that_hangs_is_unavailable_after_the_timeout() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with pytest.raises(AgentUnavailable, match="timed out"):
            VrouterAgent("127.0.0.1", listener.getsockname()[1], timeout=0.2).check()


@contextmanager
def _answering(status: int, text: bytes) -> Iterator[int]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("text", [b"nonsense", b"{}x", b"[1]", b'[{"id": "x"}]', b"\xff\xfe", b"null", b"[" * 5000])
def test_case_96_an_answer_that_cannot_be_read_is_refused(text: bytes) -> None:
    with _answering(200, text) as port, pytest.raises(AgentRefused, match="cannot read"):
        VrouterAgent("127.0.0.1", port, timeout=5).port(UID, VMI, wait=5)


def test_somebody_else_on_the_port_is_refused() -> None:
    with _answering(403, b"<html>forbidden</html>") as port, pytest.raises(AgentRefused, match="403"):
        VrouterAgent("127.0.0.1", port, timeout=5).check()


def test_an_agent_with_too_much_to_do_is_not_asked_more(simulator: VrouterSimulator) -> None:
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        agent = VrouterAgent("127.0.0.1", listener.getsockname()[1], timeout=30)
        hanging = [threading.Thread(target=lambda: _ignore(agent.check)) for _ in range(4)]
        for thread in hanging:
            thread.start()
        accepted = [stack.enter_context(listener.accept()[0]) for _ in hanging]
        with pytest.raises(AgentUnavailable, match="does not keep up"):
            agent.port(UID, VMI, wait=0.05)
        for peer in accepted:
            peer.shutdown(socket.SHUT_RDWR)
        for thread in hanging:
            thread.join()


def _ignore(call: Callable[[], None]) -> None:
    with contextlib.suppress(AgentUnavailable):
        call()
