"""Services whose back-ends are no pods of ours, as link-local entries (pure): host-network pods and plain addresses.

Such back-ends have no interface to which an address could be linked. A link-local entry makes every vrouter answer for
address and port of the service itself: it sends what its pods send there to one of the back-ends, from the node's own
address. So pods reach what their node reaches. What nodes do with an entry decides what is made here:

- they look entries up by address and port alone, so the two protocols of one port lead to the same port;
- they know TCP and UDP, and IPv4;
- an address that has an entry is theirs in every network: nothing else of that address is served any more. So a
  service is led either to its pods or to such back-ends, never to some of both;
- an entry whose name holds `metadata` stands for the metadata service of virtual machines.

An entry is made of all slices of the service, and emitted by the first of those that hold such back-ends: so only that
one looks at all pods.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import takewhile
from typing import cast

import msgspec

from schemas.contrail.entries import LINK_LOCAL, service_key
from schemas.contrail.objects import Entry
from schemas.identity import object_uuid
from schemas.records import Endpoint, EndpointSliceRecord, PodRecord, ServiceRecord, SettingsRecord
from translator.notice import Notice, Outcome
from translator.resource import Resource
from translator.translate import names, service_address
from translator.translate.membership import service_membership
from translator.translate.pod import ENDED, has_interface
from translator.translate.public_address import asked
from translator.translate.service_ports import resolve
from translator.view import View

LEFT_OUT = "BackEndsLeftOut"
NOT_SERVED = "BackEndsNotServed"
_KUBERNETES = ("default", "kubernetes")
"""The service of the API server; it bears the name that the original gave it, so that its entry is taken over."""
_PROTOCOLS = ("TCP", "UDP")
_METADATA = "metadata"


class _Target(msgspec.Struct, frozen=True, gc=False):
    """Where a port of the service leads, by one slice."""

    protocol: str
    port: int
    target: int
    addresses: tuple[str, ...]


class _BackEnds(msgspec.Struct, frozen=True, gc=False):
    """What a service leads to: whether to any pod of ours, to what nodes can reach, and whether to anything else."""

    has_pods: bool
    targets: tuple[_Target, ...]
    has_others: bool


def of_slice(
    slice_: Resource, endpoints: Iterable[Endpoint], service: Resource, namespace: Resource, view: View
) -> tuple[Outcome, ...]:
    """Entries of the slice's service, and what is to be known of them, if this is the first slice with no pods of ours.

    `endpoints` are those of the slice that get traffic; their pods were asked for, and its ports lead somewhere.
    """
    record, served = cast(EndpointSliceRecord, slice_.body), cast(ServiceRecord, service.body)
    if not any(_is_elsewhere(each, namespace, view) for each in endpoints):
        return ()
    if record.address_type != "IPv4":
        return (
            _notice(NOT_SERVED, service, "back-ends that are no pods are reached by IPv4 only, and these have IPv6"),
        )
    if not view.settings.link_local_services:
        return (_notice(NOT_SERVED, service, "its back-ends are no pods, and link-local services are switched off"),)
    addresses = _addresses(service, namespace, view)
    if not addresses or not _is_first(slice_, service, namespace, view):
        return ()
    found = _back_ends(service, namespace, view)
    if found.has_pods:
        why = "some of its back-ends are pods, so the others get no connections; give them a service of their own"
        return (_notice(LEFT_OUT, service, why),) if found.targets or found.has_others else ()
    entries = tuple(_entry(view.settings, service, addresses[0], each) for each in _by_port(found.targets))
    return (*entries, *(_notice(reason, service, why) for reason, why in _shortcomings(served, found)))


def _is_elsewhere(endpoint: Endpoint, namespace: Resource, view: View) -> bool:
    """Whether this is no pod, or one of the host's network; a pod that is not known yet is neither."""
    if not endpoint.pod_name:
        return True
    pod = view.get("Pod", namespace.name, endpoint.pod_name)
    return pod is not None and _is_of_host(endpoint, pod)


def _is_of_host(endpoint: Endpoint, pod: Resource) -> bool:
    record = cast(PodRecord, pod.body)
    return record.host_network and record.phase not in ENDED and endpoint.pod_uid in ("", pod.uid)


def _addresses(service: Resource, namespace: Resource, view: View) -> list[str]:
    network = service_membership(service, namespace, view).network
    found = service_address.cluster_addresses(view.settings, service, network)
    return [at.address for at in found if at.family == "v4"]


def _is_first(slice_: Resource, service: Resource, namespace: Resource, view: View) -> bool:
    """Whether no slice before this one, which has ports and back-ends that are no pods, has both, too."""
    served = cast(ServiceRecord, service.body)
    before = takewhile(lambda pair: pair[0].key != slice_.key, _in_use(service, view))
    leading = [group for each, group in before if resolve(served, cast(EndpointSliceRecord, each.body).ports).mappings]
    for groups in (leading[:1], leading):  # mostly the first one says it, and all others' pods need not be loaded
        view.get_all([pod for group in groups for pod in _pods_of(group, namespace)])
        if any(_is_elsewhere(each, namespace, view) for group in groups for each in group):
            return False
    return True


def _back_ends(service: Resource, namespace: Resource, view: View) -> _BackEnds:
    record, slices = cast(ServiceRecord, service.body), list(_in_use(service, view))
    view.get_all([pod for _, group in slices for pod in _pods_of(group, namespace)])
    has_pods, has_others, targets = False, False, []
    for slice_, group in slices:
        elsewhere = [e for e in group if _is_elsewhere(e, namespace, view)]
        has_pods |= any(_is_ours(e, namespace, view) for e in group)
        reached = tuple(sorted({e.addresses[0] for e in elsewhere if e.addresses and _is_reached(view.settings, e)}))
        has_others |= any(not e.addresses or e.addresses[0] not in reached for e in elsewhere)
        told = cast(EndpointSliceRecord, slice_.body).ports
        for protocol, port, target in resolve(record, told).mappings if reached else ():
            targets.append(_Target(protocol, port, target, reached))
    return _BackEnds(has_pods, tuple(targets), has_others)


def _in_use(service: Resource, view: View) -> Iterator[tuple[Resource, list[Endpoint]]]:
    """Slices of the service that have IPv4, in order, each with those of its endpoints that get traffic."""
    record = cast(ServiceRecord, service.body)
    slices = [
        (each, body.endpoints)
        for each in view.list("EndpointSlice", service.namespace)
        if (body := cast(EndpointSliceRecord, each.body)).service == service.name and body.address_type == "IPv4"
    ]
    # As for pods: those that end go on while nobody else is there.
    any_ready = any(e.ready or record.publish_not_ready for _, endpoints in slices for e in endpoints)
    for each, endpoints in slices:
        if any_ready:
            yield each, [e for e in endpoints if e.ready or record.publish_not_ready]
        else:
            yield each, [e for e in endpoints if e.serving and e.terminating]


def _pods_of(endpoints: Iterable[Endpoint], namespace: Resource) -> list[tuple[str, str, str]]:
    return [("Pod", namespace.name, each.pod_name) for each in endpoints if each.pod_name]


def _is_ours(endpoint: Endpoint, namespace: Resource, view: View) -> bool:
    pod = view.get("Pod", namespace.name, endpoint.pod_name) if endpoint.pod_name else None
    if pod is None or not has_interface(cast(PodRecord, pod.body)):
        return False
    if endpoint.pod_uid:
        return endpoint.pod_uid == pod.uid
    return not set(endpoint.addresses).isdisjoint(cast(PodRecord, pod.body).pod_ips)


def _is_reached(settings: SettingsRecord, endpoint: Endpoint) -> bool:
    """Whether nodes may reach its address: any but those of the overlay, and those that are no host's."""
    try:
        address = ipaddress.IPv4Address(endpoint.addresses[0])
    except ValueError:
        return False
    if address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified:
        return False
    return not any(address in subnet for subnet in _overlay((*settings.pod_subnets, *settings.service_subnets)))


@lru_cache(maxsize=64)
def _overlay(cidrs: tuple[str, ...]) -> tuple[ipaddress.IPv4Network, ...]:
    subnets = [ipaddress.ip_network(cidr) for cidr in cidrs]
    return tuple(subnet for subnet in subnets if isinstance(subnet, ipaddress.IPv4Network))


def _by_port(targets: Sequence[_Target]) -> list[_Target]:
    """For each port of the service the target that counts, with all of its addresses."""
    chosen = []
    for port in sorted({each.port for each in targets}):
        here = [each for each in targets if each.port == port and each.protocol in _PROTOCOLS]
        if here:
            protocol, target = _counting(here)
            same = {a for each in here if each.target == target for a in each.addresses}
            chosen.append(_Target(protocol, port, target, tuple(sorted(same, key=ipaddress.IPv4Address))))
    return chosen


def _counting(targets: Iterable[_Target]) -> tuple[str, int]:
    """Protocol and target port of most back-ends, TCP before UDP."""
    votes: Counter[tuple[str, int]] = Counter()
    for each in targets:
        votes[each.protocol, each.target] += len(each.addresses)
    return min(votes, key=lambda key: (_PROTOCOLS.index(key[0]), -votes[key], key[1]))


def _shortcomings(service: ServiceRecord, found: _BackEnds) -> Iterator[tuple[str, str]]:
    """Reason and text of what the entries do not carry."""
    if found.has_others:
        yield (
            LEFT_OUT,
            "back-ends whose addresses nodes cannot reach, or which are pods' without saying whose, are left out",
        )
    if any(each.protocol not in _PROTOCOLS for each in found.targets):
        yield NOT_SERVED, "back-ends that are no pods are reached by TCP and UDP only, and some ports are neither"
    leading = {each.port: each.target for each in _by_port(found.targets)}
    if any(each.protocol in _PROTOCOLS and leading[each.port] != each.target for each in found.targets):
        yield LEFT_OUT, "of back-ends that are no pods, a port leads to one port of all; those that differ are left out"
    if found.targets and asked(service):
        yield NOT_SERVED, "its public addresses lead to pods only, and its back-ends are none"


def _notice(reason: str, service: Resource, why: str) -> Notice:
    return Notice(reason, why, about=service.key)


def _entry(settings: SettingsRecord, service: Resource, address: str, at: _Target) -> Entry:
    key = _key(settings, service, at.port)
    value = {
        "linklocal_service_name": key,
        "linklocal_service_ip": address,
        "linklocal_service_port": at.port,
        "ip_fabric_service_ip": list(at.addresses),
        "ip_fabric_service_port": at.target,
        "ip_fabric_DNS_service_name": "",
    }
    return Entry(LINK_LOCAL[0], names.VROUTERS, LINK_LOCAL[1], key, value)


def _key(settings: SettingsRecord, service: Resource, port: int) -> str:
    if (service.namespace, service.name) == _KUBERNETES and not settings.project:
        key = "-".join((*names.default_project(settings).fq_name, service.name, str(port)))
    else:
        key = service_key(settings.cluster, service.namespace, service.name, port)
    return object_uuid(settings.cluster, LINK_LOCAL[1], key) if _METADATA in key.lower() else key
