"""A pod and those that come after it on a node: the same name, the same uid, the same address. Cases 27, 28, 32, 38."""

from __future__ import annotations

import pytest

from cni.interface import tap_name
from schemas.errors import AddressPending, AgentUnavailable
from tests.cni.fakes import Fixture
from tests.cni.rows import UID, pending, row, uid_of

OLD, NEW = uid_of(1), uid_of(2)
FIRST, SECOND = row(uid=OLD, address="10.47.255.200"), row(uid=NEW, address="10.47.255.201")


def address(result: dict[str, list[dict[str, str]]]) -> str:
    """The address that ADD answered."""
    return result["ips"][0]["address"].partition("/")[0]


def test_case_27_a_node_that_missed_the_delete_gives_the_successor_its_own_address(node: Fixture) -> None:
    """The record of the predecessor is still there, and so may its row be; a late DEL of it takes nothing away."""
    node.store.rows = (FIRST,)
    node.add(container="old", uid=OLD)
    node.again()
    for rows in ((SECOND,), (FIRST, SECOND)):
        node.store.rows = rows
        assert address(node.add(container="new", uid=NEW)) == "10.47.255.201"
        node.delete(container="new", uid=NEW)
    node.add(container="new", uid=NEW)
    node.delete(container="old", uid=OLD)
    assert list(node.kernel.links) == [tap_name(NEW, "eth0")] and list(node.vrouter.announced) == [NEW]
    node.delete(container="new", uid=NEW)
    assert node.is_clean()


def test_case_27_the_record_of_the_predecessor_answers_nothing(node: Fixture) -> None:
    node.store.rows = (FIRST,)
    node.add(container="old", uid=OLD)
    with pytest.raises(AddressPending, match="not in the store yet"):
        node.add(container="new", uid=NEW)
    assert [record.attachment.container for record in node.records.all()] == ["old"]


def test_case_28_a_row_without_an_address_is_no_address(node: Fixture) -> None:
    """Half of what the successor will have is there; the predecessor's whole row is beside it."""
    node.store.rows = (FIRST, pending(uid=NEW))
    with pytest.raises(AddressPending):
        node.add(container="new", uid=NEW)
    assert node.is_clean()


def test_case_32_a_node_that_comes_back_gets_no_address_for_a_pod_that_is_gone(node: Fixture) -> None:
    """Its container still runs, and its sandbox is made anew; the address is another pod's by now, on another node."""
    node.store.rows = (FIRST,)
    node.add(container="old", uid=OLD)
    node.again()
    node.store.rows = (row(name="other", uid=NEW, address="10.47.255.200", node="node-b"),)
    with pytest.raises(AddressPending, match="not in the store yet"):
        node.add(container="anew", uid=OLD)
    node.delete(container="anew", uid=OLD)
    node.delete(container="old", uid=OLD)
    assert node.is_clean()


def test_case_38_a_pod_that_crashes_in_a_loop_has_one_interface_and_one_address(node: Fixture) -> None:
    """New sandboxes, some before the old one's DEL, some after it, one that the vrouter agent would not take."""
    node.store.rows = (row(),)
    seen = set()
    for number in range(12):
        seen.add(address(node.add(container=f"c{number}")))
        assert len(node.kernel.links) == 1 and list(node.vrouter.announced) == [UID]
        if number % 3 == 0:
            node.delete(container=f"c{number}")
            assert node.is_clean()
        elif number % 3 == 1:
            node.delete(container=f"c{number - 1}")
        else:
            node.vrouter.refuses = AgentUnavailable("the vrouter agent is away")
            with pytest.raises(AgentUnavailable):
                node.add(container=f"c{number}-failed")
            node.vrouter.refuses = None
    assert seen == {"10.47.255.250"}
    for number in range(12):
        node.delete(container=f"c{number}")
        node.delete(container=f"c{number}-failed")
    assert node.is_clean()
