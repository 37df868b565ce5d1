"""What Kubernetes' policies say of a connection, and which of their rules says it (pure).

Both directions are asked, the source's egress and the target's ingress, each of its own tiers: AdminNetworkPolicies by
priority, then NetworkPolicies if one isolates the pod, else the BaselineAdminNetworkPolicy. What comes from a node
always passes, and no NetworkPolicy keeps a pod from one. An address of a pod counts for IP blocks as any other.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from console.policy import wording
from console.policy.ends import PROTOCOLS, End, Port
from console.policy.picture import Given, Picture, Pod
from schemas.records import (
    AdminNetworkPolicyRecord,
    AdminPeer,
    AdminPods,
    AdminPort,
    BaselineAdminNetworkPolicyRecord,
    IpBlock,
    LabelSelector,
    PolicyPeer,
    PolicyPort,
)

EGRESS, INGRESS = "egress", "ingress"
_FREE = "no policy selects it"
_UNSAID = "what selects it says nothing of this"


@dataclass(frozen=True, slots=True)
class Ruling:
    """One direction: whether it passes, what says so, and the policies that select the pod for it.

    `policy` is '' where no rule of a policy decided: nothing selects the pod, or what selects it allows nothing.
    """

    direction: str
    allowed: bool
    reason: str
    policy: str = ""
    rule: str = ""
    selecting: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """Both directions of one connection."""

    source: End
    target: End
    port: Port
    egress: Ruling
    ingress: Ruling

    @property
    def allowed(self) -> bool:
        """Whether it passes: both directions must allow it."""
        return self.egress.allowed and self.ingress.allowed


def answer(picture: Picture, source: End, target: End, port: Port) -> Answer:
    """What the policies of the picture say."""
    egress = _ruling(picture, EGRESS, source.pod, target, target, port)
    return Answer(source, target, port, egress, _ruling(picture, INGRESS, target.pod, source, target, port))


def _ruling(picture: Picture, direction: str, pod: Pod | None, peer: End, target: End, port: Port) -> Ruling:
    if pod is None:
        return Ruling(direction, True, "not a pod: policies do not select it")
    if peer.node and direction == INGRESS:
        return Ruling(direction, True, "nodes always reach their pods")
    admins, selecting = _of_administrators(picture, direction, pod, peer, target, port, picture.administrators)
    for ruling in admins:
        if ruling is not None:
            return ruling
        break  # passed on: the other administrators are not asked
    own = _isolating(picture, direction, pod)
    if own:
        return _of_network_policies(picture, direction, pod, peer, target, port, (*selecting, *own))
    baseline, more = _of_administrators(picture, direction, pod, peer, target, port, picture.baselines)
    found = next((each for each in baseline if each is not None), None)
    selecting = (*selecting, *more)
    return found or Ruling(
        direction, True, "no rule that selects it knows this" if selecting else _FREE, "", "", selecting
    )


def _isolating(picture: Picture, direction: str, pod: Pod) -> tuple[str, ...]:
    found = picture.policies.get(pod.namespace, ())
    return tuple(
        given.label
        for given, record in found
        if (record.isolates_egress if direction == EGRESS else record.isolates_ingress)
        and selects(record.pod_selector, pod.labels)
    )


def _of_network_policies(
    picture: Picture, direction: str, pod: Pod, peer: End, target: End, port: Port, selecting: tuple[str, ...]
) -> Ruling:
    if peer.node:
        return Ruling(direction, True, "NetworkPolicies keep no pod from nodes", selecting=selecting)
    for given, record in picture.policies.get(pod.namespace, ()):
        if given.label not in selecting:
            continue
        for number, rule in enumerate(record.egress if direction == EGRESS else record.ingress):
            knows = _first_peer(picture, rule.peers, peer, pod.namespace)
            opens = _first_port(rule.ports, target.pod, port)
            if knows is not None and opens is not None:
                reason = f"{'to' if direction == EGRESS else 'from'} {knows} on {opens}"
                return Ruling(direction, True, reason, given.label, _place(given, direction, number), selecting)
    return Ruling(direction, False, "isolated, and no rule of what selects it allows this", selecting=selecting)


def _of_administrators(
    picture: Picture,
    direction: str,
    pod: Pod,
    peer: End,
    target: End,
    port: Port,
    policies: Sequence[tuple[Given, AdminNetworkPolicyRecord | BaselineAdminNetworkPolicyRecord]],
) -> tuple[Iterator[Ruling | None], tuple[str, ...]]:
    """Rulings of the rules that match, in order, None for one that passes on; and the policies whose subject it is."""
    selecting = [each for each in policies if _is_subject(picture, each[1].subject, pod)]
    names = tuple(given.label for given, _ in selecting)

    def rulings() -> Iterator[Ruling | None]:
        for given, record in selecting:
            for number, rule in enumerate(record.egress if direction == EGRESS else record.ingress):
                knows = next((p for p in rule.peers if _is_admin_peer(picture, p, peer)), None)
                if knows is None or not _on_admin_ports(rule.ports, target.pod, port):
                    continue
                ports = " or ".join(wording.port(each) for each in rule.ports) or "every port"
                who = wording.admin_peer(knows)
                reason = f"{rule.action}: {'to' if direction == EGRESS else 'from'} {who} on {ports}"
                place = _place(given, direction, number) + (f" ({rule.name})" if rule.name else "")
                passed = rule.action == "Pass"
                yield None if passed else Ruling(direction, rule.action == "Allow", reason, given.label, place, names)

    return rulings(), names


def selects(wanted: LabelSelector, labels: object) -> bool:
    """Whether a selector selects these labels."""
    assert isinstance(labels, dict)
    if any(labels.get(key) != value for key, value in wanted.match_labels.items()):
        return False
    for each in wanted.match_expressions:
        inside = labels.get(each.key) in each.values
        has = each.key in labels
        if not {"In": inside, "NotIn": not inside, "Exists": has, "DoesNotExist": not has}[each.operator]:
            return False
    return True


def _first_peer(picture: Picture, peers: Sequence[PolicyPeer], peer: End, home: str) -> str | None:
    """The first of a rule's peers that this is, in words; None if it is none."""
    if not peers:
        return "everyone"
    return next((wording.peer(each, home) for each in peers if _is_peer(picture, each, peer, home)), None)


def _is_peer(picture: Picture, wanted: PolicyPeer, peer: End, home: str) -> bool:
    if wanted.ip_block is not None:
        return _in_block(peer.address, wanted.ip_block)
    if peer.pod is None:
        return False
    if wanted.namespace_selector is None:
        in_namespace = peer.pod.namespace == home
    else:
        in_namespace = selects(wanted.namespace_selector, picture.namespaces[peer.pod.namespace])
    return in_namespace and (wanted.pod_selector is None or selects(wanted.pod_selector, peer.pod.labels))


def _is_admin_peer(picture: Picture, wanted: AdminPeer, peer: End) -> bool:
    if wanted.pods is not None:
        return peer.pod is not None and _is_subject(picture, wanted.pods, peer.pod)
    if wanted.nodes is not None:
        nodes = [each for each in picture.nodes.values() if selects(wanted.nodes, each.labels)]
        return any(peer.address in each.ip_addresses() for each in nodes)
    return any(_inside(peer.address, each) for each in wanted.networks)


def _is_subject(picture: Picture, wanted: AdminPods, pod: Pod) -> bool:
    in_namespace = selects(wanted.namespace_selector, picture.namespaces[pod.namespace])
    return in_namespace and selects(wanted.pod_selector, pod.labels)


def _in_block(address: str, block: IpBlock) -> bool:
    return _inside(address, block.cidr) and not any(_inside(address, each) for each in block.excluded)


@lru_cache(maxsize=65536)
def _inside(address: str, prefix: str) -> bool:
    found, net = ipaddress.ip_address(address), ipaddress.ip_network(prefix)
    return found.version == net.version and found in net


def _first_port(ports: Sequence[PolicyPort], target: Pod | None, port: Port) -> str | None:
    """The first of a rule's ports that this is, in words; None if it is none."""
    if not ports:
        return "every port"
    return next((wording.port(each) for each in ports if _is_port(each, target, port)), None)


def _is_port(wanted: PolicyPort | AdminPort, target: Pod | None, port: Port) -> bool:
    if wanted.protocol not in ("", port.protocol):
        return False
    if wanted.port_name:
        return target is not None and number_of(target, wanted.port_name, port.protocol) == port.number
    return not wanted.port or wanted.port <= port.number <= (wanted.end_port or wanted.port)


def _on_admin_ports(ports: Iterable[AdminPort], target: Pod | None, port: Port) -> bool:
    wanted = tuple(ports)
    return not wanted or (port.protocol in PROTOCOLS and any(_is_port(each, target, port) for each in wanted))


def number_of(pod: Pod, name: str, protocol: str) -> int | None:
    """Number of the pod's first container port with that name and protocol."""
    return next((each.port for each in pod.ports if (each.name, each.protocol) == (name, protocol)), None)


def _place(given: Given, direction: str, number: int) -> str:
    """The rule's place in the manifest, as `ingress[1]`; where only the record is known, its number there."""
    written = given.written.get(direction, ())
    return f"{direction}[{written[number]}]" if written else f"{direction} rule {number + 1} as stored"
