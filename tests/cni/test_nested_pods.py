"""Nested pods as kubelet would make them: tagged frames over the one interface of a machine, switched by its host.

Where the kernel has no 802.1Q, a process plays it with TAP devices (tests/rigs/vlans.py); the macvlan that the pod has
above it, its addresses and routes are the kernel's own.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cni.answers import NOT_AS_ADDED
from tests.cni.machines import Host, Machine
from tests.cni.nodes import sandboxes, wait_for
from tests.cni.rows import row, uid_of
from tests.rigs.kubelet import variables
from tests.rigs.netns import links, ping

pytestmark = pytest.mark.netns

A = row("web-0", uid_of(1), "10.47.255.250")
B = row("web-1", uid_of(2), "10.47.255.249")
C = row("web-2", uid_of(3), "10.47.255.248")


@pytest.fixture
def machine(netns_suite: None, tmp_path: Path) -> Iterator[Machine]:
    with Host(tmp_path, "vm-a") as host:
        yield host.machines[0]


def _add(machine: Machine, pod: str, netns: str, uid: str, container: str = "") -> None:
    answer = machine.kubelet.add(container or pod, netns, f"shop/{pod}", uid)
    assert answer.code == 0, (answer, machine.log.read_text())


def _delete(machine: Machine, pod: str, netns: str, uid: str, container: str = "") -> None:
    assert machine.kubelet.delete(container or pod, netns, f"shop/{pod}", uid).code == 0


def test_nested_pods_of_one_and_of_two_machines_ping_each_other_and_leave_nothing(
    netns_suite: None, tmp_path: Path
) -> None:
    with Host(tmp_path, "vm-a", "vm-b") as host, sandboxes(3) as spaces:
        a, b = host.machines
        where = [(a, A, 5), (a, B, 4094), (b, C, 5)]
        for (machine, pod, vlan), netns in zip(where, spaces, strict=True):
            machine.know(pod, vlan)
            _add(machine, pod.pod, netns, pod.pod_uid)
        assert ping(spaces[0], "10.47.255.249") and ping(spaces[1], "10.47.255.250"), "over the host and back"
        assert ping(spaces[0], "10.47.255.248") and ping(spaces[2], "10.47.255.249"), "to another machine"
        assert ping(spaces[0], "10.47.255.248", size=1500)
        assert len(a.sub_interfaces()) == 2 and len(b.sub_interfaces()) == 1
        for (machine, pod, _), netns in zip(where, spaces, strict=True):
            _delete(machine, pod.pod, netns, pod.pod_uid)
        assert a.leftovers() == [] and b.leftovers() == []
        assert all(links(netns) == {"lo"} for netns in spaces)


def test_the_result_and_check_are_as_of_any_pod(machine: Machine) -> None:
    mine = machine.know(A, 7)
    with sandboxes(1) as (netns,):
        answer = machine.kubelet.add("c1", netns, "shop/web-0", A.pod_uid)
        (host_end, pod_end) = answer.output["interfaces"]
        assert host_end["name"] in machine.sub_interfaces()
        assert (pod_end["name"], pod_end["mac"], pod_end["sandbox"]) == ("eth0", mine.mac, netns)
        again = {"prevResult": answer.output}
        asked = variables("c1", netns, "shop/web-0")
        assert machine.kubelet.run("CHECK", stdin=again, **asked).code == 0
        subprocess.run(["ip", "-n", Path(machine.netns).name, "link", "set", host_end["name"], "down"], check=True)
        spoiled = machine.kubelet.run("CHECK", stdin=again, **asked)
        assert spoiled.output["code"] == NOT_AS_ADDED and "is down" in spoiled.output["msg"]
        anew = machine.kubelet.add("c1", netns, "shop/web-0", A.pod_uid)
        assert anew.output["ips"] == answer.output["ips"]
        assert machine.kubelet.run("CHECK", stdin={"prevResult": anew.output}, **asked).code == 0


@pytest.mark.parametrize("point", ["make:after", "plug:after", "put:after"])
def test_case_82_a_kill_in_the_add_of_a_nested_pod_leaves_nothing(machine: Machine, point: str) -> None:
    machine.know(A, 7)
    with sandboxes(2) as (netns, again):
        machine.stop_agent()
        machine.start_agent(crash=point)
        assert machine.kubelet.add("c1", netns, "shop/web-0", A.pod_uid).code == 1
        machine.wait_for_death()
        machine.start_agent()
        wait_for(lambda: machine.leftovers() == [] and links(netns) == {"lo"}, "the unfinished ADD to be undone")
        _add(machine, "web-0", again, A.pod_uid, "c2")
        _delete(machine, "web-0", netns, A.pod_uid, "c1")
        assert len(machine.sub_interfaces()) == 1


def test_a_tag_that_a_pod_without_del_has_left_goes_to_the_next_pod(machine: Machine) -> None:
    machine.know(A, 7)
    with sandboxes(3) as (left, netns, other):
        _add(machine, "web-0", left, A.pod_uid)
        machine.forget()
        machine.know(B, 7)
        machine.know(C, 8)
        _add(machine, "web-1", netns, B.pod_uid)
        _add(machine, "web-2", other, C.pod_uid)
        assert len(machine.sub_interfaces()) == 2 and links(left) == {"lo"}
        _delete(machine, "web-0", left, A.pod_uid)
        assert ping(netns, "10.47.255.248"), "a late DEL takes nothing of the successor's"


def test_gc_frees_what_is_not_listed(machine: Machine) -> None:
    machine.know(A, 7)
    machine.know(B, 8)
    with sandboxes(2) as (first, second):
        _add(machine, "web-0", first, A.pod_uid)
        _add(machine, "web-1", second, B.pod_uid)
        valid = [{"containerID": "web-1", "ifname": "eth0"}]
        assert machine.kubelet.run("GC", stdin={"cni.dev/valid-attachments": valid}).code == 0
        assert len(machine.sub_interfaces()) == 1 and links(first) == {"lo"} and "eth0" in links(second)


def test_a_machine_without_the_interface_says_so(machine: Machine) -> None:
    machine.know(A, 7)
    machine.stop_agent()
    machine.start_agent(trunk="ens9")
    with sandboxes(1) as (netns,):
        answer = machine.kubelet.add("c1", netns, "shop/web-0", A.pod_uid)
        assert answer.code == 1
        assert "ens9, which CONTRAIL_KUBE_CNI_NESTED_INTERFACE names, is missing on the node" in answer.output["msg"]
        assert machine.leftovers() == []


def test_a_node_that_is_no_machine_refuses_a_nested_pod(machine: Machine) -> None:
    machine.know(A, 7)
    machine.stop_agent()
    machine.start_agent(trunk="")
    with sandboxes(1) as (netns,):
        answer = machine.kubelet.add("c1", netns, "shop/web-0", A.pod_uid)
        assert answer.code == 1
        assert "CONTRAIL_KUBE_CNI_NESTED_INTERFACE of this node's agent names none" in answer.output["msg"]
        assert machine.leftovers() == []


def test_a_tag_out_of_range_is_refused_before_anything_is_made(machine: Machine) -> None:
    machine.store.append(replace(A, node=machine.name, vlan=4095))
    with sandboxes(1) as (netns,):
        answer = machine.kubelet.add("c1", netns, "shop/web-0", A.pod_uid)
        assert answer.output["code"] == 7 and "vlan 4095 is no tag of a sub-interface" in answer.output["msg"]
        assert machine.leftovers() == [] and links(netns) == {"lo"}
