"""Pods on simulated nodes, plugged as kubelet would: plugin processes, real namespaces, a vrouter that forwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulators.vrouter.underlay import Underlay
from tests.cni.nodes import Node, sandboxes
from tests.cni.rows import row, six, uid_of
from tests.rigs.netns import ping

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
