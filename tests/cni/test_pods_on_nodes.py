"""Pods on simulated nodes, plugged as kubelet would: plugin processes, real namespaces, a vrouter that forwards."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cni.addresses import PodAddress
from simulators.vrouter.underlay import Underlay
from tests.cni.nodes import Node, sandboxes
from tests.cni.rows import row, six, uid_of
from tests.rigs.netns import links, ping

pytestmark = pytest.mark.netns

A = row("web-0", uid_of(1), "10.47.255.250")
B = row("web-1", uid_of(2), "10.47.255.249")


def test_two_pods_of_a_node_ping_each_other_and_leave_nothing(underlay: Underlay, tmp_path: Path) -> None:
    with Node(underlay, "node-a", tmp_path / "a") as node, sandboxes(2) as (first, second):
        node.know(A, B)
        one = node.kubelet.add("c1", first, "shop/web-0", A.pod_uid)
        two = node.kubelet.add("c2", second, "shop/web-1", B.pod_uid)
        assert (one.code, two.code) == (0, 0), (one, two, node.log.read_text())
        assert ping(first, "10.47.255.249") and ping(second, "10.47.255.250")
        assert ping(first, "10.47.255.254")
        assert node.kubelet.delete("c1", first, "shop/web-0", A.pod_uid).code == 0
        assert node.kubelet.delete("c2", second, "shop/web-1", B.pod_uid).code == 0
        assert node.leftovers() == []


def test_one_add_plugs_two_interfaces_that_work_and_one_del_leaves_nothing(underlay: Underlay, tmp_path: Path) -> None:
    both = [(pod, _second(pod, number)) for number, pod in ((1, A), (2, B))]
    with Node(underlay, "node-a", tmp_path / "a") as node, sandboxes(2) as spaces:
        for (pod, other), netns in zip(both, spaces, strict=True):
            node.know(pod, other)
            answer = node.kubelet.add(pod.pod, netns, f"shop/{pod.pod}", pod.pod_uid)
            assert answer.code == 0, (answer, node.log.read_text())
            assert [i["name"] for i in answer.output["interfaces"][1::2]] == ["eth0", "net1"]
        assert len(node.taps()) == 4 and links(spaces[0]) == {"lo", "eth0", "net1"}
        assert ping(spaces[0], "10.47.255.249") and ping(spaces[0], "10.1.0.2") and ping(spaces[1], "10.1.0.1")
        for pod, netns in ((A, spaces[0]), (B, spaces[1])):
            assert node.kubelet.delete(pod.pod, netns, f"shop/{pod.pod}", pod.pod_uid).code == 0
        assert node.leftovers() == [] and links(spaces[0]) == {"lo"}


def _second(pod: PodAddress, number: int) -> PodAddress:
    """Row of net1 of the pod, in a network of its own."""
    uuid = pod.interface_uuid[:-1] + "b"
    where = {"network_uuid": "5c3f2b6e-0000-4000-8000-000000000002", "gateway": "10.1.255.254", "prefix_len": 16}
    return replace(
        pod, interface="net1", interface_uuid=uuid, mac=f"02:00:00:00:01:0{number}", address=f"10.1.0.{number}", **where
    )


def test_pods_of_two_nodes_ping_each_other(underlay: Underlay, tmp_path: Path) -> None:
    with (
        Node(underlay, "node-a", tmp_path / "a") as a,
        Node(underlay, "node-b", tmp_path / "b") as b,
        sandboxes(2) as (first, second),
    ):
        a.know(A, six(A, "fd00:10:32::fffc"))
        b.know(B, six(B, "fd00:10:32::fffb"))
        one = a.kubelet.add("c1", first, "shop/web-0", A.pod_uid)
        two = b.kubelet.add("c2", second, "shop/web-1", B.pod_uid)
        assert (one.code, two.code) == (0, 0), (one, two)
        assert ping(first, "10.47.255.249") and ping(second, "10.47.255.250")
        assert ping(first, "fd00:10:32::fffb") and ping(second, "fd00:10:32::fffc")
        assert ping(first, "10.47.255.254") and ping(second, "10.47.255.254")
