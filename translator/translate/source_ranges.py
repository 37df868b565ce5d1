"""Services that let only some sources in: whether they can be held to that, and by what (pure).

A public address is a way to the members' interfaces like any other, and what comes by it looks there like what comes
from outside by another way. So the members carry a tag, and a rule of their namespace's list closes their ports to
everybody outside but the service's ranges. The address leads to a member only once that stands: the links say so, by
the rules themselves, which are named by what they say, and by the list as it is wanted with them in it.

Where another way in has the same members and ports the rule would close that as well: then there is no address.
"""

from __future__ import annotations

import hashlib
import ipaddress
from typing import cast

from schemas.contrail.objects import ContrailObject, Link
from schemas.errors import TranslationError
from schemas.records import IpBlock, ServiceRecord, SettingsRecord
from translator.policy import blocks, guards
from translator.policy.guards import Guard
from translator.policy.place import place_of
from translator.resource import Resource
from translator.translate import tags
from translator.translate.membership import public_pool
from translator.translate.names import Known, Named
from translator.translate.service_address import is_served
from translator.translate.shared_ports import FAMILY, most_shared
from translator.view import View

UNGUARDED = "MemberNotServed"
_EVERYBODY = {4: "0.0.0.0/0", 6: "::/0"}
_WITH_PORTS = frozenset({"TCP", "UDP"})
"""Protocols whose ports the vrouter agent knows of a flow."""


def is_limited(record: ServiceRecord) -> bool:
    """Whether the service's load balancer is for some sources only, of any family that it may have an address of."""
    if not record.balances or not record.load_balancer_source_ranges:
        return False
    addresses = [*record.cluster_ips, *([record.load_balancer_ip] if record.load_balancer_ip else [])]
    everybody = {_EVERYBODY[ipaddress.ip_address(each).version] for each in addresses}
    return not everybody.issubset(ranges_of(record))


def ranges_of(record: ServiceRecord) -> tuple[str, ...]:
    """Its ranges as prefixes without host bits; raises ValueError for what is none."""
    found = (ipaddress.ip_network(each.strip(), strict=False) for each in record.load_balancer_source_ranges)
    return blocks.prefixes(IpBlock(cidr=str(each)) for each in found)


def require_well_formed(label: str, record: ServiceRecord) -> None:
    """Raise TranslationError for a range that is none."""
    for text in record.load_balancer_source_ranges:
        try:
            ipaddress.ip_network(text.strip(), strict=False)
        except ValueError:
            raise TranslationError(
                f"{label}: spec.loadBalancerSourceRanges has {text[:300]!r}; accepted are prefixes as 192.0.2.0/24"
            ) from None


def hindrance(service: Resource, namespace: Resource, view: View) -> str:
    """Why a limited service cannot be held to its ranges; '' where it can."""
    found = _judged(service, namespace, view)
    return found if isinstance(found, str) else ""


def guard_of(service: Resource, namespace: Resource, view: View) -> Guard | None:
    """What holds a limited service to its ranges; None where it has no public address."""
    record = cast(ServiceRecord, service.body)
    if not is_limited(record) or not is_served(record) or public_pool(service, namespace, view) is None:
        return None
    found = _judged(service, namespace, view)
    return None if isinstance(found, str) else found


def of_namespace(namespace: Resource, view: View) -> tuple[Guard, ...]:
    """The guards of all services of the namespace."""
    found = (guard_of(each, namespace, view) for each in view.list("Service", namespace.name))
    return tuple(each for each in found if each is not None)


def stands_by(guard: Guard | None, namespace: Resource, settings: SettingsRecord) -> tuple[str, ...]:
    """What must have been applied before a public address leads anywhere."""
    return () if guard is None else guards.stands_by(guard, place_of(namespace, settings), settings)


def is_guarded(network: Known) -> bool:
    """Whether members in this network can be guarded: addresses of their peers in others' networks nobody knows."""
    return isinstance(network, Named)


def tag_of(guard: Guard, settings: SettingsRecord) -> ContrailObject:
    """The tag of the members."""
    return tags.tag_object(settings, guard.tag)


def mark(guard: Guard, member: Named, settings: SettingsRecord) -> Link:
    """The tag on a member's interface."""
    tag = tags.named(settings.cluster, guard.tag)
    return Link(member.type, member.fq_name, tag.type, tag.fq_name, tag.uuid, owner_uuid=member.uuid)


def _judged(service: Resource, namespace: Resource, view: View) -> Guard | str:
    """The guard of a limited service, or why there can be none.

    All ports are closed, so that none is open while the service's change; only its own where other ways in need others.
    """
    record = cast(ServiceRecord, service.body)
    if record.external_ips:
        return f"spec.externalIPs ({', '.join(record.external_ips)}) let everybody in by the same ports"
    others = [each for each in view.list("Service", service.namespace) if _is_rival(service, each)]
    rivals = [each for each in others if public_pool(each, namespace, view) is not None]
    targets = _targets(service, view) if rivals else frozenset()
    for rival in rivals:
        if targets & _targets(rival, view):
            return f"service {rival.name} lets others in to the same port of what may be the same pods"
    if rivals and (unknown := sorted({protocol for protocol, _ in targets} - _WITH_PORTS)):
        return f"ports of {', '.join(unknown)} cannot be closed alone, as service {rivals[0].name} would need it"
    return Guard(_tag(view.settings, service), ranges_of(record), tuple(sorted(targets)))


def _tag(settings: SettingsRecord, service: Resource) -> str:
    digest = hashlib.sha256(f"public/{service.namespace}/{service.name}/{service.uid}".encode()).hexdigest()
    return tags.guard_text(settings.cluster, digest[:32])


def _is_rival(service: Resource, other: Resource) -> bool:
    """Whether the other one lets others in, perhaps to the same pods: without a selector anything may be behind it."""
    mine, its = cast(ServiceRecord, service.body), cast(ServiceRecord, other.body)
    if (
        other.name == service.name
        or not is_served(its)
        or not its.cluster_ips
        or not (its.balances or its.external_ips)
    ):
        return False
    if not its.external_ips and ranges_of(its) == ranges_of(mine):
        return False
    apart = any(mine.selector[key] != its.selector[key] for key in mine.selector.keys() & its.selector.keys())
    return not apart


def _targets(service: Resource, view: View) -> frozenset[tuple[str, int]]:
    """Protocol and port of what the service's public addresses lead to."""
    found = [most_shared(service, view, family=family).mappings for family in FAMILY.values()]
    return frozenset((protocol, target) for mappings in found for protocol, _, target in mappings)
