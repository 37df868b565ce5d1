"""A pod of several interfaces: one ADD plugs all of them, and everything that follows treats them as one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cni.addresses import PodAddress
from cni.answers import NOT_AS_ADDED
from cni.interface import tap_name
from cni.records import ATTACHED
from cni.requests import Attachment
from schemas.errors import AddressPending, AgentRefused, AgentUnavailable, PlugError, RequestRefused
from tests.cni.fakes import Fixture, add_request
from tests.cni.rows import UID, pending, row

FIRST, SECOND = tap_name(UID, "eth0"), tap_name(UID, "net1")


def second(**changes: object) -> PodAddress:
    """The row of net1."""
    mine = {"interface": "net1", "interface_uuid": "5c3f2b6e-0000-4000-8000-0000000000b1", "address": "10.1.0.7"}
    return row(**{**mine, "prefix_len": 16, "gateway": "10.1.255.254", "mac": "02:00:00:00:00:b1", **changes})


@pytest.fixture(autouse=True)
def _two(request: pytest.FixtureRequest) -> None:
    for name in ("node", "named"):
        if name in request.fixturenames:
            request.getfixturevalue(name).store.rows = (second(), row())


def test_one_add_plugs_and_lists_every_interface_the_first_one_first(node: Fixture) -> None:
    result = node.add()
    assert [i["name"] for i in result["interfaces"]] == [FIRST, "eth0", SECOND, "net1"]
    assert [(ip["address"], ip["interface"]) for ip in result["ips"]] == [("10.47.255.250/12", 1), ("10.1.0.7/16", 3)]
    assert set(node.kernel.links) == {FIRST, SECOND}
    assert len(node.vrouter.announced[UID]) == 2


def test_the_mtu_of_the_first_call_is_that_of_all_until_an_attachments_own_call_says_another(node: Fixture) -> None:
    """Multus calls once more for each attachment, with its configuration."""
    assert {i["mtu"] for i in node.add(mtu=1400)["interfaces"]} == {1400}
    assert {i["mtu"] for i in node.add(attachment=Attachment("c1", "net1"), mtu=9000)["interfaces"]} == {9000}
    assert set(node.kernel.links) == {FIRST, SECOND} and len(node.vrouter.announced[UID]) == 2
    assert {i["mtu"] for i in node.add(attachment=Attachment("c1", "net1"))["interfaces"]} == {1500}


def test_where_each_interface_is_asked_for_each_has_its_own_mtu(named: Fixture) -> None:
    assert {i["mtu"] for i in named.add(mtu=1400)["interfaces"]} == {1400}
    assert {i["mtu"] for i in named.add(attachment=Attachment("c1", "net1"), mtu=9000)["interfaces"]} == {9000}


def test_only_the_first_interface_has_a_default_route(node: Fixture) -> None:
    assert node.add()["routes"] == [{"dst": "0.0.0.0/0", "gw": "10.47.255.254"}]


def test_the_add_waits_for_every_interface(node: Fixture) -> None:
    lacking = pending(interface="net1", interface_uuid=second().interface_uuid, state="blocked", reason="no subnet")
    node.store.rows = (row(), lacking)
    with pytest.raises(AddressPending, match="interface net1 is blocked: no subnet"):
        node.add()
    assert node.is_clean()


def test_one_del_removes_all(node: Fixture) -> None:
    node.add()
    node.delete()
    assert node.is_clean()
    assert node.vrouter.calls.count("withdraw") == 1


def test_a_del_of_the_first_removes_what_an_unreadable_record_is_of(node: Fixture) -> None:
    node.add()
    (node.directory / "records" / "c1-net1.json").write_text("{")
    node.again().delete()
    assert node.is_clean()


@pytest.mark.parametrize("trouble", [AgentRefused("no"), AgentUnavailable("away")])
def test_a_failure_at_the_second_undoes_the_first(node: Fixture, trouble: Exception) -> None:
    def second_fails() -> None:
        if len(node.kernel.links) == 2:
            node.vrouter.refuses = trouble

    node.vrouter.on_announce = second_fails
    with pytest.raises(type(trouble)):
        node.add()
    assert node.is_clean()


def test_a_failure_that_cannot_be_undone_at_once_is_undone_at_the_next_start(node: Fixture) -> None:
    node.vrouter.on_announce = lambda: setattr(node.kernel, "stuck", PlugError("busy"))
    node.vrouter.refuses = AgentRefused("no")
    with pytest.raises(AgentRefused):
        node.add()
    node.kernel.stuck = node.vrouter.refuses = node.vrouter.on_announce = None
    assert node.again().sweeper.recover() == 1
    assert node.is_clean()


def test_a_start_undoes_what_was_attached_beside_a_first_that_was_not(node: Fixture) -> None:
    node.add()
    own = node.records.get(Attachment("c1", "eth0"))
    assert own is not None
    node.records.put(replace(own, phase="attaching"))
    assert node.again().sweeper.recover() == 2
    assert node.is_clean()


def test_gc_keeps_what_goes_with_a_valid_attachment(node: Fixture) -> None:
    node.add()
    valid = frozenset({Attachment("c1", "eth0")})
    assert node.sweeper.collect(replace(add_request(), command="GC", valid=valid)) == 0
    assert set(node.kernel.links) == {FIRST, SECOND}
    assert node.sweeper.collect(replace(add_request(), command="GC")) == 2
    assert node.is_clean()


def test_gc_keeps_the_link_of_an_unreadable_record_of_a_running_pod(node: Fixture) -> None:
    node.add()
    (node.directory / "records" / "c1-net1.json").write_text("{")
    valid = frozenset({Attachment("c1", "eth0")})
    assert node.again().sweeper.collect(replace(add_request(), command="GC", valid=valid)) == 0
    assert SECOND in node.kernel.links


def test_check_of_the_first_looks_at_all(node: Fixture) -> None:
    request = replace(add_request(), command="CHECK", previous=node.add())
    node.checker.check(request)
    del node.vrouter.announced[UID][second().interface_uuid]
    with pytest.raises(RequestRefused, match=f"does not have port {SECOND}") as refused:
        node.checker.check(request)
    assert refused.value.code == NOT_AS_ADDED


def test_a_later_add_of_the_second_as_multus_makes_it_finds_it_plugged(node: Fixture) -> None:
    node.add()
    again = node.add(attachment=Attachment("c1", "net1"), network="blue")
    assert [i["name"] for i in again["interfaces"]] == [SECOND, "net1"]
    assert node.kernel.plugged == 2


def test_dels_in_the_order_of_multus_leave_nothing(node: Fixture) -> None:
    node.add()
    node.delete(attachment=Attachment("c1", "net1"), network="blue")
    assert set(node.kernel.links) == {FIRST}
    node.delete()
    assert node.is_clean()


def test_where_calls_are_named_each_plugs_its_own(named: Fixture) -> None:
    assert [i["name"] for i in named.add()["interfaces"]] == [FIRST, "eth0"]
    assert set(named.kernel.links) == {FIRST}
    assert named.add(attachment=Attachment("c1", "net1"))["routes"] == []
    assert {r.attachment.ifname for r in named.records.all() if r.phase == ATTACHED} == {"eth0", "net1"}


def test_a_successor_takes_all_over_and_the_late_del_of_the_predecessor_takes_none(node: Fixture) -> None:
    node.add()
    node.add(container="c2")
    node.delete()
    assert set(node.kernel.links) == {FIRST, SECOND}
    assert {r.attachment.container for r in node.records.all()} == {"c2"}
