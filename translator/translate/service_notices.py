"""What a service asks for and does not get, though nothing is wrong with it (pure)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from schemas.records import ServiceRecord
from schemas.records.service import LOAD_BALANCER, LOAD_BALANCER_CLASS
from translator.notice import Notice
from translator.resource import Resource
from translator.translate import annotated, source_ranges
from translator.translate.addresses import family_of
from translator.translate.membership import public_pool
from translator.translate.public_address import asked, unanswered
from translator.translate.service_address import is_within
from translator.view import View

NO_POOL = "NoPublicPool"
OTHER_CLASS = "OtherLoadBalancerClass"
NOT_OPEN = "SourceRangesNotServed"
OUTSIDE = "AddressNotServed"
NO_CHOICE = "FamilyNotServed"


def notices(service: Resource, namespace: Resource, view: View) -> tuple[Notice, ...]:
    """Notices of a service that has cluster addresses."""
    return tuple(_notices(cast(ServiceRecord, service.body), service, namespace, view))


def _notices(record: ServiceRecord, service: Resource, namespace: Resource, view: View) -> Iterator[Notice]:
    outside = [address for address in record.cluster_ips if not is_within(view.settings, address)]
    if outside:
        subnets = ", ".join(view.settings.service_subnets)
        said = f"cluster address {', '.join(outside)} is in none of the cluster's service subnets ({subnets})"
        yield Notice(OUTSIDE, f"{said}: nobody answers there")
    if record.type == LOAD_BALANCER and not record.balances:
        said = f"spec.loadBalancerClass is {record.load_balancer_class!r}, which another controller serves"
        yield Notice(OTHER_CLASS, f"{said}; ours is {LOAD_BALANCER_CLASS!r}, or none", normal=True)
    limits = source_ranges.is_limited(record)
    if limits and (why := source_ranges.hindrance(service, namespace, view)):
        ranges = ", ".join(record.load_balancer_source_ranges)
        said = f"spec.loadBalancerSourceRanges lets only {ranges} in, which cannot be enforced: {why}"
        yield Notice(NOT_OPEN, f"{said}; the service gets no public address at all")
    else:
        yield from _public(record, service, namespace, view)


def _public(record: ServiceRecord, service: Resource, namespace: Resource, view: View) -> Iterator[Notice]:
    """What keeps public addresses from a service that may have some."""
    wanted, unserved = asked(record), unanswered(record)
    if wanted and public_pool(service, namespace, view) is None:
        yield Notice(NO_POOL, _no_pool([address for _, address in wanted]))
    if unserved:
        said = f"asks for public address {', '.join(unserved)}, and has no cluster address of that family"
        yield Notice(NO_CHOICE, f"{said}: a family must be in spec.ipFamilies to be served")
    elif record.balances and all(family_of(each) == "v6" for each in record.cluster_ips) and not wanted:
        yield Notice(NO_CHOICE, "Contrail chooses public addresses of IPv4 only: name one in spec.externalIPs")


def _no_pool(addresses: list[str]) -> str:
    what = f"public address {', '.join(addresses)}" if all(addresses) else "a public address"
    return (
        f"asks for {what}, and no pool is named that has one: name a floating-ip-pool in the annotation "
        f"{annotated.POOL} of the service or its namespace, or for the whole cluster in "
        "CONTRAIL_KUBE_CLUSTER_PUBLIC_POOL"
    )
