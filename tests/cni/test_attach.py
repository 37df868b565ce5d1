"""ADD over fakes: what is waited for, what is refused, and that failure leaves nothing."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from cni.answers import BAD_CONFIG, NOT_OF_THIS_NODE
from cni.interface import tap_name
from cni.records import ATTACHED, Records
from cni.requests import Attachment, Pod
from schemas.errors import AddressPending, AgentRefused, AgentUnavailable, PlugError, RequestRefused, StoreUnavailable
from tests.cni.fakes import Fixture
from tests.cni.rows import UID, pending, row, six, uid_of

TAP = tap_name(UID, "eth0")


def test_add_answers_the_row_and_announces_the_port(node: Fixture) -> None:
    result = node.add()
    assert result == {
        "cniVersion": "1.1.0",
        "interfaces": [
            {"name": TAP, "mac": "fe:00:00:00:00:01", "mtu": 1500},
            {"name": "eth0", "mac": row().mac, "mtu": 1500, "sandbox": "/run/netns/pod"},
        ],
        "ips": [{"interface": 1, "address": "10.47.255.250/12", "gateway": "10.47.255.254"}],
        "routes": [{"dst": "0.0.0.0/0", "gw": "10.47.255.254"}],
        "dns": {"nameservers": ["10.47.255.253"]},
    }
    assert node.vrouter.calls == [f"announce {TAP}", "port"]
    (record,) = node.records.all()
    assert (record.phase, record.attachment) == (ATTACHED, Attachment("c1", "eth0"))


def test_case_28_add_before_our_pod_event_waits_and_then_succeeds(node: Fixture) -> None:
    node.store.rows = ()

    def arrive() -> None:
        if node.caller.now > 3:
            node.store.rows = (row(),)

    node.caller.on_pause = arrive
    assert node.add()["ips"][0]["address"] == "10.47.255.250/12"
    assert node.caller.now < 3.5


def test_case_28_add_without_a_row_says_try_again_at_its_deadline(node: Fixture) -> None:
    node.store.rows = ()
    with pytest.raises(AddressPending, match="not in the store yet"):
        node.add()
    assert node.caller.now == pytest.approx(43 * 0.9)
    assert node.is_clean()


def test_the_reason_of_the_row_is_what_a_late_add_says(node: Fixture) -> None:
    node.store.rows = (pending(state="blocked", reason="blocked by network k8s-default-pod-network"),)
    with pytest.raises(AddressPending, match="blocked by network k8s-default-pod-network"):
        node.add()


def test_what_the_applier_has_given_up_is_not_waited_for(node: Fixture) -> None:
    node.store.rows = (pending(state="dead", reason="quota exceeded"),)
    with pytest.raises(AddressPending, match="quota exceeded"):
        node.add()
    assert node.caller.now == 0


def test_case_26_a_pod_that_moved_is_refused_on_its_old_node(node: Fixture) -> None:
    node.store.rows = (row(node="node-b"),)
    with pytest.raises(RequestRefused, match="belongs to node node-b") as refused:
        node.add()
    assert refused.value.code == NOT_OF_THIS_NODE
    assert node.is_clean()


def test_case_27_a_row_of_the_predecessor_is_never_answered(node: Fixture) -> None:
    node.store.rows = (row(uid=uid_of(1), address="10.47.255.200"),)
    node.caller.on_pause = lambda: setattr(node.store, "rows", (row(uid=uid_of(2), address="10.47.255.201"),))
    result = node.add(uid=uid_of(2))
    assert result["ips"][0]["address"] == "10.47.255.201/12"


def test_without_a_uid_the_pod_is_found_by_name_and_not_on_another_node(node: Fixture) -> None:
    node.store.rows = (row(uid=uid_of(1), node="node-b"),)
    node.caller.on_pause = lambda: setattr(node.store, "rows", (row(uid=uid_of(2)),))
    assert node.add(pod=Pod("shop", "web-0", ""))["interfaces"][0]["name"] == tap_name(uid_of(2), "eth0")


def test_case_84_half_of_a_dual_stack_is_not_plugged(node: Fixture) -> None:
    node.store.rows = (row(), six(row(), address="fd00::1"))
    node.store.rows = (node.store.rows[0], replace(node.store.rows[1], address=None, state="pending"))
    with pytest.raises(AddressPending):
        node.add()
    assert node.is_clean() and node.kernel.plugged == 0


def test_both_families_are_answered(node: Fixture) -> None:
    node.store.rows = (row(), six(row()))
    result = node.add(version="0.3.1")
    assert [ip["version"] for ip in result["ips"]] == ["4", "6"]
    assert [r["dst"] for r in result["routes"]] == ["0.0.0.0/0", "::/0"]
    assert all("mtu" not in interface for interface in result["interfaces"])


def test_case_85_an_unreachable_store_is_tried_until_the_deadline(node: Fixture) -> None:
    node.store.trouble = StoreUnavailable("could not read the addresses: connection refused")
    with pytest.raises(StoreUnavailable, match="connection refused"):
        node.add()
    assert node.caller.now == pytest.approx(43 * 0.9)


def test_case_91_a_malformed_row_is_refused_before_the_kernel_is_touched(node: Fixture) -> None:
    node.store.rows = (row(gateway="10.47.255.999"),)
    with pytest.raises(RequestRefused, match="gateway") as refused:
        node.add()
    assert refused.value.code == BAD_CONFIG
    assert node.kernel.plugged == 0 and node.is_clean()


def test_case_83_add_repeated_gives_the_same_result_and_touches_nothing(node: Fixture) -> None:
    first = node.add()
    calls = list(node.vrouter.calls)
    assert node.add() == first
    assert node.kernel.plugged == 1 and node.vrouter.calls == calls


def test_add_repeated_after_somebody_tampered_makes_the_interface_anew(node: Fixture) -> None:
    first = node.add()
    node.kernel.wrong = ("eth0 is down",)
    assert node.add() == first
    assert node.kernel.plugged == 2 and len(node.kernel.links) == 1


def test_a_newer_sandbox_of_the_pod_takes_over(node: Fixture) -> None:
    node.add(container="old")
    node.add(container="new")
    assert [record.attachment.container for record in node.records.all()] == ["new"]
    assert node.kernel.links[TAP][2].attachment.container == "new"
    assert node.vrouter.calls[-3:] == ["withdraw", f"announce {TAP}", "port"]


@pytest.mark.parametrize("error", [PlugError("no such device"), RequestRefused(4, "CNI_NETNS: gone")])
def test_a_refusal_of_the_kernel_leaves_nothing(node: Fixture, error: Exception) -> None:
    node.kernel.broken = error
    with pytest.raises(type(error)):
        node.add()
    assert node.is_clean()


@pytest.mark.parametrize("error", [AgentUnavailable("connection refused"), AgentRefused("500 disk full")])
def test_a_port_that_cannot_be_announced_is_an_error_and_leaves_nothing(node: Fixture, error: Exception) -> None:
    node.vrouter.refuses = error
    with pytest.raises(type(error)):
        node.add()
    assert node.is_clean()


def test_a_port_that_never_works_is_an_error_and_leaves_nothing(node: Fixture) -> None:
    node.vrouter.slow = 10**6
    with pytest.raises(AddressPending, match="does not list it"):
        node.add()
    assert node.caller.now == pytest.approx(43 * 0.9)
    assert node.is_clean()


def test_a_port_with_another_address_than_the_row_is_not_taken_for_working(node: Fixture) -> None:
    node.vrouter.shows = {"address": "0.0.0.0"}
    node.caller.on_pause = lambda: node.vrouter.shows.clear()
    node.add()
    assert node.vrouter.calls.count("port") == 2


def test_case_82_a_runtime_that_gave_up_gets_nothing_plugged(node: Fixture) -> None:
    node.caller.gone = AgentUnavailable("the runtime has given this request up")
    with pytest.raises(AgentUnavailable):
        node.add()
    assert node.is_clean() and node.kernel.plugged == 0


def test_a_failure_that_cannot_be_undone_keeps_its_record(node: Fixture) -> None:
    node.vrouter.refuses = AgentRefused("500")
    node.kernel.stuck = PlugError("device busy")
    with pytest.raises(AgentRefused):
        node.add()
    assert len(node.records.all()) == 1
    node.kernel.stuck = None
    node.delete()
    assert node.is_clean()


def test_a_pending_withdrawal_cannot_hit_the_pod_that_came_back(node: Fixture) -> None:
    node.withdrawals.put(UID, "shop/web-0")
    node.add()
    assert node.withdrawals.all() == ()
    assert node.vrouter.calls[0] == "withdraw"


def test_the_old_port_file_is_gone_before_the_port_is_announced(node: Fixture) -> None:
    path = node.directory / "ports" / "k8s__shop__web-0" / row().interface_uuid
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    seen: list[bool] = []
    node.vrouter.on_announce = lambda: seen.append(path.exists())
    node.add()
    assert seen == [False]


def test_the_configured_mtu_beats_the_settings(node: Fixture) -> None:
    assert node.add(mtu=1400)["interfaces"][1]["mtu"] == 1400


def test_a_record_names_everything_that_can_be_left_behind(node: Fixture) -> None:
    node.add()
    (path,) = (node.directory / "records").glob("*.json")
    content = json.loads(path.read_text())
    assert path.name == "c1-eth0.json" and path.stat().st_mode & 0o777 == 0o600
    assert content["interface"]["tap"] == TAP
    assert content["interface"]["machine_uuid"] == UID
    node.records.close()
    again = Records(node.directory / "records")
    assert again.all() == node.records.all()
    node.records = again
