"""From events to a simulated Contrail and back, when a running pod's network changes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from sqlalchemy import text

from schemas.events import ChangeEvent
from simulators.contrail.server import ContrailSimulator
from tests.applier.desired import DesiredStore
from tests.applier.running import applying, until_applied
from tests.translator.facts import namespace, node, pod
from tests.translator.world import World
from translator.postgres import PostgresStore

pytestmark = pytest.mark.postgres

OWN = "default-domain:k8s-shop:k8s-shop-pod-network"
APP = "default-domain:k8s-shop:k8s-shop__web-pod-network"
DEFAULT = "default-domain:k8s-default:k8s-default-pod-network"


@pytest.fixture
def world(store: DesiredStore) -> Iterator[World]:
    """A translator over the applier's store."""
    backend = PostgresStore(store.engine, "k8s")
    yield World(backend, with_settings=True)
    backend.close()


def address(store: DesiredStore) -> dict[str, Any]:
    """What the CNI is told of the pod."""
    with store.engine.connect() as connection:
        (row,) = connection.execute(text("SELECT * FROM pod_address WHERE pod = 'web'")).mappings()
        return dict(row)


def networks(contrail: ContrailSimulator) -> set[str]:
    """Networks in Contrail that are not its own."""
    names = {":".join(each["fq_name"]) for each in contrail.objects("virtual-network")}
    return {name for name in names if ":k8s-" in name}


def test_isolation_moves_a_running_pod_there_and_back(
    world: World, store: DesiredStore, contrail: ContrailSimulator
) -> None:
    """Interface, address and network change together; what was left behind goes, networks too."""
    told: list[tuple[str, tuple[ChangeEvent, ...]]] = [
        (DEFAULT, (node("node-1", address="192.0.2.1"), namespace(), pod("web", 2, node="node-1"))),
        (OWN, (namespace(version=3, isolation="true"),)),
        (APP, (pod("web", 4, node="node-1", labels={"opencontrail.org/name": "web"}),)),
        (DEFAULT, (namespace(version=5), pod("web", 6, node="node-1"))),
    ]
    seen = []
    with applying(store, contrail):
        for network, events in told:
            world.tell(*events)
            until_applied(store)
            row = address(store)
            assert (row["network"], row["state"], row["linked"]) == (network, "ready", True)
            (interface,) = contrail.objects("virtual-machine-interface")
            (instance,) = contrail.objects("instance-ip")
            assert interface["uuid"] == str(row["interface_uuid"])
            assert instance["instance_ip_address"] == row["address"]
            for each in (interface, instance):
                assert [":".join(ref["to"]) for ref in each["virtual_network_refs"]] == [network]
            seen.append(row["interface_uuid"])
    assert seen[0] == seen[3] and len(set(seen)) == 3
    assert networks(contrail) == {DEFAULT, DEFAULT.replace("pod-network", "service-network")}


def test_a_network_that_comes_later_than_its_pods_is_waited_for(
    world: World, store: DesiredStore, contrail: ContrailSimulator
) -> None:
    name = {"domain": "default-domain", "project": "default-project", "name": "blue"}
    with applying(store, contrail):
        world.tell(node("node-1", address="192.0.2.1"), namespace(network=json.dumps(name), network__connect="true"))
        world.tell(pod("web", 2, node="node-1"))
        assert requests.post(f"{contrail.url}/virtual-networks", json=_network(), timeout=5).status_code == 200
        until_applied(store)
    (blue,) = (each for each in contrail.objects("virtual-network") if each["fq_name"][-1] == "blue")
    row = address(store)
    assert row["address"].startswith("172.16.0.") and row["state"] == "ready"
    assert str(row["network_uuid"]) == blue["uuid"]
    names = {ref["to"][-1] for ref in blue["network_policy_refs"]}
    assert names == {"k8s-default-ip-fabric-np", "k8s-default-service-np"}


def _network() -> dict[str, Any]:
    project = ["default-domain", "default-project"]
    subnet = {"subnet": {"ip_prefix": "172.16.0.0", "ip_prefix_len": 24}}
    ipam = {"to": [*project, "default-network-ipam"], "attr": {"ipam_subnets": [subnet]}}
    return {"virtual-network": {"fq_name": [*project, "blue"], "parent_type": "project", "network_ipam_refs": [ipam]}}
