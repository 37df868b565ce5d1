"""NetworkPolicies of a namespace to the heads of its two directions (pure).

Of one direction: first what policies allow, which is a pass rule for each combination of selected pods, peer and port,
then a denial of the rest for the pods that any of them selects. A flow of other pods is not decided at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import cast

from schemas.records import NetworkPolicyRecord, PolicyPort, PolicyRule
from translator.policy import admin, ports, tiers
from translator.policy.admin import Concern, Steps
from translator.policy.census import Census, together
from translator.policy.model import (
    ANY_SERVICE,
    ANYONE,
    NO_TAGS,
    NODES,
    Decision,
    Head,
    Peer,
    Service,
    Tags,
    both,
)
from translator.policy.peers import named_peers, peers
from translator.policy.place import Place
from translator.policy.room import once
from translator.resource import Resource

NODES_PASS = Decision(NO_TAGS, Peer(NODES), ANY_SERVICE, True)
"""Nodes and pods reach each other whatever policies say: kubelets probe, and Kubernetes promises it."""


def heads(
    policies: Sequence[Resource], admins: Concern, census: Census, place: Place, guards: Head = ()
) -> tuple[Head, Head]:
    """The heads of egress and ingress; empty where no policy says anything of the direction.

    `guards` are decisions of ingress that come before all others.
    """
    records = [cast(NetworkPolicyRecord, each.body) for each in policies]
    # Blocks against pods of the own namespace matter only where both directions have a say.
    outwards = admins.outward or any(each.isolates_egress for each in records)
    inwards = admins.inward or any(each.isolates_ingress for each in records)
    paired = outwards and inwards
    egress = together(lambda each: _outward(each, census, place, paired=paired), records)
    ingress = together(lambda each: _inward(each, census, place, paired=paired), records)
    around = (admins.before, admins.behind)
    out_before, out_behind = (admin.outward(each, census, place, paired=paired) for each in around)
    in_before, in_behind = (admin.inward(each, census, place, paired=paired) for each in around)
    return _outward_head(egress, out_before, out_behind, census), _inward_head(
        ingress, in_before, in_behind, census, guards
    )


_Part = tuple[list[Decision], tuple[Tags, ...]]
"""What a policy allows in one direction, and the pods that it isolates."""


def _inward_head(parts: Sequence[_Part], before: Steps, behind: Steps, census: Census, guards: Head) -> Head:
    head = tiers.before(before, (*_passes(parts), *_denials(parts), *tiers.as_decisions(behind)), census)
    return (NODES_PASS, *guards, *head) if guards or head else ()


def _outward_head(parts: Sequence[_Part], before: Steps, behind: Steps, census: Census) -> Head:
    """Administrators may keep pods from nodes; what lets the others through must not do it before the baseline says."""
    denials = _denials(parts)
    to_nodes = [Decision(each.own, NODES_PASS.peer, ANY_SERVICE, True) for each in denials] if behind else [NODES_PASS]
    rest = (*(to_nodes if denials else ()), *_passes(parts), *denials, *tiers.as_decisions(behind))
    return tiers.before(before, rest, census)


def _passes(parts: Sequence[_Part]) -> Head:
    return once(each for allowed, _ in parts for each in allowed)


def _denials(parts: Sequence[_Part]) -> Head:
    """Of everything, to the pods that are isolated; that of all pods of a namespace is one."""
    isolated = dict.fromkeys(own for _, owns in parts for own in owns)
    widest = [NO_TAGS] if NO_TAGS in isolated else list(isolated)
    return tuple(Decision(own, ANYONE, ANY_SERVICE, False) for own in widest)


def _inward(policy: NetworkPolicyRecord, census: Census, place: Place, *, paired: bool) -> _Part:
    if not policy.isolates_ingress:
        return [], ()
    owns = census.own(policy.pod_selector)

    def allowed(rule: PolicyRule) -> list[Decision]:
        them = tuple(peers(rule.peers, census, place, paired=paired))
        found = list(_allowed(owns, them, ports.plain(rule.ports)))
        for port in ports.named(rule.ports):
            for more, service in _at_own(policy, port, census):
                found += _allowed(_joined(owns, more), them, (service,))
        return found

    return (_of_all(allowed, policy.ingress) if owns else []), owns


def _outward(policy: NetworkPolicyRecord, census: Census, place: Place, *, paired: bool) -> _Part:
    if not policy.isolates_egress:
        return [], ()
    owns = census.own(policy.pod_selector)

    def allowed(rule: PolicyRule) -> list[Decision]:
        found: list[Decision] = []
        if services := ports.plain(rule.ports):
            found += _allowed(owns, tuple(peers(rule.peers, census, place, paired=paired)), services)
        for port in ports.named(rule.ports):
            for peer, service in named_peers(rule.peers, port, census, place):
                found += _allowed(owns, (peer,), (service,))
        return found

    return (_of_all(allowed, policy.egress) if owns else []), owns


def _of_all(allowed: Callable[[PolicyRule], list[Decision]], rules: tuple[PolicyRule, ...]) -> list[Decision]:
    return [each for found in together(allowed, rules) for each in found]


def _at_own(policy: NetworkPolicyRecord, port: PolicyPort, census: Census) -> Iterator[tuple[Tags, Service]]:
    selector = policy.pod_selector
    return ports.resolved(census, selector, port, census.pods((census.namespace,), selector))


def _allowed(owns: tuple[Tags, ...], them: tuple[Peer, ...], services: tuple[Service, ...]) -> Iterator[Decision]:
    return (Decision(own, peer, service, True) for own in owns for peer in them for service in services)


def _joined(owns: tuple[Tags, ...], more: Tags) -> tuple[Tags, ...]:
    return tuple(found for each in owns if (found := both(each, more)) is not None)
