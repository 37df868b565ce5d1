"""Whose is an address, while pods end, move and come back? From events to a simulated Contrail: cases 26 to 39."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from sqlalchemy import text

from simulators.contrail.faults import Fault, Trouble
from simulators.contrail.server import ContrailSimulator
from tests.applier.desired import DesiredStore
from tests.applier.running import applying, until, until_applied
from tests.applier.test_end_to_end import register
from tests.translator.facts import SETTINGS, gone, namespace, node, pod, uid
from tests.translator.world import World
from translator.postgres import PostgresStore

pytestmark = pytest.mark.postgres

IPS = "opencontrail.org/ips"
THERE = (node("node-1", address="192.0.2.1"), node("node-2", address="192.0.2.2"), namespace())
ADDRESS = "10.32.0.7"


@pytest.fixture
def world(store: DesiredStore, contrail: ContrailSimulator) -> Iterator[World]:
    """A translator over the applier's store, beside a Contrail of two nodes."""
    register(contrail, "node-2")
    backend = PostgresStore(store.engine, "k8s")
    yield World(backend, with_settings=True)
    backend.close()


def asking(name: str, version: int, **fields: Any) -> Any:
    """A pod that wants ADDRESS."""
    return pod(name, version, **{"node": "node-1", "annotations": {IPS: ADDRESS}, **fields})


def at(store: DesiredStore, address: str = ADDRESS) -> list[tuple[str, str, str]]:
    """(pod, its uid, state) of whoever has the address, as the node agent and people are told."""
    with store.engine.connect() as connection:
        found = connection.execute(
            text("SELECT pod, pod_uid::text, state FROM pod_address WHERE address = :a"), {"a": address}
        )
        return [tuple(row) for row in found]


def allocated(contrail: ContrailSimulator) -> list[str]:
    """Addresses that Contrail has given away."""
    return sorted(each["instance_ip_address"] for each in contrail.objects("instance-ip"))


def on(contrail: ContrailSimulator, node: str) -> list[str]:
    """Machines that a node's router has."""
    [router] = [each for each in contrail.objects("virtual-router") if each["fq_name"][-1] == node]
    return sorted(ref["uuid"] for ref in router.get("virtual_machine_refs") or ())


def labels(contrail: ContrailSimulator) -> list[str]:
    """The tags of all interfaces that the label `app` of a pod stands for."""
    refs = [ref for each in contrail.objects("virtual-machine-interface") for ref in each.get("tag_refs") or ()]
    return sorted(ref["to"][-1] for ref in refs if ref["to"][-1].partition("=")[2].startswith("k8s.pod.app="))


def test_case_26_a_pod_that_moved_is_on_its_new_node_only(
    world: World, store: DesiredStore, contrail: ContrailSimulator
) -> None:
    """The delete is in flight: first the successor is told, then, late, that its predecessor is gone."""
    first, second = uid("first"), uid("second")
    with applying(store, contrail):
        world.tell(*THERE, pod("db-0", 2, node="node-1", of="first"))
        until_applied(store)
        assert (on(contrail, "node-1"), on(contrail, "node-2")) == ([first], [])
        world.tell(pod("db-0", 3, node="node-2", of="second"))
        world.tell(gone("db-0", 4, of="first"))
        until_applied(store)
    assert (on(contrail, "node-1"), on(contrail, "node-2")) == ([], [second])
    [address] = allocated(contrail)
    assert at(store, address) == [("db-0", second, "ready")]


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_case_29_an_address_of_a_pod_that_ended_is_that_of_the_one_that_runs(
    world: World, store: DesiredStore, contrail: ContrailSimulator, phase: str
) -> None:
    with applying(store, contrail):
        world.tell(*THERE, asking("job", 2, labels={"app": "job"}))
        until_applied(store)
        world.tell(asking("job", 3, labels={"app": "job"}, phase=phase, pod_ips=(ADDRESS,)))
        world.tell(asking("web", 4, labels={"app": "web"}))
        until_applied(store)
        assert at(store) == [("web", uid("Pod/shop/web"), "ready")]
        # What policies go by is the interface's own, and the ended one has none: nothing of it is at the address.
        assert on(contrail, "node-1") == [uid("Pod/shop/web")]
        assert ["web" in tag for tag in labels(contrail)] == [True] and "job" not in labels(contrail)[0]
        world.tell(gone("job", 5))
        until_applied(store)
    assert (at(store), allocated(contrail)) == ([("web", uid("Pod/shop/web"), "ready")], [ADDRESS])


def test_case_30_a_completed_pod_of_the_first_listing_neither_takes_nor_frees_an_address(
    world: World, store: DesiredStore, contrail: ContrailSimulator
) -> None:
    with applying(store, contrail):
        world.tell(
            *THERE,
            asking("job", 2, phase="Succeeded", pod_ips=(ADDRESS,)),
            asking("web", 3, phase="Running", pod_ips=(ADDRESS,)),
        )
        until_applied(store)
        assert (at(store), allocated(contrail)) == ([("web", uid("Pod/shop/web"), "ready")], [ADDRESS])
        asked = Counter(contrail.counters)
        world.tell(gone("job", 4))
        until_applied(store)
    assert contrail.counters - asked == Counter(), "nobody may even look"
    assert (at(store), allocated(contrail)) == ([("web", uid("Pod/shop/web"), "ready")], [ADDRESS])


@pytest.mark.parametrize("ending", [{"phase": "Failed"}, None], ids=["evicted", "deleted by force"])
def test_case_32_an_address_is_given_to_nobody_before_the_dead_nodes_port_is_gone(
    world: World, store: DesiredStore, contrail: ContrailSimulator, ending: dict[str, Any] | None
) -> None:
    """The node is dead and its pod is no more for Kubernetes; for Contrail its port is there for a while."""
    with applying(store, contrail):
        world.tell(*THERE, asking("web", 2, of="first"))
        until_applied(store)
        contrail.faults.add(Fault(Trouble.STATUS, "POST", "/ref-update", None, status=500, text="hiccup"))
        world.tell(gone("web", 3, of="first") if ending is None else asking("web", 3, of="first", **ending))
        world.tell(asking("next", 4, node="node-2"), pod("other", 5, node="node-2"))
        until(lambda: "409" in reasons(store) and reasons(store).count("hiccup") >= 2, told=store.unfinished)
        until(lambda: len(allocated(contrail)) == 2, told=store.unfinished)
        assert ADDRESS in allocated(contrail) and len(set(allocated(contrail))) == 2
        assert on(contrail, "node-1") == [uid("first")]
        assert at(store) == [], "neither the old nor the new one is told of the address"
        contrail.faults.clear()
        until_applied(store)
    assert on(contrail, "node-1") == []
    assert at(store) == [("next", uid("Pod/shop/next"), "ready")]
    assert len(set(allocated(contrail))) == len(allocated(contrail)) == 2


def test_case_39_half_of_what_is_asked_for_is_no_address_and_is_given_back_with_the_pod(
    store: DesiredStore, contrail: ContrailSimulator
) -> None:
    """Of two requested addresses one is taken: the pod waits for both, and says which one it lacks."""
    dual = msgspec.structs.replace(SETTINGS, pod_subnets=("10.32.0.0/12", "fd00:10::/64"))
    backend = PostgresStore(store.engine, "k8s")
    world = World(backend, settings=dual, with_settings=True)
    both = {IPS: f"{ADDRESS}, fd00:10::7"}
    with applying(store, contrail):
        world.tell(*THERE[::2], asking("first", 2, annotations={IPS: "10.32.0.9, fd00:10::7"}))
        until_applied(store)
        world.tell(asking("web", 3, annotations=both))
        until(lambda: "IP address already in use" in reasons(store), told=store.unfinished)
        assert [state for _, _, state in told(store, "web")] != ["ready", "ready"]
        assert "fd00:10::7" not in [address for address, _, _ in told(store, "web")]
        world.tell(gone("web", 4))
        until_applied(store)
        assert allocated(contrail) == ["10.32.0.9", "fd00:10::7"]
        assert told(store, "web") == []
    backend.close()


def told(store: DesiredStore, name: str) -> list[tuple[str | None, int, str]]:
    """(address, family, state) of each row that the node agent has of a pod."""
    with store.engine.connect() as connection:
        found = connection.execute(
            text("SELECT address, family, state FROM pod_address WHERE pod = :p ORDER BY family"), {"p": name}
        )
        return [tuple(row) for row in found]


def reasons(store: DesiredStore) -> str:
    """Why rows are not applied."""
    with store.engine.connect() as connection:
        return "; ".join(connection.scalars(text("SELECT reason FROM apply_state WHERE reason <> ''")))
