"""Public addresses of a service: which it asks for, and the floating-ips of a pool that they are (pure).

A service of type LoadBalancer gets the addresses that it names, else one of Contrail's choice; any service gets its
externalIPs. A public address has one mapping for all of its members: where members resolve a named port differently,
those of the mapping that most of them share are behind it. Those of a service that lets only some sources in wait for
what keeps the others out (translator/translate/source_ranges.py).
"""

from __future__ import annotations

import ipaddress
from typing import cast

from schemas.contrail.objects import ContrailObject
from schemas.identity import object_uuid
from schemas.records import ServiceRecord
from translator.resource import Resource
from translator.translate import names, source_ranges
from translator.translate.addresses import family_of
from translator.translate.membership import public_pool
from translator.translate.service_address import is_served, marks
from translator.translate.service_ports import Ports
from translator.translate.shared_ports import most_shared
from translator.view import View


def public_floating_ips(
    service: Resource, namespace: Resource, view: View, *, family: str = ""
) -> tuple[tuple[ContrailObject, Ports], ...]:
    """Public floating-ips of the service, of one family or all, each with its ports; none without a pool for them."""
    wanted = [(f, address) for f, address in asked(cast(ServiceRecord, service.body)) if family in ("", f)]
    pool = public_pool(service, namespace, view) if wanted else None
    if pool is None:
        return ()
    guard = source_ranges.guard_of(service, namespace, view)
    if guard is None and source_ranges.is_limited(cast(ServiceRecord, service.body)):
        return ()
    stands_by = source_ranges.stands_by(guard, namespace, view.settings)
    ports = {each: most_shared(service, view, family=each) for each, _ in wanted}
    return tuple(
        (_floating_ip(service, pool, address, ports[each], view, stands_by), ports[each]) for each, address in wanted
    )


def asked(record: ServiceRecord) -> tuple[tuple[str, str], ...]:
    """Family and text of each address that the service asks for, in order; text '' leaves the choice to Contrail.

    Only of families of which it has a cluster address: to another one none of its members would answer.
    """
    named, families = _named(record), {family_of(address) for address in record.cluster_ips}
    if not named and record.balances and is_served(record):
        return (("v4", ""),) if "v4" in families else ()
    return tuple((family, address) for family, address in named if family in families)


def unanswered(record: ServiceRecord) -> tuple[str, ...]:
    """Addresses that the service names and does not get, because it has no cluster address of their family."""
    families = {family_of(address) for address in record.cluster_ips}
    return tuple(address for family, address in _named(record) if families and family not in families)


def _named(record: ServiceRecord) -> list[tuple[str, str]]:
    """Family and text of each address that the service names, in order."""
    if not is_served(record):
        return []
    texts = [*record.external_ips, *([record.load_balancer_ip] if record.balances and record.load_balancer_ip else [])]
    named = {str(ipaddress.ip_address(text)) for text in texts}  # of all spellings the one that Contrail knows
    return sorted((family_of(address), address) for address in named)


def _floating_ip(
    service: Resource, pool: tuple[str, ...], address: str, ports: Ports, view: View, stands_by: tuple[str, ...]
) -> ContrailObject:
    key = f"{service.uid}/public/{':'.join(pool)}/{address or 'any'}"
    uuid = object_uuid(view.settings.cluster, names.FLOATING_IP, key)
    return ContrailObject(
        names.FLOATING_IP,
        (*pool, f"{service.name}__{uuid}"),
        uuid,
        names.POOL,
        {
            "annotations": marks(view.settings, service),
            **({"floating_ip_address": address} if address else {}),
            "floating_ip_traffic_direction": "ingress",
            **ports.properties(),
        },
        (names.project(view.settings, service.namespace).reference(),),
        after=stands_by,
    )
