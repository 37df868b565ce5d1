"""Agents that are killed in the middle of an ADD, and everything else that comes at the wrong time, on real nodes."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulators.vrouter.underlay import Underlay
from tests.cni.nodes import Node, sandboxes, wait_for
from tests.cni.rows import pending, row, uid_of
from tests.rigs.kubelet import variables
from tests.rigs.netns import links, ping

pytestmark = pytest.mark.netns

A = row("web-0", uid_of(1), "10.47.255.250")
B = row("web-1", uid_of(2), "10.47.255.249")
POINTS = [
    "begin:before",
    "begin:after",
    "plug:before",
    "plug:after",
    "announce:before",
    "announce:after",
    "port:before",
    "port:after",
    "put:before",
    "put:after",
]


@pytest.fixture
def node(underlay: Underlay, tmp_path: Path) -> Iterator[Node]:
    with Node(underlay, "node-a", tmp_path / "a") as made:
        yield made


def _killed_in_add(node: Node, netns: str, point: str) -> None:
    node.stop_agent()
    node.start_agent(crash=point)
    answer = node.kubelet.add("c1", netns, "shop/web-0", A.pod_uid)
    assert answer.code == 1 and answer.output["code"] == 11, answer
    node.wait_for_death()
    node.start_agent()


@pytest.mark.parametrize("point", POINTS)
def test_case_82_del_reclaims_after_a_kill_anywhere_in_add(node: Node, point: str) -> None:
    node.know(A)
    with sandboxes(1) as (netns,):
        _killed_in_add(node, netns, point)
        assert node.kubelet.delete("c1", netns, "shop/web-0", A.pod_uid).code == 0
        assert node.leftovers() == [] and links(netns) == {"lo"}


@pytest.mark.parametrize("point", POINTS)
def test_case_82_the_next_add_succeeds_after_a_kill_anywhere_in_add(node: Node, point: str) -> None:
    node.know(A, B)
    with sandboxes(3) as (netns, again, other):
        _killed_in_add(node, netns, point)
        # A runtime makes a new sandbox for the pod, and its DEL of the old one may come late.
        answer = node.kubelet.add("c2", again, "shop/web-0", A.pod_uid)
        assert answer.code == 0, (answer, node.log.read_text())
        assert node.kubelet.delete("c1", netns, "shop/web-0", A.pod_uid).code == 0
        assert node.kubelet.add("c3", other, "shop/web-1", B.pod_uid).code == 0
        assert ping(again, "10.47.255.249") and len(node.taps()) == 2
        node.kubelet.delete("c2", again, "shop/web-0", A.pod_uid)
        node.kubelet.delete("c3", other, "shop/web-1", B.pod_uid)
        assert node.leftovers() == []


def test_case_82_the_start_after_a_kill_undoes_the_add_by_itself(node: Node) -> None:
    node.know(A)
    with sandboxes(1) as (netns,):
        _killed_in_add(node, netns, "announce:after")
        wait_for(lambda: node.leftovers() == [], "the unfinished ADD to be undone")


def test_an_agent_killed_between_requests_keeps_pods_connected(node: Node) -> None:
    node.know(A, B)
    with sandboxes(2) as (first, second):
        one = node.kubelet.add("c1", first, "shop/web-0", A.pod_uid)
        node.kill_agent()
        node.start_agent()
        assert node.kubelet.add("c1", first, "shop/web-0", A.pod_uid) == one
        assert node.kubelet.add("c2", second, "shop/web-1", B.pod_uid).code == 0
        assert ping(first, "10.47.255.249")
        check = node.kubelet.run("CHECK", stdin={"prevResult": one.output}, **variables("c1", first, "shop/web-0"))
        assert check.code == 0, check


def test_case_82_a_plugin_killed_by_its_runtime_leaves_nothing_plugged(node: Node) -> None:
    node.store.append(pending(name="web-0", uid=A.pod_uid))
    with sandboxes(1) as (netns,):
        plugin = node.kubelet.spawn("ADD", **variables("c1", netns, "shop/web-0", A.pod_uid))
        wait_for(node.store.asked.exists, "the agent's first look at the store")
        plugin.send_signal(signal.SIGKILL)
        plugin.communicate()
        assert node.kubelet.delete("c1", netns, "shop/web-0", A.pod_uid).code == 0
        node.store.write()
        node.know(A)
        wait_for(lambda: "given this request up" in node.log.read_text(), "the end of the wait")
        assert node.leftovers() == [] and links(netns) == {"lo"}


def test_case_83_add_repeated_gives_the_same_result_and_one_port(node: Node) -> None:
    node.know(A)
    with sandboxes(1) as (netns,):
        answers = [node.kubelet.add("c1", netns, "shop/web-0", A.pod_uid) for _ in range(3)]
        assert answers[0].code == 0 and answers[1:] == answers[:-1]
        assert len(node.taps()) == 1 and node.vrouter is not None and len(node.vrouter.announced) == 1


def test_case_81_a_late_del_of_the_old_sandbox_keeps_the_new_one(node: Node) -> None:
    node.know(A, B)
    with sandboxes(3) as (old, new, other):
        for container, netns, pod in (("old", old, A), ("new", new, A), ("o", other, B)):
            assert node.kubelet.add(container, netns, f"shop/{pod.pod}", pod.pod_uid).code == 0
        assert node.kubelet.delete("old", old, "shop/web-0", A.pod_uid).code == 0
        assert ping(new, "10.47.255.249") and links(old) == {"lo"}


def test_case_80_del_with_the_vrouter_agent_down_is_caught_up_when_it_is_back(node: Node) -> None:
    node.know(A)
    with sandboxes(1) as (netns,):
        assert node.kubelet.add("c1", netns, "shop/web-0", A.pod_uid).code == 0
        node.stop_vrouter()
        began = time.monotonic()
        assert node.kubelet.delete("c1", "", "", "").code == 0
        assert time.monotonic() - began < 5
        (queued,) = (node.state_dir / "withdrawals").glob("*.json")
        assert json.loads(queued.read_text())["machine_uuid"] == A.pod_uid
        node.kill_agent()
        node.start_vrouter()
        node.start_agent()
        wait_for(lambda: node.leftovers() == [], "the withdrawal")


def test_add_with_the_vrouter_agent_down_fails_with_11_and_leaves_nothing(node: Node) -> None:
    node.know(A)
    node.stop_vrouter()
    with sandboxes(1) as (netns,):
        answer = node.kubelet.add("c1", netns, "shop/web-0", A.pod_uid)
        assert answer.output["code"] == 11 and "vrouter agent" in answer.output["msg"]
        assert links(netns) == {"lo"} and node.taps() == set()
        node.start_vrouter()
        wait_for(lambda: node.leftovers() == [], "the withdrawal", within=15)


def test_a_vrouter_agent_that_restarts_forwards_again(node: Node) -> None:
    node.know(A, B)
    with sandboxes(2) as (first, second):
        node.kubelet.add("c1", first, "shop/web-0", A.pod_uid)
        node.kubelet.add("c2", second, "shop/web-1", B.pod_uid)
        node.stop_vrouter()
        assert not ping(first, "10.47.255.249", within=0.5)
        node.start_vrouter()
        assert ping(first, "10.47.255.249")


def test_case_28_and_85_waiting_pods_hear_why_and_come_up_later(underlay: Underlay, tmp_path: Path) -> None:
    with Node(underlay, "node-a", tmp_path / "a", deadline=1.0) as node, sandboxes(1) as (netns,):
        answer = node.kubelet.add("c1", netns, "shop/web-0", A.pod_uid)
        assert answer.output["code"] == 11 and "not in the store yet" in answer.output["msg"]
        node.store.append(pending(name="web-0", uid=A.pod_uid, state="blocked", reason="blocked by project k8s-shop"))
        answer = node.kubelet.add("c1", netns, "shop/web-0", A.pod_uid)
        assert "blocked by project k8s-shop" in answer.output["msg"]
        (tmp_path / "a" / "rows.json").unlink()
        answer = node.kubelet.add("c1", netns, "shop/web-0", A.pod_uid)
        assert answer.output["code"] == 11 and "rows.json is away" in answer.output["msg"]
        node.store.write()
        node.know(A)
        assert node.kubelet.add("c1", netns, "shop/web-0", A.pod_uid).code == 0


def test_case_91_a_malformed_row_is_code_7_and_leaves_nothing(node: Node) -> None:
    node.store.append(row("web-0", A.pod_uid, gateway="10.47.255"))
    with sandboxes(1) as (netns,):
        answer = node.kubelet.add("c1", netns, "shop/web-0", A.pod_uid)
        assert answer.output["code"] == 7 and "gateway" in answer.output["msg"]
        assert links(netns) == {"lo"} and node.leftovers() == []


def test_case_88_gc_status_and_check_through_the_plugin(node: Node) -> None:
    node.know(A, B)
    with sandboxes(2) as (first, second):
        one = node.kubelet.add("c1", first, "shop/web-0", A.pod_uid)
        node.kubelet.add("c2", second, "shop/web-1", B.pod_uid)
        assert node.kubelet.run("STATUS").code == 0
        kept = {"cni.dev/valid-attachments": [{"containerID": "c1", "ifname": "eth0"}]}
        assert node.kubelet.run("GC", stdin=kept).code == 0
        assert len(node.taps()) == 1 and links(second) == {"lo"}
        check = {"stdin": {"prevResult": one.output}, **variables("c1", first, "shop/web-0", A.pod_uid)}
        assert node.kubelet.run("CHECK", **check).code == 0
        subprocess.run(["ip", "-n", Path(first).name, "addr", "flush", "dev", "eth0"], check=True)
        tampered = node.kubelet.run("CHECK", **check)
        assert tampered.output["code"] == 101 and "lacks address" in tampered.output["msg"]
        node.stop_vrouter()
        assert node.kubelet.run("STATUS").output["code"] == 51
        node.stop_agent()
        assert node.kubelet.run("STATUS").output["code"] == 50


def test_case_99_sigterm_ends_the_agent_in_order(node: Node) -> None:
    node.store.append(pending(name="web-0", uid=A.pod_uid))
    with sandboxes(1) as (netns,):
        plugin = node.kubelet.spawn("ADD", **variables("c1", netns, "shop/web-0", A.pod_uid))
        wait_for(node.store.asked.exists, "the agent's first look at the store")
        assert node.stop_agent() == 0
        output, _ = plugin.communicate(timeout=10)
        assert json.loads(output)["code"] == 11 and "stopping" in json.loads(output)["msg"]
        assert not node.socket.exists()


@pytest.mark.slow
def test_case_86_a_hundred_and_ten_pods_come_up_at_once(node: Node) -> None:
    pods = [row(f"web-{i}", uid_of(i + 1), f"10.47.254.{i + 1}") for i in range(110)]
    node.know(*pods)
    # A torn record of before the restart, and no clock to tell its age by.
    node.stop_agent()
    (node.state_dir / "records" / "dead-eth0.json").write_text('{"format": 1, "attach')
    node.start_agent()
    with sandboxes(110) as spaces:
        running = [
            node.kubelet.spawn("ADD", **variables(f"c{i}", space, f"shop/web-{i}", pods[i].pod_uid))
            for i, space in enumerate(spaces)
        ]
        outputs = [(process.communicate()[0], process.returncode) for process in running]
        assert [output for output, code in outputs if code != 0] == []
        assert len(node.taps()) == 110
        assert ping(spaces[0], "10.47.254.110") and ping(spaces[109], "10.47.254.1")
        kept: dict[str, list[str]] = {"cni.dev/valid-attachments": []}
        assert node.kubelet.run("GC", stdin=kept).code == 0
        assert node.kubelet.delete("dead", "", "", "").code == 0
        assert node.leftovers() == []
