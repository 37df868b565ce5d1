"""Service to its interface, its cluster addresses and its public addresses (pure).

The floating-ips that lead from a cluster address to the members are its slices', and so are all links to members
(translator/translate/endpoint_slice.py). Where the settings want load-balancer objects instead, svc-monitor makes them.
"""

from __future__ import annotations

from collections.abc import Set
from typing import cast

from schemas.errors import TranslationError
from schemas.events import ChangeEvent
from schemas.records import ServiceRecord
from translator.notice import Notice, Outcome
from translator.resource import Resource
from translator.translate import (
    annotated,
    health_check,
    service_address,
    service_balancer,
    service_notices,
    source_ranges,
)
from translator.translate.addresses import address_of
from translator.translate.membership import label_of, service_membership
from translator.translate.public_address import public_floating_ips
from translator.view import View


def translate(service: Resource, view: View) -> tuple[Outcome, ...]:
    """Objects of the service; none for one without addresses, or while its namespace is unknown."""
    record, settings = cast(ServiceRecord, service.body), view.settings
    if not service_address.is_served(record):
        return ()
    namespace = view.get("Namespace", "", service.namespace)
    if namespace is None:
        return ()
    member = service_membership(service, namespace, view)
    addresses = service_address.cluster_addresses(settings, service, member.network)
    if record.cluster_ips and not addresses:
        raise TranslationError(
            f"{label_of(service)}: spec.clusterIPs is {', '.join(record.cluster_ips)}; accepted are addresses in the "
            f"cluster's service subnets, which the settings give as {', '.join(settings.service_subnets)}"
        )
    if not addresses:
        return ()
    objects = [service_address.address_object(settings, service, member.network, at) for at in addresses]
    public = [each for each, _ in public_floating_ips(service, namespace, view)]
    interface = service_address.interface_object(settings, service, member.network)
    check = _health_check(service, {at.family for at in addresses}, view)
    balanced = service_address.is_balanced(settings)
    balancer = service_balancer.objects(service, member.network, addresses, view) if balanced else ()
    noticed = service_notices.notices(service, namespace, view)
    return (interface, *objects, *balancer, *public, *check, *member.shared, *noticed)


def require_well_formed(event: ChangeEvent) -> None:
    """Raise TranslationError for an address that is none, and for an annotation that cannot be read."""
    record, label = cast(ServiceRecord, event.body), f"Service {event.namespace}/{event.name}"
    _require_addresses(label, "spec.clusterIPs", record.cluster_ips)
    _require_addresses(label, "spec.externalIPs", record.external_ips)
    if record.load_balancer_ip:
        _require_addresses(label, "spec.loadBalancerIP", (record.load_balancer_ip,))
    source_ranges.require_well_formed(label, record)
    annotated.pool(label, record.annotations)
    health_check.asked(label, record.annotations)


def _health_check(service: Resource, families: Set[str], view: View) -> tuple[Outcome, ...]:
    label = label_of(service)
    check = health_check.asked(label, cast(ServiceRecord, service.body).annotations)
    if check is None:
        return ()
    if health_check.FAMILY not in families:
        said = f"annotation {annotated.HEALTH_CHECK} has no effect: only IPv4 addresses can be checked"
        return (Notice(health_check.UNCHECKED, said),)
    return (health_check.check_object(view.settings, service, check),)


def _require_addresses(label: str, field: str, texts: tuple[str, ...]) -> None:
    for text in texts:
        if address_of(text) is None:
            raise TranslationError(f"{label}: {field} has {text[:300]!r}; accepted are IPv4 and IPv6 addresses")
