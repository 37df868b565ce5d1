"""Random clusters and their random changes, for hypothesis to shrink.

Values come from small pools, made so that policies meet: few keys and values, prefixes that cut the pods' addresses in
two, ports at the edges of each other's ranges. A cluster is what fills its slots; a step fills or empties one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

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
from tests.policy.cluster import DUAL, Cluster, Key
from tests.translator.facts import SETTINGS

NAMESPACES = ("a", "b", "c")
PODS = tuple(f"p{number}" for number in range(6))
POLICIES = tuple(f"n{number}" for number in range(4))
SHARED = msgspec.structs.replace(SETTINGS, project="shared")
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
    LabelRequirement(key="app", operator="In", values=("db", "web")),
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
    {},
    {},
    {"app": "web"},
    {"app": "db"},
    {"tier": "front"},
    {"app": "web", "tier": "front"},
    {SLASHED: "shop"},
)
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
    PolicyPort(port_name="http"),
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


def _selector(matches: Any, expressions: Any) -> st.SearchStrategy[LabelSelector]:
    several = st.lists(st.sampled_from(expressions), max_size=2).map(tuple)
    return st.one_of(
        st.sampled_from([LabelSelector(match_labels=each) for each in matches]),
        st.builds(LabelSelector, match_labels=st.sampled_from(matches), match_expressions=several),
    )


POD_SELECTORS = _selector(_MATCHES, _EXPRESSIONS)
SPACE_SELECTORS = _selector(({}, {"team": "x"}, {"kubernetes.io/metadata.name": "b"}, {"app": "web"}), _OF_SPACES)
PEERS = st.one_of(
    st.builds(PolicyPeer, pod_selector=POD_SELECTORS),
    st.builds(PolicyPeer, namespace_selector=SPACE_SELECTORS),
    st.builds(PolicyPeer, pod_selector=POD_SELECTORS, namespace_selector=SPACE_SELECTORS),
    st.sampled_from([PolicyPeer(ip_block=block) for block in _BLOCKS]),
)
RULES = st.lists(
    st.builds(
        PolicyRule,
        peers=st.lists(PEERS, max_size=2).map(tuple),
        ports=st.lists(st.sampled_from(_PORTS), max_size=2).map(tuple),
    ),
    max_size=2,
).map(tuple)


def _policy(selector: LabelSelector, types: int, ingress: Any, egress: Any) -> NetworkPolicyRecord:
    """Rules for a direction that it does not isolate are void: the watchers drop them."""
    inward, outward = types in (0, 2), types in (1, 2)
    return NetworkPolicyRecord(
        pod_selector=selector,
        isolates_ingress=inward,
        isolates_egress=outward,
        ingress=ingress if inward else (),
        egress=egress if outward else (),
    )


NETWORK_POLICIES = st.builds(_policy, POD_SELECTORS, st.integers(0, 2), RULES, RULES)
_SUBJECTS = st.builds(AdminPods, namespace_selector=SPACE_SELECTORS, pod_selector=POD_SELECTORS)
_ADMIN_INGRESS = st.builds(AdminPeer, pods=_SUBJECTS)
_ADMIN_EGRESS = st.one_of(
    _ADMIN_INGRESS,
    st.sampled_from([AdminPeer(networks=(each,)) for each in _NETWORKS]),
    st.sampled_from([AdminPeer(nodes=LabelSelector(match_labels=each)) for each in ({}, {"zone": "1"})]),
)


def _admin_rules(actions: tuple[str, ...], peers: Any, ports: Any) -> Any:
    rule = st.builds(
        AdminRule,
        action=st.sampled_from(actions),
        peers=st.lists(peers, min_size=1, max_size=2).map(tuple),
        ports=st.lists(ports, max_size=2).map(tuple),
    )
    return st.lists(rule, max_size=2).map(tuple)


def _without_names(rules: tuple[AdminRule, ...]) -> tuple[AdminRule, ...]:
    """Named ports are refused beside peers that are no pods."""
    return tuple(
        rule
        if all(peer.pods is not None for peer in rule.peers)
        else msgspec.structs.replace(rule, ports=tuple(port for port in rule.ports if not port.port_name))
        for rule in rules
    )


_THREE, _TWO = ("Allow", "Deny", "Pass"), ("Allow", "Deny")
ADMINS = st.builds(
    AdminNetworkPolicyRecord,
    priority=st.integers(0, 2),
    subject=_SUBJECTS,
    ingress=_admin_rules(_THREE, _ADMIN_INGRESS, st.sampled_from(_ADMIN_PORTS)),
    egress=_admin_rules(_THREE, _ADMIN_EGRESS, st.sampled_from(_ADMIN_PORTS)).map(_without_names),
)
BASELINES = st.builds(
    BaselineAdminNetworkPolicyRecord,
    subject=_SUBJECTS,
    ingress=_admin_rules(_TWO, _ADMIN_INGRESS, st.sampled_from(_ADMIN_PORTS)),
    egress=_admin_rules(_TWO, _ADMIN_EGRESS, st.sampled_from(_ADMIN_PORTS)).map(_without_names),
)


def _space(name: str, labels: dict[str, str], isolated: bool) -> NamespaceRecord:
    held = {"kubernetes.io/metadata.name": name, **labels}
    return NamespaceRecord(labels=held, annotations={"opencontrail.org/isolation": "true"} if isolated else {})


def _pod(number: int, labels: dict[str, str], ports: tuple[ContainerPort, ...], state: int) -> PodRecord:
    """State 0 runs; 1 has no address yet, 2 has ended, 3 is in the host's network."""
    host = state == 3
    addresses = ("192.168.0.1",) if host else (f"10.32.0.{10 + number}", f"fd00:32::1{number}")
    return PodRecord(
        labels=labels,
        node_name="m1",
        host_network=host,
        phase="Succeeded" if state == 2 else "Running",
        pod_ips=() if state == 1 else addresses,
        ports=ports,
    )


def _node(number: int, zone: str) -> NodeRecord:
    held = (NodeAddress("Hostname", f"m{number}"), NodeAddress("InternalIP", f"192.168.0.{number}"))
    return NodeRecord(labels={"zone": zone}, addresses=(*held, NodeAddress("ExternalIP", f"2001:db8:1::{number}")))


def spaces(name: str) -> st.SearchStrategy[NamespaceRecord]:
    """Records of a namespace."""
    return st.builds(_space, st.just(name), st.sampled_from(_SPACES), st.sampled_from((False, False, False, True)))


def pod_records(number: int) -> st.SearchStrategy[PodRecord]:
    """Records of the pod in a slot."""
    states = st.sampled_from((*[0] * 21, 1, 2, 3))
    return st.builds(_pod, st.just(number), st.sampled_from(_LABELS), st.sampled_from(_OPEN), states)


def _nodes(number: int) -> st.SearchStrategy[NodeRecord]:
    return st.builds(_node, st.just(number), st.sampled_from(("1", "2")))


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
        st.sampled_from((DUAL, SETTINGS, SHARED)),
    ).map(_in_family)


def _in_family(cluster: Cluster) -> Cluster:
    """Where pods have no second family, they have no address of it."""
    if len(cluster.settings.pod_subnets) == 2:
        return cluster
    return replace(cluster, resources={key: _one_family(record) for key, record in cluster.resources.items()})


def _one_family(record: Record) -> Record:
    return msgspec.structs.replace(record, pod_ips=record.pod_ips[:1]) if isinstance(record, PodRecord) else record


def policy_sets() -> st.SearchStrategy[dict[Key, NetworkPolicyRecord]]:
    """Other policies in all slots of policies."""
    return st.fixed_dictionaries({key: each for key, each in _slots(admin=False).items() if key[0] == "NetworkPolicy"})


def steps(*, admin: bool = False) -> st.SearchStrategy[Step]:
    """One change of one slot; a dual-stack cluster's."""
    slots = _slots(admin=admin)
    weighted = [key for key in slots for _ in range(3 if "Policy" in key[0] else 1)]
    return st.sampled_from(weighted).flatmap(lambda key: st.builds(_step, st.just(key), slots[key], st.integers(0, 3)))
