"""Limits in real namespaces: there, held, compared, undone; and from the runtime's words to the kernel."""

from __future__ import annotations

import errno
import json
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyroute2.netlink.exceptions import NetlinkError

from cni.bandwidth import limit_link
from cni.interface import Interface, interface_of
from cni.limits import Limit, Limits
from cni.netlink import Label, Netlink
from cni.requests import Attachment
from schemas.errors import PlugError
from simulators.vrouter.underlay import Underlay
from tests.cni.machines import Host
from tests.cni.nodes import Node, sandboxes
from tests.cni.rows import row, six
from tests.rigs.kubelet import variables
from tests.rigs.netns import inside, links, namespace

pytestmark = pytest.mark.netns

LIMITS = Limits(ingress=Limit(4_000_000, 512_000), egress=Limit(8_000_000, 1_024_000))
INTERFACE = interface_of((row(), six(row())), "eth0", 1500, LIMITS)
LABEL = Label("contrail-k8s-cni", Attachment("c1", "eth0"))
KERNEL = Netlink()
POD, NODE_END = "10.47.255.250", "10.47.255.254"
BANDWIDTH = {"ingressRate": 4_000_000, "ingressBurst": 512_000, "egressRate": 8_000_000, "egressBurst": 2**32 - 1}
RUNTIME = {"runtimeConfig": {"bandwidth": BANDWIDTH}}


@pytest.fixture
def host(netns_suite: None) -> Iterator[str]:
    with namespace("host") as path:
        yield path


@pytest.fixture
def pod(netns_suite: None) -> Iterator[str]:
    with namespace("pod") as path:
        yield path


def _plug(host: str, pod: str, interface: Interface = INTERFACE) -> None:
    inside(host, lambda: KERNEL.plug(interface, pod, LABEL))


def _faults(host: str, pod: str, interface: Interface = INTERFACE) -> tuple[str, ...]:
    return inside(host, lambda: KERNEL.faults(interface, pod))


def _tc(path: str, *arguments: str) -> str:
    """What iproute2's `tc` says, which is no code of ours."""
    done = subprocess.run(["tc", "-n", Path(path).name, *arguments], check=True, capture_output=True, text=True)
    return done.stdout


def _shown(path: str, link: str) -> str:
    return _tc(path, "qdisc", "show", "dev", link)


def _seconds(sender: str, receiver: str, address: str, size: int) -> float:
    """How long so many bytes take over TCP from one namespace to an address of the other."""
    listening = inside(receiver, lambda: socket.create_server((address, 0)))
    sending = inside(sender, socket.socket)
    with listening, sending:
        listening.settimeout(10)
        sending.settimeout(10)
        began = time.monotonic()
        sending.connect(listening.getsockname())
        taking, _ = listening.accept()
        with taking:
            taking.settimeout(10)
            thread = threading.Thread(target=sending.sendall, args=(bytes(size),))
            thread.start()
            while size > 0 and (part := taking.recv(65536)):
                size -= len(part)
            took = time.monotonic() - began
            thread.join()
    assert size == 0
    return took


def test_both_ends_have_their_rate_and_burst(host: str, pod: str) -> None:
    _plug(host, pod)
    assert "tbf" in _shown(host, INTERFACE.tap) and "rate 4Mbit burst 64000b" in _shown(host, INTERFACE.tap)
    assert "tbf" in _shown(pod, "eth0") and "rate 8Mbit burst 125Kb" in _shown(pod, "eth0")
    assert _faults(host, pod) == ()


def test_one_way_alone_is_limited_where_one_is_asked_for(host: str, pod: str) -> None:
    _plug(host, pod, replace(INTERFACE, limits=Limits(egress=LIMITS.egress)))
    assert "tbf" not in _shown(host, INTERFACE.tap) and "tbf" in _shown(pod, "eth0")


def test_transfers_take_as_long_as_the_rates_say(host: str, pod: str) -> None:
    _plug(host, pod)
    subprocess.run(["ip", "-n", Path(host).name, "addr", "add", f"{NODE_END}/12", "dev", INTERFACE.tap], check=True)
    # 400 kB at 500 kB/s behind a bucket of 64 kB, 800 kB at 1 MB/s behind 128 kB: never faster, however slow we are.
    assert _seconds(host, pod, POD, 400_000) >= 0.65
    assert _seconds(pod, host, NODE_END, 800_000) >= 0.65


@pytest.mark.parametrize(
    ("rate", "mtu"), [(1000, 1500), (10**6, 9000), (10**9, 576), (10**9, 1500), (34_359_738_360, 1500), (10**15, 9000)]
)
def test_frames_of_full_size_pass_any_rate_and_the_smallest_burst(host: str, pod: str, rate: int, mtu: int) -> None:
    limit = Limit(rate, 1)
    interface = replace(interface_of((row(),), "eth0", mtu), limits=Limits(limit, limit))
    _plug(host, pod, interface)
    assert _faults(host, pod, interface) == ()
    (shown,) = json.loads(_tc(host, "-j", "qdisc", "show", "dev", interface.tap))
    assert shown["options"]["burst"] >= mtu + 18, shown


def test_case_88_a_limit_that_was_removed_or_changed_is_seen(host: str, pod: str) -> None:
    _plug(host, pod)
    _tc(host, "qdisc", "del", "dev", INTERFACE.tap, "root")
    assert _faults(host, pod) == (f"{INTERFACE.tap} lacks the limit of 4000000 bit/s with a burst of 512000 bit",)
    _tc(pod, "qdisc", "replace", "dev", "eth0", "root", "tbf", "rate", "1gbit", "burst", "128000", "latency", "25ms")
    _, changed = _faults(host, pod)
    assert changed.startswith("eth0 has a limit of 1000000000 bit/s") and "instead of 8000000 bit/s" in changed
    _tc(pod, "qdisc", "del", "dev", "eth0", "root")
    assert "eth0 lacks the limit of 8000000 bit/s with a burst of 1024000 bit" in _faults(host, pod)


def test_a_step_that_fails_behind_the_limits_leaves_nothing(host: str, pod: str) -> None:
    with pytest.raises(PlugError):
        _plug(host, pod, replace(INTERFACE, addresses=INTERFACE.addresses * 2))
    assert links(host) == {"lo"} and links(pod) == {"lo"}


class Without:
    """A kernel without the module."""

    def tc(self, *_: Any, **__: Any) -> None:
        """What Linux answers for a qdisc that it does not know."""
        raise NetlinkError(errno.ENOENT, "No such file or directory")


def test_a_kernel_without_token_buckets_is_said() -> None:
    with pytest.raises(OSError, match="sch_tbf"):
        limit_link(Without(), 1, LIMITS.egress, mtu=1500)


def test_rates_of_the_runtime_reach_the_kernel_and_check_sees_them_go(underlay: Underlay, tmp_path: Path) -> None:
    pod = row()
    with Node(underlay, "node-a", tmp_path / "a") as node, sandboxes(2) as (netns, again):
        node.know(pod)
        assert node.kubelet.network["capabilities"] == {"bandwidth": True}
        answer = node.kubelet.add("c1", netns, "shop/web-0", pod.pod_uid, stdin=RUNTIME)
        assert answer.code == 0, (answer, node.log.read_text())
        (tap,) = node.taps()
        assert "rate 4Mbit burst 64000b" in _shown(node.netns, tap)
        assert "rate 8Mbit burst 100000b" in _shown(netns, "eth0"), "a tenth of a second"
        assert node.kubelet.add("c1", netns, "shop/web-0", pod.pod_uid, stdin=RUNTIME) == answer
        node.kill_agent()
        node.start_agent()
        check: dict[str, Any] = {
            "stdin": {"prevResult": answer.output, **RUNTIME},
            **variables("c1", netns, "shop/web-0", pod.pod_uid),
        }
        assert node.kubelet.run("CHECK", **check).code == 0
        _tc(netns, "qdisc", "del", "dev", "eth0", "root")
        told = node.kubelet.run("CHECK", **check).output
        assert told["code"] == 101 and "eth0 lacks the limit of 8000000 bit/s" in told["msg"]
        # The next ADD puts it right, and that of another sandbox has limits of its own.
        assert node.kubelet.add("c1", netns, "shop/web-0", pod.pod_uid, stdin=RUNTIME).code == 0
        assert node.kubelet.run("CHECK", **check).code == 0
        assert node.kubelet.add("c2", again, "shop/web-0", pod.pod_uid).code == 0
        assert "tbf" not in _shown(node.netns, tap) + _shown(again, "eth0")
        wrong = {"runtimeConfig": {"bandwidth": {"egressRate": 1_000_000}}}
        refused = node.kubelet.add("c3", netns, "shop/web-0", pod.pod_uid, stdin=wrong).output
        assert refused["code"] == 7 and "egressBurst" in refused["msg"]
        node.kubelet.delete("c1", netns, "shop/web-0", pod.pod_uid, stdin=wrong)
        assert node.kubelet.delete("c2", again, "shop/web-0", pod.pod_uid, stdin=wrong).code == 0
        assert node.leftovers() == []


def test_what_a_nested_pod_sends_is_limited_and_that_the_rest_is_not_is_logged(
    netns_suite: None, tmp_path: Path
) -> None:
    with Host(tmp_path, "vm-a") as host, sandboxes(1) as (netns,):
        (machine,) = host.machines
        pod = machine.know(row(), 5)
        answer = machine.kubelet.add("c1", netns, "shop/web-0", pod.pod_uid, stdin=RUNTIME)
        assert answer.code == 0, (answer, machine.log.read_text())
        assert "rate 8Mbit burst 100000b" in _shown(netns, "eth0")
        assert "ingress is not limited pod=shop/web-0" in machine.log.read_text()
        check: dict[str, Any] = {
            "stdin": {"prevResult": answer.output},
            **variables("c1", netns, "shop/web-0", pod.pod_uid),
        }
        assert machine.kubelet.run("CHECK", **check).code == 0
        assert machine.kubelet.delete("c1", netns, "shop/web-0", pod.pod_uid).code == 0
