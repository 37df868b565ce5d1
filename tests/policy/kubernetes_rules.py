"""Whether Kubernetes allows a connection: NetworkPolicy and its administrators' tiers, from their API documentation.

Independent of the compiler and of the Contrail firewall: it reads the records, and knows nothing of tags or rules.

networking.k8s.io/v1 NetworkPolicy: a pod is isolated for a direction once one policy with that type selects it; then
only what a rule of some such policy allows may pass. Policies add up. Both ends must allow. A rule matches by its peers
and its ports; none of either is all. Traffic from a node to a pod always passes; no NetworkPolicy stops that to a node.
policy.networking.k8s.io/v1alpha1: AdminNetworkPolicies are asked first, the lower priority before the higher; the first
rule that matches allows, denies, or passes on to the NetworkPolicies. The BaselineAdminNetworkPolicy is asked for a pod
that no NetworkPolicy isolates for that direction; where nothing says anything, everything is allowed.

Where the documentation leaves it open: an address of a pod counts for an ipBlock as any other; of equal priorities the
name decides; of several container ports with one name and protocol the first counts; a pod of the host is its node.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from schemas.records import (
    ContainerPort,
    LabelRequirement,
    LabelSelector,
    NetworkPolicyRecord,
    NodeRecord,
    PolicyPeer,
    PolicyPort,
    PolicyRule,
)
from schemas.records.admin_network_policy import (
    AdminNetworkPolicyRecord,
    AdminPeer,
    AdminPods,
    AdminPort,
    AdminRule,
    BaselineAdminNetworkPolicyRecord,
)
from tests.policy.cluster import Cluster, Port, Spot, inside, labels_of, pods

Labels = Mapping[str, str]
INGRESS, EGRESS = "ingress", "egress"
WITH_PORTS = ("TCP", "UDP", "SCTP")


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether one direction of a connection passes, and what said so."""

    allowed: bool
    by: str


@dataclass(frozen=True, slots=True)
class _Pod:
    namespace: str
    labels: Labels
    ports: tuple[ContainerPort, ...]


Answer = Callable[[Port], Decision]


class KubernetesRules:
    """Answers for one state of a cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._namespaces = labels_of(cluster)
        self._pods = {name: _Pod(space, record.labels, record.ports) for name, (space, record) in pods(cluster).items()}
        self._policies = sorted(cluster.of("NetworkPolicy").items())
        self._admins = sorted(cluster.of("AdminNetworkPolicy").items(), key=_precedence)
        self._baselines = sorted(cluster.of("BaselineAdminNetworkPolicy").items())

    def allows(self, source: Spot, target: Spot, ports: Sequence[Port]) -> tuple[bool, ...]:
        """For each destination port, whether the connection is allowed."""
        egress = self._direction(EGRESS, source, target)
        ingress = self._direction(INGRESS, source, target)
        return tuple(egress(port).allowed and ingress(port).allowed for port in ports)

    def why(self, source: Spot, target: Spot, port: Port) -> str:
        """What decided, direction by direction."""
        said = {way: self._direction(way, source, target)(port) for way in (EGRESS, INGRESS)}
        return "; ".join(f"{way} {'allowed' if d.allowed else 'denied'} by {d.by}" for way, d in said.items())

    def _direction(self, way: str, source: Spot, target: Spot) -> Answer:
        mine, peer = (source, target) if way == EGRESS else (target, source)
        if not mine.pod:
            return _always("nobody: policies are of pods")
        if peer.node and way == INGRESS:
            return _always("the node's right to its pods")
        me = self._pods[mine.pod]
        admin = list(self._administrators(way, me, peer, target))
        isolating, allowing = self._network_policies(way, me, peer, target)
        baseline = list(self._baseline(way, me, peer, target))

        def answer(port: Port) -> Decision:
            for action, by, matches in admin:
                if matches(port) and action == "Pass":
                    break
                if matches(port):
                    return Decision(action == "Allow", by)
            if isolating and peer.node:
                return Decision(True, "the pod's way to nodes, which NetworkPolicies leave open")
            if isolating:
                by = next((by for by, matches in allowing if matches(port)), "")
                return Decision(bool(by), by or f"isolation by {', '.join(isolating)}")
            for action, by, matches in baseline:
                if matches(port):
                    return Decision(action == "Allow", by)
            return Decision(True, "nobody: not isolated")

        return answer

    def _network_policies(
        self, way: str, me: _Pod, peer: Spot, target: Spot
    ) -> tuple[list[str], list[tuple[str, Callable[[Port], bool]]]]:
        """Policies that isolate the pod, and their rules that know the peer."""
        isolating, allowing = [], []
        for (space, name), record in self._policies:
            assert isinstance(record, NetworkPolicyRecord)
            isolates = record.isolates_egress if way == EGRESS else record.isolates_ingress
            if space != me.namespace or not isolates or not selects(record.pod_selector, me.labels):
                continue
            isolating.append(f"{space}/{name}")
            for number, rule in enumerate(record.egress if way == EGRESS else record.ingress):
                if self._knows(rule, peer, space):
                    allowing.append((f"{space}/{name} {way}[{number}]", self._on_ports(rule, target)))
        return isolating, allowing

    def _knows(self, rule: PolicyRule, peer: Spot, home: str) -> bool:
        return not rule.peers or any(self._is_peer(each, peer, home) for each in rule.peers)

    def _is_peer(self, wanted: PolicyPeer, peer: Spot, home: str) -> bool:
        if wanted.ip_block is not None:
            block = wanted.ip_block
            return inside(peer.address, block.cidr) and not any(inside(peer.address, each) for each in block.excluded)
        pod = self._pods.get(peer.pod)
        if pod is None:
            return False
        if wanted.namespace_selector is None:
            if pod.namespace != home:
                return False
        elif not selects(wanted.namespace_selector, self._namespaces[pod.namespace]):
            return False
        return wanted.pod_selector is None or selects(wanted.pod_selector, pod.labels)

    def _on_ports(self, rule: PolicyRule, target: Spot) -> Callable[[Port], bool]:
        if not rule.ports:
            return lambda port: True
        pod = self._pods.get(target.pod)
        return lambda port: any(_is_port(each, port, pod) for each in rule.ports)

    def _administrators(
        self, way: str, me: _Pod, peer: Spot, target: Spot
    ) -> Iterator[tuple[str, str, Callable[[Port], bool]]]:
        for (_, name), record in self._admins:
            assert isinstance(record, AdminNetworkPolicyRecord)
            yield from self._rules_of(record, f"AdminNetworkPolicy {name}", way, me, peer, target)

    def _baseline(
        self, way: str, me: _Pod, peer: Spot, target: Spot
    ) -> Iterator[tuple[str, str, Callable[[Port], bool]]]:
        for (_, name), record in self._baselines:
            assert isinstance(record, BaselineAdminNetworkPolicyRecord)
            yield from self._rules_of(record, f"BaselineAdminNetworkPolicy {name}", way, me, peer, target)

    def _rules_of(
        self,
        record: AdminNetworkPolicyRecord | BaselineAdminNetworkPolicyRecord,
        label: str,
        way: str,
        me: _Pod,
        peer: Spot,
        target: Spot,
    ) -> Iterator[tuple[str, str, Callable[[Port], bool]]]:
        if not self._is_subject(record.subject, me):
            return
        for number, rule in enumerate(record.egress if way == EGRESS else record.ingress):
            if any(self._is_admin_peer(each, peer) for each in rule.peers):
                yield rule.action, f"{label} {way}[{number}]", self._on_admin_ports(rule, target)

    def _is_subject(self, wanted: AdminPods, pod: _Pod) -> bool:
        of_namespace = selects(wanted.namespace_selector, self._namespaces[pod.namespace])
        return of_namespace and selects(wanted.pod_selector, pod.labels)

    def _is_admin_peer(self, wanted: AdminPeer, peer: Spot) -> bool:
        if wanted.pods is not None:
            pod = self._pods.get(peer.pod)
            return pod is not None and self._is_subject(wanted.pods, pod)
        if wanted.nodes is not None:
            nodes = [each for each in self._cluster.of("Node").values() if isinstance(each, NodeRecord)]
            chosen = [each for each in nodes if selects(wanted.nodes, each.labels)]
            return any(peer.address in each.ip_addresses() for each in chosen)  # whoever else has it as well
        return any(inside(peer.address, each) for each in wanted.networks)

    def _on_admin_ports(self, rule: AdminRule, target: Spot) -> Callable[[Port], bool]:
        if not rule.ports:
            return lambda port: True
        pod = self._pods.get(target.pod)
        return lambda port: any(_is_admin_port(each, port, pod) for each in rule.ports)


def selects(selector: LabelSelector, labels: Labels) -> bool:
    """Standard selection: every label and every requirement; an empty selector selects everything."""
    if any(labels.get(key) != value for key, value in selector.match_labels.items()):
        return False
    return all(_meets(each, labels) for each in selector.match_expressions)


def _meets(wanted: LabelRequirement, labels: Labels) -> bool:
    has = wanted.key in labels
    match wanted.operator:
        case "In":
            return has and labels[wanted.key] in wanted.values
        case "NotIn":
            return not has or labels[wanted.key] not in wanted.values
        case "Exists":
            return has
        case "DoesNotExist":
            return not has
    raise AssertionError(f"operator {wanted.operator}")


def _is_port(wanted: PolicyPort, port: Port, pod: _Pod | None) -> bool:
    protocol, number = port
    if protocol != wanted.protocol:
        return False
    if wanted.port_name:
        return pod is not None and _named(pod.ports, wanted.port_name, protocol) == number
    return not wanted.port or wanted.port <= number <= (wanted.end_port or wanted.port)


def _is_admin_port(wanted: AdminPort, port: Port, pod: _Pod | None) -> bool:
    protocol, number = port
    if protocol not in WITH_PORTS or wanted.protocol not in ("", protocol):
        return False
    if wanted.port_name:
        return pod is not None and _named(pod.ports, wanted.port_name, protocol) == number
    return wanted.port <= number <= (wanted.end_port or wanted.port)


@lru_cache(maxsize=4096)
def _named(ports: tuple[ContainerPort, ...], name: str, protocol: str) -> int | None:
    return next((each.port for each in ports if each.name == name and each.protocol == protocol), None)


def _precedence(item: tuple[tuple[str, str], object]) -> tuple[int, str]:
    (_, name), record = item
    assert isinstance(record, AdminNetworkPolicyRecord)
    return record.priority, name


def _always(by: str) -> Answer:
    return lambda port: Decision(True, by)
