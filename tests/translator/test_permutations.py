"""Case 59: any interleaving of independent histories gives identical rows, squashed, spread or told twice."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events import ChangeEvent, Op
from tests.translator.chains import chain, end, service
from tests.translator.facts import attachment, controlled, event, gone, namespace, node, pod, uid, workload
from tests.translator.ingresses import CART, ingress, ingress_class, path, rule
from tests.translator.rows import Dump, MemoryBackend
from tests.translator.services import NAMED, cart, endpoint, endpoints
from tests.translator.world import World

History = Sequence[ChangeEvent]

APP, NETWORK = "opencontrail.org/name", "opencontrail.org/network"
NETWORKS = "k8s.v1.cni.cncf.io/networks"
BLUE = '{"domain": "default-domain", "project": "tenants", "name": "blue"}'
DEPLOYMENT = workload("Deployment", "web", "web")
CHECK, FIREWALL = "opencontrail.org/health-check", {"app": "firewall"}
POOL, OUTSIDE = "opencontrail.org/fip-pool", ("203.0.113.7",)
PUBLIC = '{"domain": "default-domain", "project": "admin", "network": "public", "name": "pool"}'
REPLICAS = workload("ReplicaSet", "web-1", None, controlled(DEPLOYMENT))
LAN_GONE = event(Op.DELETE, "NetworkAttachmentDefinition", "shop", "lan", 1, None)
HISTORIES: tuple[History, ...] = (
    (namespace(version=1), namespace(version=41, of="second")),
    (namespace("other", 2), namespace("other", 42, op=Op.DELETE)),
    (namespace("default", 3),),
    (node("n1", 4), node("n1", 43, address="192.168.9.9")),
    (node("n2", 5), node("n2", 44, op=Op.DELETE)),
    (pod("a", 6, node="", of="a1"), pod("a", 45, node="n1", of="a1"), pod("a", 61, node="n1", of="a1", ready=True)),
    (pod("b", 7, node="n2", of="b1"), gone("b", 46, of="b1"), pod("b", 62, node="n1", of="b2")),
    (pod("c", 8, node="n1", namespace="other"), pod("c", 47, node="n1", namespace="other", phase="Failed")),
    (pod("d", 9, node="n1", namespace="default"), gone("d", 48, namespace="default")),
    (pod("e", 10, node="bad name"), pod("e", 49, node="n2")),
    (namespace("iso", isolation="true"), namespace("iso"), namespace("iso", isolation="true", ip_fabric_snat="true")),
    (pod("f", namespace="iso"), pod("f", namespace="iso", labels={APP: "web"}), pod("f", namespace="iso")),
    (pod("g", namespace="iso", labels={APP: "web"}), gone("g", namespace="iso")),
    (DEPLOYMENT, workload("Deployment", "web", "db")),
    (REPLICAS,),
    (pod("h", owners=(controlled(REPLICAS),)), pod("h", owners=(controlled(REPLICAS),), phase="Running")),
    (attachment(cidr="10.200.1.0/24"), attachment(cidr="10.200.1.0/24,fd01::/64")),
    (attachment("lan", cidr="10.200.3.0/24"), LAN_GONE),
    (
        pod("j", annotations={NETWORKS: "blue,lan"}, labels=FIREWALL),
        pod("j", annotations={NETWORKS: "lan,blue@b0"}, labels=FIREWALL, phase="Running"),
    ),
    (
        chain(left=end(attachment="shop/blue"), right=end(attachment="shop/lan")),
        chain("inspect", service(), service("ids"), left=end(attachment="shop/blue"), right=end(namespace="shop")),
    ),
    (
        cart(),
        cart(type="ExternalName", external_name="x.example.com"),
        cart(NAMED, external_ips=OUTSIDE, annotations={POOL: PUBLIC, CHECK: '{"monitor_type": "PING"}'}),
    ),
    (
        endpoints("cart-1", endpoint("a", pod_uid=uid("a1")), endpoint("b", pod_uid=uid("b1"))),
        endpoints("cart-1", endpoint("b", pod_uid=uid("b2"), ready=False, terminating=True), "h", port=9090),
    ),
    (endpoints("cart-2", endpoint("a", pod_uid=uid("a1"))), endpoints("cart-2", "h", endpoint("gone"), of="till")),
    (pod("i", annotations={NETWORK: BLUE}), pod("i", annotations={NETWORK: BLUE, f"{NETWORK}-connect": "true"})),
    (pod("k", namespace="iso", annotations={NETWORK: BLUE, f"{NETWORK}-connect": "true"}), gone("k", namespace="iso")),
    (ingress("front", rule("", path("/"))), ingress("front", default_backend=CART, class_name="edge")),
    (ingress_class("edge", "elsewhere.example/x"), ingress_class("edge")),
)


def interleaved(order: Sequence[int]) -> list[ChangeEvent]:
    """Events in the order of the histories' numbers; each history keeps its own order.

    Revisions follow the order of telling, as those of one watch do.
    """
    waiting = [iter(history) for history in HISTORIES]
    return numbered([next(waiting[number]) for number in order])


def numbered(events: Sequence[ChangeEvent]) -> list[ChangeEvent]:
    """The events with rising revisions."""
    return [_at(event, number + 1) for number, event in enumerate(events)]


def lasting(dump: Dump) -> Dump:
    """Rows that do not tell of the way there: no positions, no generations, nothing absent."""
    alive = {uuid: row[:6] for uuid, row in dump["objects"].items() if not row[7]}
    return {
        "resources": {key: (row[0], row[1], row[3]) for key, row in dump["resources"].items()},
        "reads": dump["reads"],
        "objects": alive,
        "sources": dump["sources"],
        "edges": {edge: True for edge in dump["edges"] if edge[0] in alive},
        "open letters": {key: row for key, row in dump["letters"].items() if not row[3]},
    }


def told(events: Sequence[ChangeEvent], cuts: Sequence[int]) -> Dump:
    """What a store holds after these events, in batches of these sizes in turn."""
    backend = MemoryBackend()
    world = World(backend.store)
    rest, sizes = list(events), itertools.cycle(cuts)
    settings_after = len(rest) // 2
    while rest:
        size = next(sizes)
        world.tell(*rest[:size])
        rest = rest[size:]
        if len(rest) <= settings_after:
            world.put_settings()
    world.put_settings()
    return lasting(backend.dump())


def _at(event: ChangeEvent, version: int) -> ChangeEvent:
    fields = {name: getattr(event, name) for name in event.__struct_fields__}
    return ChangeEvent(**{**fields, "resource_version": str(version)})


def _deleted(kind: str, space: str, name: str, uid: str, version: int, epoch: int) -> ChangeEvent:
    template = gone("x", version, epoch=epoch)
    fields = {field: getattr(template, field) for field in template.__struct_fields__}
    return ChangeEvent(**{**fields, "kind": kind, "namespace": space, "name": name, "uid": uid})


NUMBERS = [number for number, history in enumerate(HISTORIES) for _ in history]
STRAIGHT = told(interleaved(NUMBERS), [1])


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.permutations(NUMBERS), st.lists(st.integers(1, 8), min_size=1, max_size=3))
def test_case_59_any_interleaving_gives_identical_rows(order: list[int], cuts: list[int]) -> None:
    dump = told(interleaved(order), cuts)
    for table in ("reads", "objects", "sources", "edges", "open letters"):
        assert dump[table] == STRAIGHT[table], table
    assert {key: (row[0], row[2]) for key, row in dump["resources"].items()} == {
        key: (row[0], row[2]) for key, row in STRAIGHT["resources"].items()
    }


def test_case_59_only_the_last_states_squashed() -> None:
    final = [history[-1] for history in HISTORIES if history[-1].op is not Op.DELETE]
    squashed = told(numbered(final), [1])
    for table in ("objects", "sources", "edges", "reads"):
        assert squashed[table] == STRAIGHT[table], table


def test_case_59_deleting_everything_leaves_the_bootstrap_objects() -> None:
    backend = MemoryBackend()
    world = World(backend.store, with_settings=True)
    bootstrap = lasting(backend.dump())
    world.tell_each(interleaved(NUMBERS))
    version = 1000
    for key, row in list(backend.dump()["resources"].items()):
        kind, space, name = key.split("/")
        if kind != "Settings":
            version += 1
            uid, _, epoch, *_ = row
            event = _deleted(kind, space, name, uid, version, epoch)
            world.tell(event)
    after = lasting(backend.dump())
    assert after["objects"] == bootstrap["objects"]
    assert after["sources"] == bootstrap["sources"]
    assert after["reads"] == bootstrap["reads"] and after["open letters"] == {}
