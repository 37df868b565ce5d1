"""States of everything at once, drawn by chance: the same rows by every way, taken by Contrail, and nothing left.

Other tests go through the states of one feature; here isolation, apps, networks of others, attachments, chains,
services of all types, public addresses and ingresses meet in one namespace, and change together.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from schemas.events import ChangeEvent
from schemas.records import IngressBackend, IngressTls, ServicePort, SettingsRecord
from tests.translator import chains
from tests.translator.contrail import FollowingContrail, foreign_network, foreign_project
from tests.translator.facts import SETTINGS, attachment, controlled, namespace, node, pod, service, uid, workload
from tests.translator.forgetting import forget
from tests.translator.ingresses import ingress, ingress_class, path, rule
from tests.translator.services import HTTP, NAMED, endpoint, endpoints
from tests.translator.states import LASTING, History, State, rows
from tests.translator.test_public_addresses import POOL, pool

APP, NETWORK, NETWORKS = "opencontrail.org/name", "opencontrail.org/network", "k8s.v1.cni.cncf.io/networks"
BLUE = json.dumps({"domain": "default-domain", "project": "tenants", "name": "blue", "families": "v4"})
OUTSIDE = json.dumps({"domain": "default-domain", "project": "admin", "name": "public"})
FIP, CHECK = "opencontrail.org/fip-pool", "opencontrail.org/health-check"
THERE = (
    foreign_project("admin"),
    foreign_project("tenants"),
    foreign_network("default-domain", "admin", "public", cidr="203.0.113.0/24"),
    foreign_network("default-domain", "admin", "dmz", cidr="203.0.113.0/24"),
    foreign_network("default-domain", "tenants", "blue"),
    (pool("public"), pool("dmz")),
)
DUAL = {"pod_subnets": ("10.32.0.0/12", "fd00:1::/64"), "service_subnets": ("10.96.0.0/12", "fd00:2::/108")}
CLUSTERS = {
    "plain": SETTINGS,
    "dual": replace(SETTINGS, **DUAL),
    "balancers": replace(SETTINGS, service_load_balancer="loadbalancer", **DUAL),
    "one project": replace(SETTINGS, project="tenants", public_pool="default-domain:admin:dmz:pool", **DUAL),
}
DEPLOYMENT = workload("Deployment", "web")
REPLICAS = workload("ReplicaSet", "web-1", None, controlled(DEPLOYMENT))
SPACES: tuple[dict[str, str], ...] = (
    {},
    {},
    {"isolation": "true"},
    {"isolation": "true", "ip_fabric_snat": "true"},
    {"isolation": "true", "fip__pool": POOL % "dmz"},
    {"isolation": "true", "external__network": OUTSIDE},
    {"isolation": "true", "network": BLUE, "network__connect": "true"},
    {"network": BLUE, "network__connect": "true", "fip__pool": POOL % "public"},
)
ENDPOINTS: tuple[dict[str, Any], ...] = (
    {},
    {},
    {"ready": False},
    {"ready": False, "terminating": True},
    {"ready": False, "serving": False, "terminating": True},
)


def drawn(chance: Random, *, dual: bool) -> Iterator[ChangeEvent]:
    """A state: of each resource none, or one of its forms."""
    pick = chance.choice
    every: list[tuple[float, Callable[[], ChangeEvent]]] = [
        (0.95, lambda: namespace(labels=pick([None, {"team": "a"}]), of=pick(["n1", "n1", "n2"]), **pick(SPACES))),  # type: ignore[arg-type]
        (0.6, lambda: namespace("other", **pick(SPACES))),  # type: ignore[arg-type]
        (0.3, lambda: namespace("default", **pick([{}, {"ip_fabric_snat": "true"}]))),  # type: ignore[arg-type]
        (0.9, node),
        *((0.8, lambda name=name: _pod(name, chance)) for name in "abc"),
        (0.5, lambda: pod("z", namespace="other", labels=pick([{}, {APP: "web"}]))),
        (0.6, lambda: REPLICAS),
        (0.6, lambda: workload("Deployment", "web", pick([None, "web", "db", ""]))),
        (0.7, lambda: attachment(cidr=pick(["10.200.1.0/24", "10.200.1.0/24,fd01::/64"]))),
        (0.7, lambda: attachment("lan", **pick([{"cidr": "10.200.3.0/24"}, {"network": BLUE}]))),
        (0.8, lambda: _service("cart", 7, chance, dual)),
        (0.5, lambda: _service("till", 8, chance, dual)),
        (0.8, lambda: _slice("cart-1", "cart", chance)),
        (0.5, lambda: _slice("cart-2", "cart", chance)),
        (0.5, lambda: _slice("till-1", "till", chance)),
        (0.6, lambda: _slice("cart-6", "cart", chance, "IPv6")),
        (0.5, lambda: _chain(chance)),
        (0.5, lambda: _ingress(chance)),
        (0.3, lambda: ingress_class("edge", is_default=pick([True, False]))),
    ]
    chance.shuffle(every)
    yield from (make() for likely, make in every if chance.random() < likely)


def _pod(name: str, chance: Random) -> ChangeEvent:
    pick = chance.choice
    annotations = dict[str, str](pick([{}, {}, {NETWORK: BLUE}, {NETWORK: BLUE, f"{NETWORK}-connect": "true"}]))
    annotations |= pick([{}, {NETWORKS: "blue,lan"}, {NETWORKS: "lan,blue@b0"}, {NETWORKS: '[{"name": "lan"}]'}])
    return pod(
        name,
        node=pick(["", "n1", "n2"]),
        of=pick([f"{name}1", f"{name}1", f"{name}2"]),
        labels={"app": pick(["firewall", "cart"]), **pick([{}, {}, {APP: "web"}, {APP: "db"}])},
        annotations=annotations,
        owners=pick([(), (controlled(REPLICAS),)]),
        phase=pick(["Running", "Running", "Pending", "Failed"]),
        host_network=chance.random() < 0.1,
        pod_ips=(f"10.32.0.{ord(name)}",),
    )


def _service(name: str, number: int, chance: Random, dual: bool) -> ChangeEvent:
    pick, v4, v6 = chance.choice, f"10.96.20.{number}", f"fd00:2::{number}"
    types: tuple[dict[str, Any], ...] = (
        {"type": "ClusterIP"},
        {"type": "LoadBalancer"},
        {"type": "LoadBalancer", "load_balancer_source_ranges": ("192.0.2.0/24",)},
        {"type": "LoadBalancer", "load_balancer_ip": f"203.0.113.{70 + number}"},
        {"external_ips": (f"203.0.113.{80 + number}",)},
        {"headless": True, "cluster_ips": ()},
        {"type": "ExternalName", "external_name": "x.example.com", "cluster_ips": ()},
    )
    fields = {
        "cluster_ips": pick([(v4,), (f"10.96.20.{number + 2}",), *([(v6, v4)] if dual else [])]),
        "ports": pick([(HTTP,), (NAMED,), (HTTP, ServicePort(port=53, target_port=53, protocol="UDP", name="dns"))]),
        "selector": pick([{"app": name}, {"app": name}, {}]),
        "labels": pick([{}, {}, {APP: "web"}]),
        "annotations": {**pick([{}, {FIP: POOL % "public"}]), **pick([{}, {}, {CHECK: '{"monitor_type": "PING"}'}])},
        "affinity_seconds": pick([0, 0, 60]),
        "publish_not_ready": chance.random() < 0.2,
    }
    return service(name, of=pick([f"{name}1", f"{name}1", f"{name}2"]), **{**fields, **pick(types)})


def _slice(name: str, of: str, chance: Random, family: str = "IPv4") -> ChangeEvent:
    pick = chance.choice
    members = [
        endpoint(each, pod_uid=uid(pick([f"{each}1", f"{each}1", f"{each}2"])), **pick(ENDPOINTS))
        for each in "abc"
        if chance.random() < 0.6
    ]
    if family == "IPv4" and chance.random() < 0.2:
        members.append(endpoint("", pod_uid="", addresses=("192.0.2.7",)))
    return endpoints(name, *members, of=pick([of, of, "till"]), port=pick([8080, 9090]), address_type=family)


def _chain(chance: Random) -> ChangeEvent:
    rights = ({"attachment": "shop/lan"}, {"namespace": "other"}, {"network": "default-domain:tenants:blue"})
    services = chance.choice([(chains.service(),), (chains.service(), chains.service("cart", "transparent"))])
    return chains.chain(
        "inspect", *services, left=chains.end(attachment="shop/blue"), right=chains.end(**chance.choice(rights))
    )


def _ingress(chance: Random) -> ChangeEvent:
    rules = chance.choice([(rule("", path("/")),), (rule("x.example.com", path("/a"), path("/b", "till")),)])
    more: tuple[dict[str, Any], ...] = (
        {},
        {"class_name": "edge"},
        {"class_name": ""},
        {"default_backend": IngressBackend(service="till", port_name="http")},
        {"tls": (IngressTls(hosts=("x.example.com",), secret_name="s"),)},
    )
    return ingress("front", *rules, **chance.choice(more))


@pytest.mark.parametrize("cluster", CLUSTERS)
@pytest.mark.parametrize("seed", range(6))
def test_case_59_states_of_everything_at_once_are_the_same_by_every_way(cluster: str, seed: int) -> None:
    chance, settings = Random(f"{cluster} {seed}"), CLUSTERS[cluster]
    history, contrail = History(settings), FollowingContrail(*THERE)
    contrail.follow(history.backend.store)
    bootstrap = {type_: contrail.names(type_) for type_ in ("virtual-network", "network-policy", "project")}
    for _ in range(4):
        state = tuple(drawn(chance, dual=len(settings.service_subnets) > 1))
        history.become(state, backwards=chance.random() < 0.5)
        if chance.random() < 0.8:  # else the next state comes before the applier does
            contrail.follow_patiently(history.backend.store)
        _require_as_if_alone(history, state, settings)
    history.become(())
    contrail.follow_patiently(history.backend.store)
    _require_as_if_alone(history, (), settings)
    assert {type_: contrail.names(type_) for type_ in bootstrap} == bootstrap
    for type_ in ("virtual-machine", "virtual-machine-interface", "instance-ip", "floating-ip", "loadbalancer"):
        assert contrail.names(type_) == set()


def test_what_is_kept_of_earlier_answers_changes_none() -> None:
    """Caches outlive resources, clusters and settings: each state is translated cold, and again amid all the others."""
    chance = Random(7)
    given = [
        (settings, tuple(drawn(chance, dual=len(settings.service_subnets) > 1)))
        for settings in CLUSTERS.values()
        for _ in range(4)
    ]
    cold = []
    for settings, state in given:
        forget()
        cold.append(rows(state, settings=settings))
    numbers = list(range(len(given))) * 2
    chance.shuffle(numbers)
    for number in numbers:
        settings, state = given[number]
        warm = rows(state, settings=settings)
        assert {table: warm[table] for table in LASTING} == {table: cold[number][table] for table in LASTING}


def _require_as_if_alone(history: History, state: State, settings: SettingsRecord) -> None:
    assert history.errors() == []
    found, alone = history.dump(), rows(state, settings=settings)
    for table in LASTING:
        assert found[table] == alone[table], table
