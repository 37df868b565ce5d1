"""Every Node of the store becomes a virtual-router of the simulated Contrail."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from sqlalchemy import Engine, text

from console.provisioner import PARENT, Provisioner, internal_address
from schemas.errors import ContrailUnavailable
from simulators.contrail.server import ContrailSimulator
from tests.console import rows


@pytest.fixture
def contrail() -> Iterator[ContrailSimulator]:
    simulator = ContrailSimulator(host="127.0.0.1", port=0)
    simulator.start()
    yield simulator
    simulator.stop()


def _routers(contrail: ContrailSimulator) -> dict[str, str]:
    found: list[dict[str, Any]] = requests.get(f"{contrail.url}/virtual-routers?detail=true", timeout=10).json()[
        "virtual-routers"
    ]
    routers = [router["virtual-router"] for router in found]
    return {router["fq_name"][-1]: router.get("virtual_router_ip_address", "") for router in routers}


def _put_node(engine: Engine, name: str, address: str) -> None:
    addresses = [{"type": "Hostname", "address": name}, {"type": "InternalIP", "address": address}]
    with engine.begin() as connection:
        rows.put_resource(connection, "Node", "", name, {"addresses": addresses})


@pytest.mark.postgres
def test_nodes_are_registered_once_and_follow_their_address(store_engine: Engine, contrail: ContrailSimulator) -> None:
    provisioner = Provisioner(engine=store_engine, cluster=rows.CLUSTER, api=contrail.url)
    _put_node(store_engine, "node-1", "192.0.2.1")
    provisioner.round()
    _put_node(store_engine, "node-2", "192.0.2.2")
    provisioner.round()
    assert _routers(contrail) == {"node-1": "192.0.2.1", "node-2": "192.0.2.2"}
    with store_engine.begin() as connection:
        moved = '{"addresses": [{"type": "InternalIP", "address": "192.0.2.9"}]}'
        connection.execute(
            text("UPDATE k8s_resource SET body = cast(:body AS jsonb) WHERE name = 'node-1'"), {"body": moved}
        )
    provisioner.round()
    assert _routers(contrail) == {"node-1": "192.0.2.9", "node-2": "192.0.2.2"}
    provisioner.stop()


@pytest.mark.postgres
def test_a_router_goes_with_its_node_once_no_machine_is_left_on_it(
    store_engine: Engine, contrail: ContrailSimulator
) -> None:
    made = contrail.url
    foreign = {"fq_name": [PARENT, "theirs"], "parent_type": "global-system-config"}
    requests.post(f"{made}/virtual-routers", json={"virtual-router": foreign}, timeout=10).raise_for_status()
    provisioner = Provisioner(engine=store_engine, cluster=rows.CLUSTER, api=made)
    for name in ("node-1", "node-2"):
        _put_node(store_engine, name, "192.0.2.1")
    provisioner.round()
    machine = requests.post(f"{made}/virtual-machines", json={"virtual-machine": {"fq_name": ["m"]}}, timeout=10).json()
    asked = {"type": "virtual-router", "fq_name": [PARENT, "node-1"]}
    router = requests.post(f"{made}/fqname-to-id", json=asked, timeout=10).json()["uuid"]
    link = {"type": "virtual-router", "uuid": router, "ref-type": "virtual-machine"}
    link |= {"ref-uuid": machine["virtual-machine"]["uuid"], "operation": "ADD"}
    requests.post(f"{made}/ref-update", json=link, timeout=10).raise_for_status()
    with store_engine.begin() as connection:
        connection.execute(text("DELETE FROM k8s_resource WHERE kind = 'Node'"))
    provisioner.round()
    assert set(_routers(contrail)) == {"theirs", "node-1"}
    requests.post(f"{made}/ref-update", json={**link, "operation": "DELETE"}, timeout=10).raise_for_status()
    provisioner.round()
    assert set(_routers(contrail)) == {"theirs"}
    _put_node(store_engine, "node-1", "192.0.2.3")
    provisioner.round()
    assert _routers(contrail)["node-1"] == "192.0.2.3"
    provisioner.stop()


@pytest.mark.postgres
def test_what_is_registered_already_is_taken_over(store_engine: Engine, contrail: ContrailSimulator) -> None:
    _put_node(store_engine, "node-1", "192.0.2.1")
    for _ in range(2):
        provisioner = Provisioner(engine=store_engine, cluster=rows.CLUSTER, api=contrail.url)
        provisioner.round()
        provisioner.forget()
        provisioner.round()
        provisioner.stop()
    assert _routers(contrail) == {"node-1": "192.0.2.1"}


@pytest.mark.postgres
def test_an_api_that_is_away_is_named(store_engine: Engine) -> None:
    _put_node(store_engine, "node-1", "192.0.2.1")
    provisioner = Provisioner(engine=store_engine, cluster=rows.CLUSTER, api="http://127.0.0.1:1")
    with pytest.raises(ContrailUnavailable, match=r"simulated Contrail API at http://127\.0\.0\.1:1 does not answer"):
        provisioner.round()
    provisioner.stop()


def test_a_node_without_an_internal_address_has_none() -> None:
    assert internal_address({"addresses": [{"type": "Hostname", "address": "x"}]}) == ""
    assert internal_address({}) == ""
