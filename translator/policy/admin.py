"""Policies of administrators as steps of one namespace's pods, in the order in which they are asked (pure).

AdminNetworkPolicies are asked in the order of their priorities, and of their names where these are equal, which the API
leaves open; the rules of one as they are written. Which of them concern a namespace follows from its labels alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

import msgspec

from schemas.errors import TranslationError
from schemas.events import ChangeEvent
from schemas.records import (
    AdminNetworkPolicyRecord,
    AdminPeer,
    AdminPort,
    AdminRule,
    BaselineAdminNetworkPolicyRecord,
    IpBlock,
    LabelSelector,
    NamespaceRecord,
    PolicyPeer,
    PolicyPort,
)
from translator.policy import ports, room, size
from translator.policy.census import Census, together
from translator.policy.model import NODES, Endpoint, Peer, Service, Tags, both
from translator.policy.peers import named_peers, peers
from translator.policy.place import Place
from translator.policy.selectors import selects
from translator.resource import Resource
from translator.view import View

ADMIN, BASELINE = "AdminNetworkPolicy", "BaselineAdminNetworkPolicy"
ALLOW, DENY, PASS = "Allow", "Deny", "Pass"
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_EVERY = LabelSelector()
_Record = AdminNetworkPolicyRecord | BaselineAdminNetworkPolicyRecord


class Step(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """What one rule says of some flows; `action` is Allow, Deny, or Pass: what comes behind the tier decides."""

    own: Tags
    peer: Peer
    service: Service
    action: str


Steps = tuple[Step, ...]


class Concern(msgspec.Struct, frozen=True, gc=False):
    """The policies that have pods of the namespace as subject: those asked before NetworkPolicies, and those behind."""

    before: tuple[_Record, ...] = ()
    behind: tuple[_Record, ...] = ()

    @property
    def all(self) -> tuple[_Record, ...]:
        """All of them."""
        return (*self.before, *self.behind)

    @property
    def outward(self) -> bool:
        """Whether they say anything of egress."""
        return any(each.egress for each in self.all)

    @property
    def inward(self) -> bool:
        """Whether they say anything of ingress."""
        return any(each.ingress for each in self.all)


def concern(namespace: Resource, view: View) -> Concern:
    """The policies that concern the namespace, in the order in which they are asked."""
    labels = cast(NamespaceRecord, namespace.body).labels

    def of(kind: str) -> list[tuple[str, _Record]]:
        every = ((each.name, cast(_Record, each.body)) for each in view.list(kind))
        return [(name, body) for name, body in every if selects(body.subject.namespace_selector, labels)]

    before = sorted(of(ADMIN), key=lambda each: (cast(AdminNetworkPolicyRecord, each[1]).priority, each[0]))
    return Concern(tuple(body for _, body in before), tuple(body for _, body in of(BASELINE)))


def inward(records: Sequence[_Record], census: Census, place: Place, *, paired: bool) -> Steps:
    """Steps of ingress."""

    def steps(asked: tuple[_Record, AdminRule]) -> list[Step]:
        record, rule = asked
        owns = census.own(record.subject.pod_selector)
        them = list(_peers(rule, census, place, paired=paired)) if owns else []
        found = [(own, service) for own in owns for service in _plain(rule)]
        for port in _named(rule):
            selector = record.subject.pod_selector
            pods = list(census.pods((census.namespace,), selector))
            for more, service in ports.resolved(census, selector, port, pods):
                found += [(tags, service) for own in owns if (tags := both(own, more)) is not None]
        return [Step(own, peer, service, rule.action) for peer in them for own, service in found]

    return _all(together(steps, [(record, rule) for record in records for rule in record.ingress]))


def outward(records: Sequence[_Record], census: Census, place: Place, *, paired: bool) -> Steps:
    """Steps of egress."""

    def steps(asked: tuple[_Record, AdminRule]) -> list[Step]:
        record, rule = asked
        owns = census.own(record.subject.pod_selector)
        found: list[tuple[Peer, Service]] = []
        if owns and (services := _plain(rule)):
            them = list(_peers(rule, census, place, paired=paired))
            found += [(peer, service) for peer in them for service in services]
        for port in _named(rule) if owns else ():
            found += named_peers(_as_policy(rule.peers), port, census, place)
        return [Step(own, peer, service, rule.action) for own in owns for peer, service in found]

    return _all(together(steps, [(record, rule) for record in records for rule in record.egress]))


def require_well_formed(event: ChangeEvent) -> None:
    """Raise TranslationError for peers by domain name, which Contrail's firewall knows nothing of, and for too much."""
    record = cast(_Record, event.body)
    if (number := size.of_admin(record)) > room.MOST:
        raise TranslationError(
            f"{event.kind} {event.name}: spec makes {number} rules for each namespace, pods by peers by ports; "
            f"accepted are {room.MOST} of all policies of a namespace, because Contrail's API takes no more at once"
        )
    for number, rule in enumerate(record.egress):
        if names := [name for peer in rule.peers for name in peer.domain_names]:
            raise TranslationError(
                f"{event.kind} {event.name}: spec.egress[{number}].to has domainNames {', '.join(names)[:300]}; "
                "accepted are namespaces, pods, nodes and networks, because Contrail's firewall knows addresses only"
            )


def _all(found: Sequence[Sequence[Step]]) -> Steps:
    return tuple(dict.fromkeys(step for steps in found for step in steps))


def _peers(rule: AdminRule, census: Census, place: Place, *, paired: bool) -> Iterator[Peer]:
    if others := _as_policy(rule.peers):
        yield from peers(others, census, place, paired=paired)
    for each in rule.peers:
        if each.nodes == _EVERY:
            yield Peer(NODES)
        elif each.nodes is not None and (addresses := census.nodes(each.nodes)):
            yield Peer(Endpoint(prefixes=addresses))


def _as_policy(found: tuple[AdminPeer, ...]) -> tuple[PolicyPeer, ...]:
    """Those of the peers that a NetworkPolicy could name as well, in its words."""
    return tuple(each for peer in found for each in _one_as_policy(peer))


def _one_as_policy(peer: AdminPeer) -> tuple[PolicyPeer, ...]:
    if peer.pods is not None:
        chosen = peer.pods
        return (PolicyPeer(namespace_selector=chosen.namespace_selector, pod_selector=chosen.pod_selector),)
    return tuple(PolicyPeer(ip_block=IpBlock(cidr=cidr)) for cidr in peer.networks)


def _plain(rule: AdminRule) -> tuple[Service, ...]:
    numbered = tuple(_as_port(each, each.protocol) for each in rule.ports if not each.port_name)
    return ports.plain(numbered) if numbered or not rule.ports else ()


def _named(rule: AdminRule) -> list[PolicyPort]:
    """Named ports, each once for every protocol: the rule names none."""
    return [_as_port(each, protocol) for each in rule.ports if each.port_name for protocol in _PROTOCOLS]


def _as_port(port: AdminPort, protocol: str) -> PolicyPort:
    return PolicyPort(protocol=protocol, port=port.port, end_port=port.end_port, port_name=port.port_name)
