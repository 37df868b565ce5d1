"""A service chain and its pods, from events to a simulated Contrail over HTTP, and everything gone again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from schemas.events import ChangeEvent, Op
from simulators.contrail.server import ContrailSimulator
from tests.applier.desired import DesiredStore
from tests.applier.running import applying, until_applied
from tests.applier.test_pod_ends import on
from tests.translator.chains import INSIDE, OUTSIDE, SHOP, chain, provider, service, traffic
from tests.translator.facts import event, node, uid
from tests.translator.world import World
from translator.postgres import PostgresStore

pytestmark = pytest.mark.postgres

NODE = node("node-1", address="192.0.2.1")
MADE = ("service-template", "service-instance", "port-tuple")


@pytest.fixture
def world(store: DesiredStore) -> Iterator[World]:
    """A translator over the applier's store."""
    backend = PostgresStore(store.engine, "k8s")
    yield World(backend, with_settings=True)
    backend.close()


def firewall(name: str, version: int, **fields: Any) -> ChangeEvent:
    """A pod of the firewall on node-1."""
    return provider(name, node="node-1", version=version, **fields)


def serving(contrail: ContrailSimulator) -> list[tuple[str, str, str]]:
    """(pod, side, port-tuple's pod) of every interface that serves a chain."""
    found = []
    for each in contrail.objects("virtual-machine-interface"):
        side = (each.get("virtual_machine_interface_properties") or {}).get("service_interface_type", "")
        for ref in each.get("port_tuple_refs") or ():
            found.append((each["fq_name"][-1].split("__")[0], side, ref["to"][-1].split("__")[0]))
    return sorted(found)


def policed(contrail: ContrailSimulator) -> list[str]:
    """Networks that are under the chain's policy."""
    return sorted(
        each["fq_name"][-1]
        for each in contrail.objects("virtual-network")
        for ref in each.get("network_policy_refs") or ()
        if ref["to"][-1] == "k8s-shop__inspect-service-chain"
    )


def test_a_chain_is_served_changed_and_taken_away(
    world: World, store: DesiredStore, contrail: ContrailSimulator
) -> None:
    with applying(store, contrail):
        world.tell(NODE, SHOP, INSIDE, OUTSIDE, chain(), firewall("fw-0", 2), firewall("fw-1", 3))
        until_applied(store)
        assert serving(contrail) == [(name, side, name) for name in ("fw-0", "fw-1") for side in ("left", "right")]
        assert policed(contrail) == ["k8s-inside-pod-network", "k8s-outside-pod-network"]
        # One pod is no firewall any more, and the traffic is another.
        world.tell(firewall("fw-1", 4, app="web"), _at(5, chain("inspect", service(), traffic=(traffic("TCP", 443),))))
        until_applied(store)
        assert [pod for pod, _, _ in serving(contrail)] == ["fw-0", "fw-0"]
        # Another mode is another instance, and the pod follows.
        world.tell(_at(6, chain("inspect", service(mode="transparent"))))
        until_applied(store)
        [instance] = contrail.objects("service-instance")
        assert instance["fq_name"][-1].endswith("__transparent")
        assert len(serving(contrail)) == 2
        world.tell(event(Op.DELETE, "ServiceChain", "shop", "inspect", 7, None))
        until_applied(store)
        assert [contrail.count(type_) for type_ in MADE] == [0, 0, 0]
        assert (serving(contrail), policed(contrail)) == ([], [])
    assert contrail.count("virtual-machine-interface") == 6, "the pods keep their interfaces"
    assert on(contrail, "node-1") == sorted(uid(f"Pod/shop/fw-{n}") for n in (0, 1))


def _at(version: int, told: ChangeEvent) -> ChangeEvent:
    return event(Op.UPSERT, told.kind, told.namespace, told.name, version, told.body)
