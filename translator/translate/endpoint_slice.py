"""EndpointSlice to links from its service's floating-ips to the interfaces of the members (pure).

Each member is a link of its own: one that comes or goes is one write, however many there are. The floating-ips are
emitted by every slice whose members belong behind them, equal to the letter; so they live while one slice does.
Public ones are the service's own, because their addresses shall not change. Where the settings want load-balancer
objects, a member of a pool stands for the link (translator/translate/service_balancer.py).
Members are pods of ours that are there, with the very uid that the slice names: never a successor of the same name.
Their interfaces are linked to the service's health check, if it asks for one, and hash as its client affinity wants.
Back-ends that are no pods of ours are translator/translate/link_local.py's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import cast

from schemas.contrail.objects import ContrailObject, FqName, Link
from schemas.records import Endpoint, EndpointSliceRecord, PodRecord, ServiceRecord
from translator.notice import Notice, Outcome
from translator.resource import Key, Resource
from translator.translate import (
    affinity,
    health_check,
    link_local,
    names,
    service_address,
    service_balancer,
    source_ranges,
)
from translator.translate.membership import pod_membership, service_membership
from translator.translate.names import Known, Named
from translator.translate.pod import has_interface
from translator.translate.public_address import public_floating_ips
from translator.translate.service_address import ClusterAddress
from translator.translate.service_ports import resolve
from translator.translate.shared_ports import FAMILY
from translator.view import NotLoaded, View

_Placed = tuple[Named, Resource, Known]
"""Interface of a member, its pod, and the network that it is in."""


def translate(slice_: Resource, view: View) -> tuple[Outcome, ...]:
    """Floating-ips and links, entries for back-ends that are no pods, and what is to be known of them.

    None while its service or namespace is unknown, or has no address for them.
    """
    record = cast(EndpointSliceRecord, slice_.body)
    if not record.service or record.address_type not in FAMILY:
        return ()
    service, namespace = view.get_all(
        (("Service", slice_.namespace, record.service), ("Namespace", "", slice_.namespace))
    )
    if service is None or namespace is None:
        return ()
    family, ports = FAMILY[record.address_type], resolve(cast(ServiceRecord, service.body), record.ports)
    network = service_membership(service, namespace, view).network
    addresses = _addresses(service, network, family, view)
    if not addresses or not ports.mappings:
        return ()
    public = [one for one, its in public_floating_ips(service, namespace, view, family=family) if its == ports]
    endpoints = chosen(slice_, service, view)
    placed = _members(endpoints, namespace, view)
    members = [(interface, pod.uid) for interface, pod, _ in placed]
    floating: Iterable[ContrailObject] = ()
    balanced: Iterable[ContrailObject] = ()
    if service_address.is_balanced(view.settings):
        balanced = service_balancer.members(service, network, ports, members, view)
    else:
        floating = [service_address.floating_ip(view.settings, service, at, ports) for at in addresses]
    checked = health_check.is_asked(service) and family == health_check.FAMILY
    sticky = [pod for _, pod, _ in placed] if affinity.is_asked(service) else []
    return (
        *floating,
        *balanced,
        *(_link(owner, member) for owner in floating for member, _ in members),
        *_public_links(public, placed, service, namespace, view),
        *(health_check.checked(view.settings, service, member) for member, _ in members if checked),
        *affinity.interfaces(sticky, namespace, view),
        *link_local.of_slice(slice_, endpoints, service, namespace, view),
    )


def chosen(slice_: Resource, service: Resource, view: View) -> Sequence[Endpoint]:
    """Endpoints that get traffic: the ready ones; if the service has none at all, those that still serve as they end.

    Only who has nothing but such endpoints asks for the other slices.
    """
    record, wanted = cast(EndpointSliceRecord, slice_.body), cast(ServiceRecord, service.body)
    if ready := [each for each in record.endpoints if _is_ready(each, wanted)]:
        return ready
    ending = [each for each in record.endpoints if each.serving and each.terminating]
    if not ending:
        return ()
    for other in view.list("EndpointSlice", slice_.namespace):
        beside = cast(EndpointSliceRecord, other.body)
        same = (beside.service, beside.address_type) == (record.service, record.address_type)
        if same and any(_is_ready(each, wanted) for each in beside.endpoints):
            return ()
    return ending


def _is_ready(endpoint: Endpoint, service: ServiceRecord) -> bool:
    return endpoint.ready or service.publish_not_ready


def _addresses(service: Resource, network: Known, family: str, view: View) -> list[ClusterAddress]:
    found = service_address.cluster_addresses(view.settings, service, network)
    return [at for at in found if at.family == family]


def _public_links(
    public: Sequence[ContrailObject], placed: Iterable[_Placed], service: Resource, namespace: Resource, view: View
) -> Iterator[Outcome]:
    """Links from the public addresses; those of a service that is for some sources only come after what guards it."""
    guard = source_ranges.guard_of(service, namespace, view) if public else None
    if guard is None:
        yield from (_link(owner, member) for owner in public for member, _, _ in placed)
        return
    yield source_ranges.tag_of(guard, view.settings)
    stands_by = source_ranges.stands_by(guard, namespace, view.settings)
    for member, _, network in placed:
        if not source_ranges.is_guarded(network):
            said = f"a member in network {network.joined} is not behind its public addresses: loadBalancerSourceRanges"
            yield Notice(source_ranges.UNGUARDED, f"{said} cannot be enforced there", about=service.key)
            continue
        mark = source_ranges.mark(guard, member, view.settings)
        yield mark
        after = tuple(sorted((mark.uuid, *stands_by)))
        yield from (replace(_link(owner, member), after=after) for owner in public)


def _members(endpoints: Iterable[Endpoint], namespace: Resource, view: View) -> list[_Placed]:
    """Interfaces, pods and networks of the endpoints that are pods with one, each once, ordered by name."""
    named = {(each.pod_name, each.pod_uid): each for each in endpoints if each.pod_name}
    pods = view.get_all([("Pod", namespace.name, name) for name, _ in named])
    found, missing = dict[Named, _Placed](), frozenset[Key]()
    for endpoint, pod in zip(named.values(), pods, strict=True):
        if pod is None or not _is_same(endpoint, pod) or not has_interface(cast(PodRecord, pod.body)):
            continue
        try:
            network = pod_membership(pod, namespace, view).network
        except NotLoaded as ask:  # one round loads what all pods ask for
            missing |= ask.keys
            continue
        interface = names.pod_interface(view.settings, namespace.name, pod.name, pod.uid, network)
        found[interface] = (interface, pod, network)
    if missing:
        raise NotLoaded(missing)
    return sorted(found.values(), key=lambda member: member[0].fq_name)


def _is_same(endpoint: Endpoint, pod: Resource) -> bool:
    """Whether the endpoint means this pod: by uid; one that names no uid, by its address."""
    if endpoint.pod_uid:
        return endpoint.pod_uid == pod.uid
    return not set(endpoint.addresses).isdisjoint(cast(PodRecord, pod.body).pod_ips)


def _link(owner: ContrailObject, member: Named) -> Link:
    return _link_of(owner.type, owner.fq_name, owner.uuid, member)


@lru_cache(maxsize=4096)
def _link_of(type_: str, fq_name: FqName, uuid: str, member: Named) -> Link:
    """Kept, because an event of a slice changes one of its members, and leaves the others."""
    return Link(type_, fq_name, member.type, member.fq_name, member.uuid, owner_uuid=uuid)
