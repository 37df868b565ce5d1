"""What a first translation will ask for is loaded before it asks; rows do not depend on it."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from schemas.events import ChangeEvent
from tests.translator.facts import controlled, namespace, node, pod, workload
from tests.translator.golden import resource
from tests.translator.rows import Dump, MemoryBackend
from tests.translator.services import cart, endpoints
from tests.translator.world import World
from translator import project
from translator.foresight import foresee
from translator.resource import Key, Resource

REPLICAS = workload("ReplicaSet", "web-1")
TOLD: tuple[ChangeEvent, ...] = (
    namespace(),
    node(),
    REPLICAS,
    pod("web-0", owners=(controlled(REPLICAS),)),
    cart(),
    endpoints("cart-1", "web-0"),
)


def rows(events: Iterable[ChangeEvent]) -> Dump:
    backend = MemoryBackend()
    World(backend.store).tell(*events)
    return backend.dump()


def test_a_pod_names_its_namespace_its_node_and_what_controls_it() -> None:
    owners = [{"api_version": "v1", "kind": "ReplicaSet", "name": "web-1", "uid": "u", "controller": True}]
    owners.append({"api_version": "v1", "kind": "Watch", "name": "bystander", "uid": "w", "controller": False})
    first = resource("Pod", "shop", "web-0", body={"node_name": "n1", "owners": owners})
    assert set(foresee(first)) == {"Namespace//shop", "Node//n1", "ReplicaSet/shop/web-1"}
    assert set(foresee(resource("Pod", "shop", "web-0"))) == {"Namespace//shop"}


def test_a_slice_names_its_service_and_its_pods() -> None:
    body = {"service": "cart", "endpoints": [{"pod_name": "web-0"}, {"pod_name": ""}], "address_type": "IPv4"}
    named = set(foresee(resource("EndpointSlice", "shop", "cart-1", body=body)))
    assert named == {"Namespace//shop", "Service/shop/cart", "Pod/shop/web-0"}


def test_what_belongs_to_the_whole_cluster_names_no_namespace() -> None:
    assert list(foresee(resource("Node", "", "n1"))) == []


@pytest.mark.parametrize("name", ["a/b", "*", "x" * 300])
def test_a_name_that_nothing_can_have_is_not_loaded(name: str) -> None:
    owners = [{"api_version": "v1", "kind": "ReplicaSet", "name": name, "uid": "u", "controller": True}]
    first = resource("Pod", "shop", "web-0", body={"node_name": name, "owners": owners})
    assert set(foresee(first)) == {"Namespace//shop"}
    body = {"service": name, "endpoints": [{"pod_name": name}], "address_type": "IPv4"}
    assert set(foresee(resource("EndpointSlice", "shop", "s", body=body))) == {"Namespace//shop"}


def test_rows_are_the_same_where_nothing_is_foreseen(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(_: Resource) -> Iterable[Key]:
        return ()

    foreseen = rows(TOLD)
    monkeypatch.setattr(project, "foresee", nothing)
    assert rows(TOLD) == foreseen
    assert any(row[0] == "floating-ip" for row in foreseen["objects"].values())
