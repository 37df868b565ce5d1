"""From events to a simulated Contrail and back: pods with several interfaces, and with addresses of their choice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from schemas.events import ChangeEvent, Op
from simulators.contrail.server import ContrailSimulator
from tests.applier.desired import DesiredStore
from tests.applier.running import applying, until, until_applied
from tests.translator.facts import attachment, event, namespace, node, pod
from tests.translator.world import World
from translator.postgres import PostgresStore

pytestmark = pytest.mark.postgres

NETWORKS, IPS, MAC = "k8s.v1.cni.cncf.io/networks", "opencontrail.org/ips", "opencontrail.org/mac"
NODE, SHOP = node("node-1", address="192.0.2.1"), namespace()
BLUE = attachment(cidr='["10.200.1.0/24", "fd01::/64"]')
GREEN = attachment("green", cidr="10.200.2.0/24")
ASKED = [{"name": "blue"}, {"name": "green", "interface": "data0", "ips": ["10.200.2.7"], "mac": "02:aa:00:00:00:01"}]


@pytest.fixture
def world(store: DesiredStore) -> Iterator[World]:
    """A translator over the applier's store."""
    backend = PostgresStore(store.engine, "k8s")
    yield World(backend, with_settings=True)
    backend.close()


def web(version: int, name: str = "web", **annotations: str) -> ChangeEvent:
    """A scheduled pod; `networks`, `ips` and `mac` are its annotations."""
    keys = {"networks": NETWORKS, "ips": IPS, "mac": MAC}
    held = {keys[key]: value for key, value in annotations.items()}
    return pod(name, version, node="node-1", annotations=held)


def addresses(store: DesiredStore, name: str = "web") -> dict[tuple[str, int], dict[str, Any]]:
    """What the CNI is told of the pod, by interface and family."""
    with store.engine.connect() as connection:
        found = connection.execute(text("SELECT * FROM pod_address WHERE pod = :name"), {"name": name}).mappings()
        return {(row["interface"], row["family"]): dict(row) for row in found}


def calls(contrail: ContrailSimulator) -> int:
    """Requests so far, those that only look included."""
    return sum(contrail.counters.values())


def test_a_pod_with_two_attachments_and_a_static_address(
    world: World, store: DesiredStore, contrail: ContrailSimulator
) -> None:
    with applying(store, contrail):
        world.tell(NODE, SHOP, BLUE, GREEN)
        world.tell(web(2, networks=json.dumps(ASKED), ips="10.32.0.7", mac="02:00:00:00:00:07"))
        until_applied(store)
        rows = addresses(store)
        assert {key: (row["network"].split(":")[-1], row["address"]) for key, row in rows.items()} == {
            ("eth0", 4): ("k8s-default-pod-network", "10.32.0.7"),
            ("net1", 4): ("k8s-blue-pod-network", "10.200.1.252"),
            ("net1", 6): ("k8s-blue-pod-network", "fd01::ffff:ffff:ffff:fffc"),
            ("data0", 4): ("k8s-green-pod-network", "10.200.2.7"),
        }
        assert {(row["state"], row["linked"], row["node"]) for row in rows.values()} == {("ready", True, "node-1")}
        assert (rows["eth0", 4]["mac"], rows["data0", 4]["mac"]) == ("02:00:00:00:00:07", "02:aa:00:00:00:01")
        assert (rows["data0", 4]["gateway"], rows["data0", 4]["prefix_len"]) == ("10.200.2.254", 24)
        assert len({row["interface_uuid"] for row in rows.values()}) == 3
        world.tell(web(3))
        until_applied(store)
        assert set(addresses(store)) == {("eth0", 4)}
        assert len(contrail.objects("virtual-machine-interface")) == len(contrail.objects("instance-ip")) == 1


def test_an_attachment_goes_with_network_ipam_and_interfaces(
    world: World, store: DesiredStore, contrail: ContrailSimulator
) -> None:
    ipams = len(contrail.objects("network-ipam"))
    with applying(store, contrail):
        world.tell(NODE, SHOP, BLUE, web(2, networks="blue"))
        until_applied(store)
        assert len(contrail.objects("virtual-machine-interface")) == 2
        world.tell(_deleted(BLUE))
        until_applied(store)
    assert set(addresses(store)) == {("eth0", 4)}
    assert not [each for each in contrail.objects("virtual-network") if "blue" in each["fq_name"][-1]]
    assert len(contrail.objects("network-ipam")) == ipams + 3  # those of pods, services and the underlay


def test_one_pod_costs_at_most_five_calls(world: World, store: DesiredStore, contrail: ContrailSimulator) -> None:
    """Machine, interface, instance-ip, the router's link, and one look at the address."""
    with applying(store, contrail):
        world.tell(NODE, SHOP, BLUE, web(2, name="first"))
        until_applied(store)
        for name, told, most in (("web", {}, 5), ("second", {"networks": "blue", "ips": "10.32.0.7"}, 9)):
            before = calls(contrail)
            world.tell(web(3, name=name, **told))
            until_applied(store)
            assert 4 <= calls(contrail) - before <= most


def test_case_39_an_address_that_is_taken_leaves_the_pod_waiting_until_it_is_free(
    world: World, store: DesiredStore, contrail: ContrailSimulator
) -> None:
    with applying(store, contrail):
        world.tell(NODE, SHOP, web(2, ips="10.32.0.7"))
        until_applied(store)
        world.tell(web(3, name="late", ips="10.32.0.7"))
        late = until(lambda: next((r for r in addresses(store, "late").values() if "in use" in r["reason"]), None))
        assert late["state"] != "ready" and late["address"] is None
        assert [each["instance_ip_address"] for each in contrail.objects("instance-ip")] == ["10.32.0.7"]
        world.tell(pod("web", 4, node="node-1", phase="Succeeded"))
        until_applied(store)
        assert [row["address"] for row in addresses(store, "late").values()] == ["10.32.0.7"]


def _deleted(told: ChangeEvent) -> ChangeEvent:
    return event(Op.DELETE, told.kind, told.namespace, told.name, 9, None)
