"""Which network a pod, a service or an ingress belongs to, and what must be there for that (pure).

A pod: the network that it names; that its namespace names; that of its app; that of its isolated namespace; the
cluster's. A service: that of its app; that of its isolated namespace; the cluster's. An ingress: the network that its
namespace names; that of its isolated namespace; the cluster's.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import cast

import msgspec

from schemas.contrail.objects import Desired, FqName
from schemas.records import NamespaceRecord, OwnerReference, PodRecord, ServiceRecord, SettingsRecord, WorkloadRecord
from translator.resource import Resource
from translator.translate import annotated, names, networks
from translator.translate.names import Foreign, Known
from translator.view import View

WORKLOADS = frozenset({"ReplicationController", "ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Job"})
_LONGEST_CHAIN = 4


class Membership(msgspec.Struct, frozen=True, gc=False):
    """A network, the address families that a member takes there, and what its members share.

    `shared` are objects and links that every member emits, equal to the letter: they live while one member does.
    `subnets` of a network that is not ours are not known.
    """

    network: Known
    families: tuple[str, ...]
    shared: tuple[Desired, ...] = ()
    subnets: tuple[str, ...] = ()


def pod_membership(pod: Resource, namespace: Resource, view: View) -> Membership:
    """Where the pod's first interface belongs."""
    record, home = cast(PodRecord, pod.body), cast(NamespaceRecord, namespace.body)
    if annotated.NETWORK in record.annotations:
        return _custom(pod, namespace, view.settings)
    if annotated.NETWORK in home.annotations:
        return _custom(namespace, namespace, view.settings)
    if app := app_of_pod(pod, view):
        return _app(view.settings, namespace.name, app, *forwarding(namespace, view.settings))[0]
    return _pods_of(namespace, view.settings)


def service_membership(service: Resource, namespace: Resource, view: View) -> Membership:
    """Where the service's addresses belong."""
    if app := cast(ServiceRecord, service.body).labels.get(annotated.APP, ""):
        return _app(view.settings, namespace.name, app, *forwarding(namespace, view.settings))[1]
    return _service_network(view.settings, namespace.name if is_isolated(namespace) else names.DEFAULT)


def ingress_membership(namespace: Resource, view: View) -> Membership:
    """Where the proxies of the namespace's ingresses belong."""
    home = cast(NamespaceRecord, namespace.body)
    if annotated.NETWORK in home.annotations:
        return _custom(namespace, namespace, view.settings)
    return _pods_of(namespace, view.settings)


def public_pool(asker: Resource, namespace: Resource, view: View) -> FqName | None:
    """Floating-ip pool of a service or ingress: its own, its namespace's, the cluster's; None if there is none."""
    for resource in (asker, namespace):
        held = cast(ServiceRecord | NamespaceRecord, resource.body).annotations
        if (named := annotated.pool(label_of(resource), held)) is not None:
            return named
    return tuple(view.settings.public_pool.split(":")) if view.settings.public_pool else None


def is_isolated(namespace: Resource) -> bool:
    """Whether the namespace has networks of its own."""
    held = cast(NamespaceRecord, namespace.body).annotations
    return annotated.ISOLATION in held and bool(annotated.flag(label_of(namespace), held, annotated.ISOLATION))


def forwarding(namespace: Resource, settings: SettingsRecord) -> tuple[bool, bool]:
    """How networks of the namespace reach the underlay: (forwarding, SNAT); forwarding needs no SNAT."""
    held, label = cast(NamespaceRecord, namespace.body).annotations, label_of(namespace)
    forwards = annotated.flag(label, held, annotated.FORWARDING)
    translates = annotated.flag(label, held, annotated.SNAT)
    if forwards is None or lacks_addresses(namespace, settings):
        forwards = settings.ip_fabric_forwarding
    translates = settings.ip_fabric_snat if translates is None else translates
    return forwards, translates and not forwards


def lacks_addresses(namespace: Resource, settings: SettingsRecord) -> bool:
    """Whether the namespace asks for forwarding, and the settings name no addresses for that: then it has none."""
    held = cast(NamespaceRecord, namespace.body).annotations
    asked = annotated.flag(label_of(namespace), held, annotated.FORWARDING)
    return bool(asked) and not settings.ip_fabric_subnets


def label_of(resource: Resource) -> str:
    """What errors call it: `Pod shop/web-0`, `Namespace shop`."""
    space = f"{resource.namespace}/" if resource.namespace else ""
    return f"{resource.kind} {space}{resource.name}"


def app_of_pod(pod: Resource, view: View) -> str:
    """Name of the pod's app, '' if it has none: its own label, even an empty one, else the nearest controller's.

    A controller that is not known (yet, or any more) says nothing, nor does one of the same name and another uid.
    """
    record = cast(PodRecord, pod.body)
    label, owners = record.labels.get(annotated.APP), record.owners
    for _ in range(_LONGEST_CHAIN):
        if label is not None:
            return label
        owner = _controller(owners)
        found = None if owner is None else view.get(owner.kind, pod.namespace, owner.name)
        if owner is None or found is None or found.uid != owner.uid:
            return ""
        workload = cast(WorkloadRecord, found.body)
        label, owners = workload.labels.get(annotated.APP), workload.owners
    return label or ""


@lru_cache
def families_of(subnets: tuple[str, ...]) -> tuple[str, ...]:
    """Address families of the subnets, 'v4' first."""
    return tuple(f"v{version}" for version in sorted({ipaddress.ip_network(cidr).version for cidr in subnets}))


def _controller(owners: tuple[OwnerReference, ...]) -> OwnerReference | None:
    for owner in owners:
        if owner.controller and owner.kind in WORKLOADS:
            return owner
    return None


def _pods_of(namespace: Resource, settings: SettingsRecord) -> Membership:
    if not is_isolated(namespace):
        return _pod_network(settings, names.DEFAULT, settings.ip_fabric_forwarding)
    return _pod_network(settings, namespace.name, forwarding(namespace, settings)[0])


@lru_cache(maxsize=4096)
def _pod_network(settings: SettingsRecord, namespace: str, forwards: bool) -> Membership:
    subnets = _pod_subnets(settings, forwards)
    return Membership(names.pod_network(settings, namespace), families_of(subnets), subnets=subnets)


@lru_cache(maxsize=4096)
def _service_network(settings: SettingsRecord, namespace: str) -> Membership:
    return Membership(names.service_network(settings, namespace), families_of(settings.service_subnets))


@lru_cache(maxsize=4096)
def _app(
    settings: SettingsRecord, namespace: str, app: str, forwards: bool, translates: bool
) -> tuple[Membership, Membership]:
    """Membership of the app's pods, and of its services; they share everything."""
    shared = networks.of_app(settings, namespace, app, forwards=forwards, translates=translates)
    pods, services = (
        names.app_pod_network(settings, namespace, app),
        names.app_service_network(settings, namespace, app),
    )
    subnets = _pod_subnets(settings, forwards)
    return (
        Membership(pods, families_of(subnets), shared, subnets),
        Membership(services, families_of(settings.service_subnets), shared),
    )


def _pod_subnets(settings: SettingsRecord, forwards: bool) -> tuple[str, ...]:
    return settings.ip_fabric_subnets if forwards else settings.pod_subnets


def _custom(asker: Resource, namespace: Resource, settings: SettingsRecord) -> Membership:
    """The network that the asker's annotation names; with the opt-in, connected to services and nodes."""
    label, held = label_of(asker), cast(PodRecord | NamespaceRecord, asker.body).annotations
    fq_name = annotated.network(label, held)
    assert fq_name is not None
    network = Foreign(names.NETWORK, fq_name)
    families = annotated.families(label, held) or families_of(settings.pod_subnets)
    connect = annotated.flag(label, held, annotated.NETWORK_CONNECT)
    if not connect or names.is_made_here(settings, fq_name):
        return Membership(network, families)
    services = names.pod_service_policy(settings, namespace.name) if is_isolated(namespace) else None
    return Membership(network, families, networks.connection(settings, network, services))
