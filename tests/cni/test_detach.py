"""DEL over fakes: it succeeds whatever is missing, and touches nothing that is not its own."""

from __future__ import annotations

import pytest

from cni.interface import tap_name
from cni.netlink import Label
from cni.requests import Attachment
from schemas.errors import AgentRefused, AgentUnavailable, PlugError, StoreUnavailable
from tests.cni.fakes import Fixture
from tests.cni.rows import UID, row

TAP = tap_name(UID, "eth0")


def test_del_leaves_nothing(node: Fixture) -> None:
    node.add()
    node.delete()
    assert node.is_clean() and node.vrouter.calls[-1] == "withdraw"


def test_case_80_del_twice_and_del_of_what_was_never_added(node: Fixture) -> None:
    node.delete()
    node.add()
    node.delete()
    node.delete()
    assert node.is_clean()


def test_case_80_del_without_netns_or_pod_names(node: Fixture) -> None:
    node.add()
    node.delete(netns="", pod=None)
    assert node.is_clean()


def test_case_80_del_needs_no_store(node: Fixture) -> None:
    node.add()
    node.store.trouble = StoreUnavailable("away")
    node.delete()
    assert node.is_clean()


@pytest.mark.parametrize("trouble", [AgentUnavailable("connection refused"), AgentRefused("500")])
def test_case_80_del_with_the_vrouter_agent_away_succeeds_and_remembers(node: Fixture, trouble: Exception) -> None:
    node.add()
    node.vrouter.away = trouble
    node.delete()
    assert node.records.all() == () and not node.kernel.links
    assert node.again().withdrawals.all() == (UID,)


def test_case_81_del_of_the_old_sandbox_leaves_the_new_one(node: Fixture) -> None:
    node.add(container="old")
    node.add(container="new")
    node.delete(container="old")
    assert TAP in node.kernel.links and UID in node.vrouter.announced
    node.delete(container="new")
    assert node.is_clean()


def test_case_81_also_when_the_old_record_survived_a_crash(node: Fixture) -> None:
    node.add(container="old")
    (old,) = node.records.all()
    node.add(container="new")
    node.records.put(old)  # as if the agent had been killed between the two steps of taking over
    node.delete(container="old")
    assert TAP in node.kernel.links and UID in node.vrouter.announced
    assert [record.attachment.container for record in node.records.all()] == ["new"]


def test_the_port_file_that_the_vrouter_agent_leaves_is_removed(node: Fixture) -> None:
    node.add()
    path = node.directory / "ports" / "k8s__shop__web-0" / row().interface_uuid
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    node.delete()
    assert not path.parent.exists()


def test_case_86_a_torn_record_is_ignored_and_its_link_found_by_its_label(node: Fixture) -> None:
    node.add()
    (path,) = (node.directory / "records").glob("*.json")
    path.write_bytes(path.read_bytes()[:40])
    node.again()
    assert node.records.all() == ()
    node.delete()
    assert node.is_clean()


def test_case_86_add_over_a_torn_record_succeeds(node: Fixture) -> None:
    first = node.add()
    (path,) = (node.directory / "records").glob("*.json")
    path.write_bytes(b"")
    node.again()
    assert node.add() == first
    node.delete()
    assert node.is_clean()


def test_a_torn_record_of_an_old_sandbox_does_not_cost_the_new_one_its_port(node: Fixture) -> None:
    node.add(container="new")
    (node.directory / "records" / "old-eth0.json").write_text('{"format": 1,')
    node.again()
    node.delete(container="old")
    assert TAP in node.kernel.links and UID in node.vrouter.announced
    assert not (node.directory / "records" / "old-eth0.json").exists()


def test_a_link_without_a_record_goes_with_the_del_that_its_label_names(node: Fixture) -> None:
    node.add()
    interface, netns, _ = node.kernel.links[TAP]
    node.kernel.links["tapother"] = (interface, netns, Label("contrail-k8s-cni", Attachment("other", "eth0")))
    (path,) = (node.directory / "records").glob("*.json")
    path.unlink()
    node.again()
    node.delete()
    assert list(node.kernel.links) == ["tapother"]


def test_a_kernel_that_refuses_fails_the_del_and_keeps_the_record(node: Fixture) -> None:
    node.add()
    node.kernel.stuck = PlugError("device busy")
    with pytest.raises(PlugError):
        node.delete()
    assert len(node.again().records.all()) == 1


def test_a_machine_is_withdrawn_with_its_last_interface(named: Fixture) -> None:
    node = named
    node.store.rows = (row(), row(interface="net1", interface_uuid="5c3f2b6e-0000-4000-8000-0000000000b1"))
    node.add()
    node.add(attachment=Attachment("c1", "net1"))
    node.delete()
    assert "withdraw" not in node.vrouter.calls
    node.delete(attachment=Attachment("c1", "net1"))
    assert node.is_clean()
