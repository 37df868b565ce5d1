"""Random clusters and their random changes, for hypothesis to shrink.

Values come from small pools, made so that policies meet: few keys and values, prefixes that cut the pods' addresses in
two, ports at the edges of each other's ranges. A cluster is what fills its slots; a step fills or empties one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, TypeVar

import msgspec
from hypothesis import strategies as st

from schemas.records import (
    ContainerPort,
    IpBlock,
    LabelRequirement,
    LabelSelector,
    NamespaceRecord,
    NetworkPolicyRecord,
    NodeAddress,
    NodeRecord,
    PodRecord,
    PolicyPeer,
    PolicyPort,
    PolicyRule,
    Record,
)
from schemas.records.admin_network_policy import (
    AdminNetworkPolicyRecord,
    AdminPeer,
    AdminPods,
    AdminPort,
    AdminRule,
    BaselineAdminNetworkPolicyRecord,
)
from tests.policy.cluster import DUAL, Cluster, Key, family
from tests.policy.exploring import BEFORE_A_ROUND
from tests.translator.facts import SETTINGS

T = TypeVar("T")
POOL = 500
"""Policies of a kind that are drawn from; each seed makes others."""
NAMESPACES = ("a", "b", "c")
PODS = tuple(f"p{number}" for number in range(6))
POLICIES = tuple(f"n{number}" for number in range(4))
SHARED = msgspec.structs.replace(SETTINGS, project="shared")
SIX = msgspec.structs.replace(SETTINGS, pod_subnets=("fd00:32::/64",))
HASH = "pod-template-hash"
SLASHED = "app.kubernetes.io/name"
APP = "opencontrail.org/name"

_LABELS: tuple[dict[str, str], ...] = (
    {},
    {"app": "web"},
    {"app": "db"},
    {"app": "web", "tier": "front"},
    {"app": "db", "tier": "back"},
    {"tier": "front"},
    {"app": "", SLASHED: "shop"},
    {"app": "web", HASH: "1f"},
    {"app": "db", HASH: "2e", SLASHED: "shop"},
    {"app": "web", APP: "shop"},
)
_SPACES: tuple[dict[str, str], ...] = ({}, {"team": "x"}, {"team": "y"}, {"team": "x", "app": "web"}, {"env": "live"})
_EXPRESSIONS = (
    *[LabelRequirement(key="app", operator="In", values=("db", "web"))] * 3,
    LabelRequirement(key="tier", operator="In", values=("back", "front")),
    LabelRequirement(key="app", operator="In", values=("web",)),
    LabelRequirement(key="app", operator="NotIn", values=("web",)),
    LabelRequirement(key="app", operator="NotIn", values=("", "db")),
    LabelRequirement(key="tier", operator="Exists"),
    LabelRequirement(key="tier", operator="DoesNotExist"),
    LabelRequirement(key=HASH, operator="In", values=("1f", "2e")),
    LabelRequirement(key=SLASHED, operator="Exists"),
    LabelRequirement(key="app", operator="In", values=("nobody",)),
)
_OF_SPACES = (
    LabelRequirement(key="team", operator="In", values=("x", "y")),
    LabelRequirement(key="team", operator="NotIn", values=("x",)),
    LabelRequirement(key="team", operator="Exists"),
    LabelRequirement(key="env", operator="DoesNotExist"),
    LabelRequirement(key="kubernetes.io/metadata.name", operator="In", values=("a", "b")),
    LabelRequirement(key="kubernetes.io/metadata.name", operator="NotIn", values=("a",)),
)
_MATCHES: tuple[dict[str, str], ...] = (
    {"app": "web"},
    {"app": "db"},
    {"tier": "front"},
    {"app": "web", "tier": "front"},
    {SLASHED: "shop"},
)
_SPACE_MATCHES: tuple[dict[str, str], ...] = ({"team": "x"}, {"kubernetes.io/metadata.name": "b"}, {"app": "web"})
_BLOCKS = (
    IpBlock(cidr="0.0.0.0/0"),
    IpBlock(cidr="0.0.0.0/0", excluded=("10.32.0.0/12",)),
    IpBlock(cidr="203.0.113.0/24", excluded=("203.0.113.0/29",)),
    IpBlock(cidr="10.32.0.0/12"),
    IpBlock(cidr="10.32.0.12/30"),
    IpBlock(cidr="10.32.0.0/28", excluded=("10.32.0.10/31",)),
    IpBlock(cidr="10.0.0.0/8", excluded=("10.32.0.11/32", "10.32.0.14/31")),
    IpBlock(cidr="192.168.0.0/16"),
    IpBlock(cidr="::/0"),
    IpBlock(cidr="::/0", excluded=("fd00:32::/64",)),
    IpBlock(cidr="fd00:32::10/126"),
    IpBlock(cidr="2001:db8::/32", excluded=("2001:db8::/126",)),
    IpBlock(cidr="203.0.113.7/32"),
)
_PORTS = (
    PolicyPort(port=80),
    PolicyPort(port=80, end_port=90),
    PolicyPort(port=85, end_port=8080),
    PolicyPort(protocol="UDP", port=53),
    PolicyPort(protocol="UDP"),
    PolicyPort(protocol="SCTP", port=9, end_port=10),
    PolicyPort(),
    *[PolicyPort(port_name="http")] * 3,
    PolicyPort(port_name="dns", protocol="UDP"),
    PolicyPort(port_name="dns"),
    PolicyPort(port=65535),
    PolicyPort(port=1),
)
_OPEN: tuple[tuple[ContainerPort, ...], ...] = (
    (),
    (ContainerPort(port=80, name="http"),),
    (ContainerPort(port=8080, name="http"),),
    (ContainerPort(port=53, name="dns", protocol="UDP"), ContainerPort(port=53, name="dns")),
    (ContainerPort(port=8080, name="http"), ContainerPort(port=80, name="http"), ContainerPort(port=5353, name="dns")),
    (ContainerPort(port=88, name="http"), ContainerPort(port=80, name="http")),
)
_NETWORKS = ("0.0.0.0/0", "203.0.113.0/24", "10.32.0.12/30", "::/0", "fd00:32::10/126", "192.168.0.0/24")
_ADMIN_PORTS = (
    AdminPort(protocol="TCP", port=80),
    AdminPort(protocol="TCP", port=80, end_port=90),
    AdminPort(protocol="UDP", port=53),
    AdminPort(protocol="SCTP", port=9),
    AdminPort(port_name="http"),
    AdminPort(port_name="dns"),
)


@dataclass(frozen=True, slots=True)
class Step:
    """A slot and what fills it now; None empties it."""

    key: Key
    record: Record | None

    def on(self, cluster: Cluster) -> Cluster:
        """The cluster after it."""
        if self.record is not None:
            return _in_family(cluster.with_(*self.key, self.record))
        return cluster.without(self.key) if self.key in cluster.resources else cluster

    def __repr__(self) -> str:
        return f"{'/'.join(self.key)} {'goes' if self.record is None else f'becomes {self.record}'}"


def _chosen(draw: Random, matches: Sequence[dict[str, str]], expressions: Sequence[LabelRequirement]) -> LabelSelector:
    """A selector: everything, labels, or expressions with labels or without."""
    sort = draw.random()
    if sort < 0.35:
        return LabelSelector()
    if sort < 0.55:
        return LabelSelector(match_labels=draw.choice(matches))
    several = tuple(draw.sample(expressions, draw.choice((1, 1, 2))))
    return LabelSelector(match_labels=draw.choice(matches) if sort > 0.9 else {}, match_expressions=several)


def _of_pods(draw: Random) -> LabelSelector:
    return _chosen(draw, _MATCHES, _EXPRESSIONS)


def _of_spaces(draw: Random) -> LabelSelector:
    return _chosen(draw, _SPACE_MATCHES, _OF_SPACES)


def _peer(draw: Random) -> PolicyPeer:
    sort = draw.random()
    if sort < 0.3:
        return PolicyPeer(ip_block=draw.choice(_BLOCKS))
    pods = _of_pods(draw) if sort < 0.85 else None
    return PolicyPeer(pod_selector=pods, namespace_selector=_of_spaces(draw) if sort > 0.6 else None)


def _several(draw: Random, make: Callable[[Random], T], numbers: Sequence[int]) -> tuple[T, ...]:
    return tuple(make(draw) for _ in range(draw.choice(numbers)))


def _rule(draw: Random) -> PolicyRule:
    peers = _several(draw, _peer, (0, 1, 1, 1, 2))
    return PolicyRule(peers=peers, ports=_several(draw, lambda each: each.choice(_PORTS), (0, 1, 1, 2)))


def _policy(draw: Random) -> NetworkPolicyRecord:
    """Rules for a direction that it does not isolate are void: the watchers drop them."""
    inward, outward = draw.choice(((True, True), (True, True), (True, False), (False, True)))
    return NetworkPolicyRecord(
        pod_selector=_of_pods(draw),
        isolates_ingress=inward,
        isolates_egress=outward,
        ingress=_several(draw, _rule, (0, 1, 1, 2, 2)) if inward else (),
        egress=_several(draw, _rule, (0, 1, 1, 2, 2)) if outward else (),
    )


def _subject(draw: Random) -> AdminPods:
    if draw.random() < 0.4:
        return AdminPods()
    return AdminPods(namespace_selector=_of_spaces(draw), pod_selector=_of_pods(draw))


def _admin_peer(draw: Random, *, outward: bool) -> AdminPeer:
    sort = draw.random()
    if outward and sort < 0.25:
        return AdminPeer(networks=(draw.choice(_NETWORKS),))
    if outward and sort < 0.35:
        return AdminPeer(nodes=LabelSelector(match_labels=draw.choice(({}, {"zone": "1"}))))
    return AdminPeer(pods=_subject(draw))


def _admin_rule(draw: Random, actions: Sequence[str], *, outward: bool) -> AdminRule:
    """Named ports are refused beside peers that are no pods."""
    peers = _several(draw, lambda each: _admin_peer(each, outward=outward), (1, 1, 2))
    named = all(peer.pods is not None for peer in peers)
    ports = [each for each in _ADMIN_PORTS if named or not each.port_name]
    chosen = tuple(draw.sample(ports, draw.choice((0, 1, 1, 2))))
    return AdminRule(action=draw.choice(actions), peers=peers, ports=chosen)


def _admin(draw: Random) -> AdminNetworkPolicyRecord:
    def rules(*, outward: bool) -> tuple[AdminRule, ...]:
        return _several(draw, lambda each: _admin_rule(each, ("Allow", "Deny", "Pass"), outward=outward), (0, 1, 2, 2))

    return AdminNetworkPolicyRecord(
        priority=draw.randint(0, 2), subject=_subject(draw), ingress=rules(outward=False), egress=rules(outward=True)
    )


def _baseline(draw: Random) -> BaselineAdminNetworkPolicyRecord:
    def rules(*, outward: bool) -> tuple[AdminRule, ...]:
        return _several(draw, lambda each: _admin_rule(each, ("Allow", "Deny"), outward=outward), (0, 1, 2, 2))

    return BaselineAdminNetworkPolicyRecord(
        subject=_subject(draw), ingress=rules(outward=False), egress=rules(outward=True)
    )


def _pool(make: Callable[[Random], T]) -> st.SearchStrategy[T]:
    """Many random ones, the simple before the others: a failing example shrinks towards these.

    Drawing one of a pool costs a hundredth of drawing its parts, and hypothesis likes short lists better than we do.
    """
    held: list[T] = []

    def fill(seed: int) -> None:
        draw = Random(f"{make.__name__} {seed}")
        held[:] = sorted((make(draw) for _ in range(POOL)), key=lambda each: (len(repr(each)), repr(each)))

    BEFORE_A_ROUND.append(fill)
    fill(0)
    return st.sampled_from(range(POOL)).map(lambda number: held[number])


NETWORK_POLICIES = _pool(_policy)
ADMINS, BASELINES = _pool(_admin), _pool(_baseline)


def _space(name: str, labels: dict[str, str], isolated: bool) -> NamespaceRecord:
    held = {"kubernetes.io/metadata.name": name, **labels}
    return NamespaceRecord(labels=held, annotations={"opencontrail.org/isolation": "true"} if isolated else {})


def _pod(number: int, labels: dict[str, str], ports: tuple[ContainerPort, ...], state: int) -> PodRecord:
    """State 0 runs; 1 has no address yet, 2 has ended, 3 is in the host's network, 4 has an address of one family."""
    addresses = (f"10.32.0.{10 + number}", f"fd00:32::1{number}")
    held = {1: (), 3: ("192.168.0.1",), 4: addresses[number % 2 :][:1]}
    return PodRecord(
        labels=labels,
        node_name="m1",
        host_network=state == 3,
        phase="Succeeded" if state == 2 else "Running",
        pod_ips=held.get(state, addresses),
        ports=ports,
    )


def _node(number: int, zone: str, last: int) -> NodeRecord:
    """The node at one of two addresses, of which one is outside at other times, and at one of the other family."""
    internal = f"192.168.0.{number}" if last else f"203.0.113.{6 + number}"
    held = (NodeAddress("Hostname", f"m{number}"), NodeAddress("InternalIP", internal))
    return NodeRecord(labels={"zone": zone}, addresses=(*held, NodeAddress("ExternalIP", f"2001:db8:1::{number}")))


def spaces(name: str) -> st.SearchStrategy[NamespaceRecord]:
    """Records of a namespace."""
    return st.builds(_space, st.just(name), st.sampled_from(_SPACES), st.sampled_from((False, False, False, True)))


def pod_records(number: int) -> st.SearchStrategy[PodRecord]:
    """Records of the pod in a slot."""
    states = st.sampled_from((*[0] * 21, 1, 2, 3, 4))
    return st.builds(_pod, st.just(number), st.sampled_from(_LABELS), st.sampled_from(_OPEN), states)


def _nodes(number: int) -> st.SearchStrategy[NodeRecord]:
    return st.builds(_node, st.just(number), st.sampled_from(("1", "2")), st.sampled_from((1, 1, 2, 0)))


def _home(number: int) -> str:
    """Namespaces of the slots: three pods in a, two in b, one in c, and two policies in a."""
    return "aabacb"[number]


def _step(key: Key, record: Record, chance: int) -> Step:
    return Step(key, record if chance else None)


def _slots(*, admin: bool) -> dict[Key, st.SearchStrategy[Any]]:
    found: dict[Key, st.SearchStrategy[Any]] = {("Namespace", "", name): spaces(name) for name in NAMESPACES}
    found |= {("Node", "", f"m{number}"): _nodes(number) for number in (1, 2)}
    found |= {("Pod", _home(number), name): pod_records(number) for number, name in enumerate(PODS)}
    found |= {("NetworkPolicy", _home(number), name): NETWORK_POLICIES for number, name in enumerate(POLICIES)}
    if admin:
        found |= {("AdminNetworkPolicy", "", name): ADMINS for name in ("r0", "r1")}
        found |= {("BaselineAdminNetworkPolicy", "", "default"): BASELINES}
    return found


_MOSTLY, _OFTEN = (st.sampled_from((False, *[True] * times)) for times in (15, 5))


def clusters(*, admin: bool = False) -> st.SearchStrategy[Cluster]:
    """Clusters in which most slots are filled, and some have pods of two families; they shrink to empty ones."""
    slots = _slots(admin=admin)
    chances = {key: _MOSTLY if key[0] in ("Namespace", "Node") else _OFTEN for key in slots}
    return st.builds(
        lambda held, chance, settings: Cluster({k: each for k, each in held.items() if chance[k]}, settings),
        st.fixed_dictionaries(slots),
        st.fixed_dictionaries(chances),
        st.sampled_from((SETTINGS, DUAL, DUAL, SHARED, SIX)),
    ).map(_in_family)


def _in_family(cluster: Cluster) -> Cluster:
    """Pods have addresses of the families that the cluster's subnets are of."""
    families = {family(each.partition("/")[0]) for each in cluster.settings.pod_subnets}
    return replace(cluster, resources={key: _of(families, record) for key, record in cluster.resources.items()})


def _of(families: set[int], record: Record) -> Record:
    if not isinstance(record, PodRecord) or record.host_network:
        return record
    return msgspec.structs.replace(record, pod_ips=tuple(each for each in record.pod_ips if family(each) in families))


def policy_sets() -> st.SearchStrategy[dict[Key, NetworkPolicyRecord]]:
    """Other policies in all slots of policies."""
    return st.fixed_dictionaries({key: each for key, each in _slots(admin=False).items() if key[0] == "NetworkPolicy"})


def steps(*, admin: bool = False) -> st.SearchStrategy[Step]:
    """One change of one slot; a dual-stack cluster's."""
    slots = _slots(admin=admin)
    weighted = [key for key in slots for _ in range(3 if "Policy" in key[0] else 1)]
    return st.sampled_from(weighted).flatmap(lambda key: st.builds(_step, st.just(key), slots[key], st.integers(0, 3)))
