"""Rules that keep others out than a service's public addresses are for (pure).

They stand before everything that policies say of ingress: a load balancer would have turned such traffic away before it
reached a pod. Nodes stay where they were, in front of them.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from schemas.records import IpBlock, SettingsRecord
from translator.policy import blocks, emit
from translator.policy.model import ANY_SERVICE, Decision, Endpoint, Head, Peer, Rule, Service, Tags
from translator.policy.place import Place

_EVERYWHERE = ("0.0.0.0/0", "::/0")


class Guard(msgspec.Struct, frozen=True, gc=False):
    """A service's: who carries `tag` is closed to others than its `ranges` and the cluster.

    On `targets` (protocol, port), or altogether where there are none.
    """

    tag: str
    ranges: tuple[str, ...]
    targets: tuple[tuple[str, int], ...]


def decisions(guards: Iterable[Guard], settings: SettingsRecord) -> Head:
    """What the guards say of ingress."""
    return tuple(dict.fromkeys(each for guard in guards for each in _of(guard, settings)))


def stands_by(guard: Guard, place: Place, settings: SettingsRecord) -> tuple[str, ...]:
    """Uuids of the guard's rules, and of the list that they are in: applied as they are wanted, the guard stands."""
    rules = [Rule(each.peer.endpoint, place.own(each.own), each.service, each.passes) for each in _of(guard, settings)]
    of_list = emit.list_of(settings, place.namespace) if rules else ()
    return tuple(sorted(each.uuid for each in (*(emit.rule_of(settings, place.namespace, r) for r in rules), *of_list)))


def _of(guard: Guard, settings: SettingsRecord) -> list[Decision]:
    own, others = Tags(members=(guard.tag,)), Peer(Endpoint(prefixes=_others(guard.ranges, settings)))
    services = [Service(protocol.lower(), port, port) for protocol, port in guard.targets] or [ANY_SERVICE]
    return [Decision(own, others, service, False) for service in services] if others.endpoint.prefixes else []


def _others(ranges: tuple[str, ...], settings: SettingsRecord) -> tuple[str, ...]:
    """All addresses but those of the ranges, and of the cluster's own pods and services."""
    let_in = (*ranges, *settings.pod_subnets, *settings.service_subnets, *settings.ip_fabric_subnets)
    return blocks.prefixes(IpBlock(cidr=cidr, excluded=let_in) for cidr in _EVERYWHERE)
