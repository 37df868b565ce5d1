"""Nested mode: what a pod of a machine has, when, and what a Node may say of its interface."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from schemas.errors import TranslationError
from schemas.events import ChangeEvent, Op
from schemas.records import NodeAddress, NodeRecord
from tests.translator.contrail import machine_interface
from tests.translator.facts import SETTINGS, attachment, event, namespace, pod
from tests.translator.states import History, check, check_leavers, rows
from translator.translate.registry import require_well_formed

NESTED = msgspec.structs.replace(SETTINGS, nested=True)
PORT = "default-domain:default-project:n1-port"
THERE = [machine_interface("n1-port"), machine_interface("n2-port")]
SEVERAL = {"k8s.v1.cni.cncf.io/networks": "blue"}


def machine(name: str = "n1", interface: str | None = PORT, address: str = "192.168.7.10") -> ChangeEvent:
    """A Node that is a virtual machine."""
    held = {} if interface is None else {"opencontrail.org/interface": interface}
    body = NodeRecord(annotations=held, addresses=(NodeAddress("InternalIP", address),))
    return event(Op.UPSERT, "Node", "", name, 1, body)


def interfaces(history: History) -> list[dict[str, Any]]:
    """Bodies of the interfaces that are wanted."""
    found = history.backend.store.tables.objects.values()
    return [
        msgspec.json.decode(each.body) for each in found if each.type == "virtual-machine-interface" and not each.absent
    ]


def test_states_of_nested_pods_are_the_same_whatever_the_way() -> None:
    check(
        (namespace(), pod("web-0", node=""), machine()),
        (namespace(), pod("web-0", 2), machine()),
        (namespace(), pod("web-0", 2), pod("web-1"), machine()),
        settings=NESTED,
        there=THERE,
    )


def test_what_stays_is_as_if_a_leaver_had_never_been() -> None:
    more = attachment("blue", cidr="10.1.0.0/24")
    check_leavers((namespace(), more, machine(), pod("web-0", annotations=SEVERAL)), settings=NESTED, follow=False)


def test_every_interface_of_a_pod_is_a_sub_interface() -> None:
    history = History(NESTED)
    history.become((namespace(), attachment("blue", cidr="10.1.0.0/24"), machine(), pod("web-0", annotations=SEVERAL)))
    assert [each["trunk"]["interface"] for each in interfaces(history)] == [PORT, PORT]


def test_a_pod_gets_all_that_it_has_when_it_is_scheduled() -> None:
    history = History(NESTED)
    history.become((namespace(), machine(), pod("web-0", node="")))
    before = history.dump()
    assert interfaces(history) == []
    history.become((namespace(), machine(), pod("web-0", 2)))
    assert len(interfaces(history)) == 1 and history.dump() != before


def test_what_a_node_says_later_of_its_interface_changes_no_identity() -> None:
    history = History(NESTED)
    history.become((namespace(), pod("web-0"), machine(interface=None)))
    changes = history.changes(lambda: history.become((namespace(), pod("web-0"), machine())))
    assert set(changes) == {("update", "virtual-machine-interface"), ("update", "link")}


def test_outside_of_nested_mode_a_nodes_interface_is_not_looked_at() -> None:
    assert rows((namespace(), pod("web-0"), machine())) == rows((namespace(), pod("web-0"), machine())), (
        "repeats itself"
    )
    history = History(SETTINGS)
    history.become((namespace(), pod("web-0"), machine()))
    assert all("trunk" not in each for each in interfaces(history))


@pytest.mark.parametrize("text", ["n1-port", "a:b:c:d", "a::c", "", "5C3F2B6E-0000-4000-8000-000000000001"])
def test_a_node_that_names_no_interface_is_told_what_is_accepted(text: str) -> None:
    with pytest.raises(TranslationError) as refused:
        require_well_formed(machine(interface=text))
    assert str(refused.value) == (
        f"Node n1: annotation opencontrail.org/interface is {text!r}; accepted is the lower-case uuid of a "
        "virtual-machine-interface, or its name as domain:project:interface"
    )


@pytest.mark.parametrize("text", [PORT, "5c3f2b6e-0000-4000-8000-000000000001", None])
def test_a_node_may_name_its_interface_or_not(text: str | None) -> None:
    require_well_formed(machine(interface=text))
