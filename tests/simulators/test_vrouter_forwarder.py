"""The simulated vrouter forwards between taps, keeps networks apart, and cleans up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cni.interface import interface_of
from cni.netlink import Label, Netlink
from cni.requests import Attachment
from cni.vrouter import VrouterAgent
from simulators.vrouter.config import StaticConfig
from simulators.vrouter.forwarder import bridge_name, tunnel_id
from simulators.vrouter.server import VrouterSimulator
from simulators.vrouter.underlay import FABRIC, Underlay, UnderlayNode
from tests.cni.nodes import sandboxes, wait_for
from tests.cni.rows import NETWORK_UUID, configured, row, uid_of
from tests.rigs.netns import inside, links, ping

pytestmark = pytest.mark.netns

OTHER_NETWORK = "5c3f2b6e-0000-4000-8000-000000000002"
PODS = (
    row("a", uid_of(1), "10.47.255.250"),
    row("b", uid_of(2), "10.47.255.249"),
    row("c", uid_of(3), "10.47.255.248", network_uuid=OTHER_NETWORK),
)
ROOT = Path(__file__).parents[2]


@pytest.fixture
def node(underlay: Underlay) -> Iterator[UnderlayNode]:
    yield underlay.add("node-a")


def _simulator(node: UnderlayNode, fabric: str | None = FABRIC) -> VrouterSimulator:
    return VrouterSimulator(config=StaticConfig(*(configured(pod) for pod in PODS)), netns=node.netns, fabric=fabric)


def _plug(node: UnderlayNode, netns: str, number: int, *, announce: bool = True) -> str:
    """Plug pod `number` into a namespace; returns the name of its tap."""
    interface = interface_of((PODS[number],), "eth0", 1500)
    container = Attachment(f"c{number}", "eth0")

    def work() -> None:
        Netlink().plug(interface, netns, Label("test", container))
        if announce:
            VrouterAgent("127.0.0.1", 9091, timeout=5).announce(interface, container, netns, wait=5)

    inside(node.netns, work)
    return interface.tap


def _bridges(node: UnderlayNode) -> set[str]:
    return {name for name in links(node.netns) if name.startswith(("vrb", "vrx"))}


def test_pods_of_one_network_meet_and_of_two_do_not(node: UnderlayNode) -> None:
    with _simulator(node), sandboxes(3) as (a, b, c):
        for number, space in enumerate((a, b, c)):
            _plug(node, space, number)
        assert ping(a, "10.47.255.249") and ping(b, "10.47.255.250")
        assert all(ping(space, "10.47.255.254") for space in (a, b, c))
        assert ping(node.netns, "10.47.255.250") and ping(node.netns, "10.47.255.248")
        assert not ping(a, "10.47.255.248", within=0.5)
    assert _bridges(node) == set()


def test_the_last_tap_takes_its_bridge_along(node: UnderlayNode) -> None:
    with _simulator(node), sandboxes(2) as (a, b):
        _plug(node, a, 0)
        _plug(node, b, 1)
        assert bridge_name(NETWORK_UUID) in _bridges(node)
        agent = VrouterAgent("127.0.0.1", 9091, timeout=5)
        inside(node.netns, lambda: agent.withdraw(uid_of(1)))
        assert bridge_name(NETWORK_UUID) in _bridges(node)
        inside(node.netns, lambda: agent.withdraw(uid_of(2)))
        assert _bridges(node) == set()


def test_a_tap_that_comes_after_its_announcement_is_forwarded(node: UnderlayNode) -> None:
    with _simulator(node), sandboxes(2) as (a, b):
        _plug(node, a, 0)
        interface = interface_of((PODS[1],), "eth0", 1500)
        agent = VrouterAgent("127.0.0.1", 9091, timeout=5)
        inside(node.netns, lambda: agent.announce(interface, Attachment("c1", "eth0"), b, wait=5))
        _plug(node, b, 1, announce=False)
        assert ping(a, "10.47.255.249")


def test_without_a_fabric_the_node_is_alone(underlay: Underlay, node: UnderlayNode) -> None:
    other = underlay.add("node-b")
    with _simulator(node, None), _simulator(other, None), sandboxes(2) as (a, b):
        _plug(node, a, 0)
        _plug(other, b, 1)
        assert not ping(a, "10.47.255.249", within=0.5)
        assert {name[:3] for name in _bridges(node)} == {"vrb"}


def test_three_nodes_share_a_network_and_each_answers_for_the_gateway(underlay: Underlay, node: UnderlayNode) -> None:
    b, c = underlay.add("node-b"), underlay.add("node-c")
    third = row("d", uid_of(4), "10.47.255.247")
    with _simulator(node), _simulator(b), sandboxes(3) as spaces:
        with VrouterSimulator(config=StaticConfig(configured(third)), netns=c.netns, fabric=FABRIC):
            _plug(node, spaces[0], 0)
            _plug(b, spaces[1], 1)
            interface = interface_of((third,), "eth0", 1500)

            def work() -> None:
                Netlink().plug(interface, spaces[2], Label("test", Attachment("c9", "eth0")))
                VrouterAgent("127.0.0.1", 9091, timeout=5).announce(
                    interface, Attachment("c9", "eth0"), spaces[2], wait=5
                )

            inside(c.netns, work)
            for space, others in zip(spaces, ((249, 247), (250, 247), (250, 249)), strict=True):
                assert all(ping(space, f"10.47.255.{last}") for last in (*others, 254))
            # With the third node gone its pod is, and the gateway of the others is not.
        assert not ping(spaces[0], "10.47.255.247", within=0.5)
        assert ping(spaces[0], "10.47.255.254") and ping(spaces[0], "10.47.255.249")


def test_full_sized_packets_cross_the_fabric(underlay: Underlay, node: UnderlayNode) -> None:
    b = underlay.add("node-b")
    with _simulator(node), _simulator(b), sandboxes(2) as (first, second):
        _plug(node, first, 0)
        _plug(b, second, 1)
        assert ping(first, "10.47.255.249")
        assert ping(first, "10.47.255.249", size=1500)


def test_as_a_process_it_serves_and_a_killed_one_leaves_nothing_to_the_next(node: UnderlayNode) -> None:
    program = [sys.executable, "-m", "simulators.vrouter", "--node", "node-a", "--netns", node.netns]
    program += ["--contrail-api", "http://127.0.0.1:1", "--fabric", FABRIC]

    def start() -> subprocess.Popen[str]:
        process = subprocess.Popen(program, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=dict(os.environ))
        assert process.stdout is not None
        assert "http://127.0.0.1:9091" in process.stdout.readline()
        return process

    with sandboxes(1) as (a,):
        first = start()
        _plug(node, a, 0)
        wait_for(lambda: _bridges(node) == {bridge_name(NETWORK_UUID), f"vrx{bridge_name(NETWORK_UUID)[3:]}"}, "bridge")
        first.kill()
        first.communicate()
        second = start()
        assert _bridges(node) == set()
        second.send_signal(signal.SIGTERM)
        second.communicate(timeout=20)
        assert (first.returncode, second.returncode) == (-signal.SIGKILL, 0)


def test_a_namespace_that_is_not_there_is_an_error_at_start(netns_suite: None) -> None:
    with pytest.raises(FileNotFoundError, match="no-such"):
        VrouterSimulator(config=StaticConfig(), netns="/run/netns/no-such").start()


def test_networks_have_their_own_tunnel_numbers() -> None:
    numbers = {tunnel_id(uid_of(n)) for n in range(200)}
    assert len(numbers) == 200 and all(0 < n < 1 << 24 for n in numbers)
