"""What is left in Contrail when a Node goes: nothing of ours, in whatever order it is told."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
from sqlalchemy import text

from schemas.events import Op
from simulators.contrail.faults import Fault, Trouble
from simulators.contrail.server import ContrailSimulator
from simulators.contrail.state import State
from tests.applier.desired import DesiredStore
from tests.applier.running import applying, until, until_applied
from tests.translator.facts import SETTINGS, gone, namespace, node, pod
from tests.translator.world import World
from translator.postgres import PostgresStore

pytestmark = pytest.mark.postgres

ROUTERS = {"first": "192.0.2.1", "second": "192.0.2.2", "third.example.com": "192.0.2.3", "fourth": "192.0.2.4"}
"""As they are registered: the third Node is found by its address only."""
NODES = {name.partition(".")[0]: address for name, address in ROUTERS.items()}
GLOBAL = "default-global-system-config"


@pytest.fixture
def contrail() -> Iterator[ContrailSimulator]:
    with ContrailSimulator(nodes=ROUTERS) as simulator:
        yield simulator


@pytest.fixture
def world(store: DesiredStore) -> Iterator[World]:
    """A translator over the applier's store, with a pod on each of four nodes."""
    backend = PostgresStore(store.engine, "k8s")
    made = World(backend, with_settings=True)
    made.tell(namespace(), *(node(name, address=address) for name, address in NODES.items()))
    made.tell(*(pod(f"on-{name}", node=name, host_ips=(address,)) for name, address in NODES.items()))
    yield made
    backend.close()


def routed(contrail: ContrailSimulator) -> dict[str, list[str]]:
    """Machines by the virtual-routers that refer to any."""
    routers = contrail.objects("virtual-router")
    found = {r["fq_name"][-1]: [ref["to"][-1] for ref in r.get("virtual_machine_refs") or ()] for r in routers}
    return {name: machines for name, machines in found.items() if machines}


def links(store: DesiredStore) -> dict[str, tuple[str, str]]:
    """Status and reason of each link from a virtual-router, by its Node."""
    states = [s for s in store.states().values() if s.fq_name.startswith("virtual-router:")]
    return {state.fq_name.split(":")[2]: (state.status, state.reason) for state in states}


def router_gone(contrail: ContrailSimulator, name: str) -> None:
    """A person deletes a virtual-router, whatever refers to it."""

    def remove(state: State) -> None:
        found = state.named("virtual-router", (GLOBAL, name))
        assert found is not None
        state.remove(found)

    contrail.ask(remove)


def test_no_reference_is_left_on_the_router_of_a_node_that_is_gone_in_whatever_order(
    world: World, store: DesiredStore, contrail: ContrailSimulator
) -> None:
    leave = {name: node(name, 5, op=Op.DELETE) for name in NODES}
    ends = {name: gone(f"on-{name}", 6) for name in NODES}
    with applying(store, contrail):
        until_applied(store)
        assert routed(contrail) == {name: [f"k8s__shop__on-{name.partition('.')[0]}"] for name in ROUTERS}
        router_gone(contrail, "fourth")
        world.tell(ends["first"])
        world.tell(leave["second"], leave["third"], leave["fourth"])  # with their pods still bound to them
        until(lambda: "on-first" not in str(routed(contrail)))
        world.tell(leave["first"])
        world.tell(ends["second"], ends["third"], ends["fourth"])
        until(lambda: not store.unfinished() and not links(store), told=store.unfinished)
    assert routed(contrail) == {}
    assert contrail.count("virtual-machine") == 0 and contrail.count("instance-ip") == 0


def test_case_72_a_node_that_is_gone_lets_go_of_a_pod_before_its_address_is_free(
    world: World, store: DesiredStore, contrail: ContrailSimulator
) -> None:
    """Its virtual-router is known by its address alone, which only the pod tells by now."""
    with applying(store, contrail):
        until_applied(store)
        world.tell(node("third", 5, op=Op.DELETE))
        until_applied(store)
        contrail.faults.add(Fault(Trouble.STATUS, "POST", "/ref-update", count=None, status=503))
        world.tell(gone("on-third", 6))
        until(lambda: "503" in str(store.reasons()))
        assert contrail.count("instance-ip") == len(NODES)
        contrail.faults.clear()
        until_applied(store)
        assert contrail.count("instance-ip") == len(NODES) - 1


def test_a_node_that_comes_back_has_the_pods_that_stayed(
    world: World, store: DesiredStore, contrail: ContrailSimulator
) -> None:
    with applying(store, contrail):
        until_applied(store)
        before = routed(contrail)
        for name in NODES:
            world.tell(node(name, 5, op=Op.DELETE))
        world.tell(*(node(name, 6, address=address) for name, address in NODES.items()))
        until_applied(store)
        assert routed(contrail) == before


def test_a_link_from_a_router_that_is_gone_waits_while_its_pod_is_there_and_ends_with_it(
    world: World, store: DesiredStore, contrail: ContrailSimulator
) -> None:
    with applying(store, contrail):
        until_applied(store)
        router_gone(contrail, "fourth")
        world.tell(node("fourth", 5, op=Op.DELETE), pod("late", 6, node="fourth"))
        status, reason = until(lambda: [each for each in links(store).values() if each[1]])[0]
        assert (status, reason) == ("blocked", "virtual-router of node fourth is not registered in Contrail")
        with store.engine.begin() as connection:  # as after hours of waiting
            connection.execute(text("UPDATE apply_state SET attempts = 500 WHERE status = 'blocked'"))
        world.tell(gone("late", 7), gone("on-fourth", 7))
        until_applied(store)
        assert "fourth" not in links(store)


@pytest.fixture
def makers(store: DesiredStore) -> Iterator[World]:
    """The same, where virtual-routers of Nodes are ours to make."""
    backend = PostgresStore(store.engine, "k8s")
    made = World(backend, settings=msgspec.structs.replace(SETTINGS, virtual_routers=True), with_settings=True)
    made.tell(namespace(), node("n1", address="192.0.2.11"), node("n2", address="192.0.2.12"))
    made.tell(pod("a", node="n1"), pod("b", node="n2"))
    yield made
    backend.close()


def routers(contrail: ContrailSimulator) -> set[str]:
    return {each["fq_name"][-1] for each in contrail.objects("virtual-router")}


def test_a_router_that_we_made_goes_with_its_node_once_no_machine_is_left_on_it(
    makers: World, store: DesiredStore, contrail: ContrailSimulator
) -> None:
    with applying(store, contrail):
        until_applied(store)
        assert routed(contrail) == {"n1": ["k8s__shop__a"], "n2": ["k8s__shop__b"]}
        makers.tell(node("n2", 4, address="192.0.2.99"))
        until_applied(store)  # another address takes no machine away
        assert routed(contrail)["n2"] == ["k8s__shop__b"]
        makers.tell(node("n1", 5, op=Op.DELETE))
        (reason,) = until(lambda: store.reasons() - {""})
        assert "k8s__shop__a" in reason and routed(contrail)["n1"] == ["k8s__shop__a"]
        makers.tell(gone("a", 6))
        until_applied(store)
        assert routers(contrail) == {*ROUTERS, "n2"}
        makers.tell(gone("b", 7), node("n2", 7, op=Op.DELETE))
        until_applied(store)
    assert routers(contrail) == set(ROUTERS)


def test_case_68_a_router_that_somebody_else_made_is_never_taken_or_deleted(
    makers: World, store: DesiredStore, contrail: ContrailSimulator
) -> None:
    with applying(store, contrail):
        makers.tell(node("first", 2, address="192.0.2.1"))
        (reason,) = until(lambda: store.reasons() - {""})
        assert "virtual-router default-global-system-config:first exists already" in reason
        makers.tell(pod("c", 3, node="first"))
        until(lambda: routed(contrail).get("first") == ["k8s__shop__c"])
        makers.tell(gone("c", 4), node("first", 4, op=Op.DELETE))
        until_applied(store)
    assert set(ROUTERS) <= routers(contrail)
