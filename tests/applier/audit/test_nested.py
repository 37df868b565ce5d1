"""A nested cluster, as its translation wants it: applied, seen by the vrouter agent of the host, audited, repaired."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from simulators.vrouter.contrail import ContrailConfig
from tests.applier.audit.test_drift import put
from tests.applier.audit.world import World
from tests.applier.kubernetes import uid_of
from tests.applier.machines import HOST, UNDERLAY, Cloud, uuid_of

pytestmark = pytest.mark.postgres
PORT = uuid_of("virtual-machine-interface vm-1")


@pytest.fixture
def nested(world: World) -> Iterator[World]:
    """A cluster whose node vm-1 is a machine of the cloud, with two pods on it."""
    cloud = Cloud(world.contrail)
    cloud.boot("vm-1", "192.168.7.10")
    cloud.close()
    world.store.settings = msgspec.structs.replace(world.store.settings, nested=True, nested_network=":".join(UNDERLAY))
    world.store.start("shop")
    world.store.node("vm-1", "192.168.7.10")
    for name in ("web-0", "web-1"):
        world.store.pod("shop", name, node="vm-1")
    world.apply()
    yield world


def _sub_interfaces(world: World) -> dict[str, tuple[str, int]]:
    """Parent and tag by name of the pod."""
    found: dict[str, tuple[str, int]] = {}
    for each in world.contrail.objects("virtual-machine-interface"):
        properties: Any = each.get("virtual_machine_interface_properties") or {}
        if "sub_interface_vlan_tag" in properties:
            (parent,) = each["virtual_machine_interface_refs"]
            found[each["fq_name"][-1].partition("__")[0]] = (parent["uuid"], properties["sub_interface_vlan_tag"])
    return found


def test_the_agent_of_the_host_gets_the_pods_of_its_machines(nested: World) -> None:
    config = ContrailConfig(nested.contrail.url, node=HOST)
    tags = set()
    for name in ("web-0", "web-1"):
        (interface,) = config.interfaces(uid_of("shop", name))
        assert interface.parent_uuid == PORT and interface.assignments
        tags.add(interface.vlan)
    assert tags == {1, 2}
    assert set(nested.rows("SELECT vlan, parent FROM pod_address WHERE cluster = :cluster")) == {
        (1, "default-domain:default-project:vm-1"),
        (2, "default-domain:default-project:vm-1"),
    }


def test_the_machines_network_is_connected_with_pods(nested: World) -> None:
    network = nested.contrail.find("virtual-network", *UNDERLAY)
    pods = nested.contrail.find("virtual-network", "default-domain", "k8s-default", "k8s-default-pod-network")
    assert network is not None and pods is not None
    policy = "k8s-nested-underlay-np"
    assert [ref["to"][-1] for ref in network["network_policy_refs"]] == [policy]
    assert policy in [ref["to"][-1] for ref in pods["network_policy_refs"]]


def test_an_audit_finds_nothing_to_say_of_a_nested_cluster(nested: World) -> None:
    assert nested.audit(repair=True, prune=True).left == 0
    assert nested.findings() == {}


def test_a_tag_that_somebody_changed_is_changed_back(nested: World) -> None:
    before = _sub_interfaces(nested)
    (web,) = nested.rows("SELECT interface_uuid::text AS uuid FROM pod_address WHERE pod = 'web-0'")
    put(
        nested,
        "virtual-machine-interface",
        web.uuid,
        virtual_machine_interface_properties={"sub_interface_vlan_tag": 99},
    )
    assert _sub_interfaces(nested) != before
    nested.audit(repair=True)
    nested.apply()
    assert _sub_interfaces(nested) == before


def test_the_last_pod_leaves_the_machine_as_it_was(nested: World) -> None:
    for name in ("web-0", "web-1"):
        nested.store.remove_pod("shop", name)
    nested.apply()
    assert _sub_interfaces(nested) == {}
    assert nested.rows("SELECT * FROM vlan_tag") == []
    machine = nested.contrail.find("virtual-machine-interface", "default-domain", "default-project", "vm-1")
    assert machine is not None and not machine.get("virtual_machine_interface_refs")
