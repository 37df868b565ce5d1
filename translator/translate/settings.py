"""The cluster's settings as Contrail objects: what every pod and service stands on (pure).

One default project; three IPAMs with flat subnets, which the networks share; the pod and the service network;
three network-policies that connect pods with services and both with the underlay; one Link that puts the
underlay's network under its policy. Contrail makes the underlay's network itself: we only add our reference. An Entry
for each pool of ports that pods are translated to: one of the cluster's own, as nodes take equal pools for one. And
what the rules of every namespace name: the tag of all pods, the addresses of all nodes.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from contextlib import suppress
from typing import cast

from schemas.contrail.objects import ContrailObject, Desired, Entry, Json, Link, joined
from schemas.contrail.port_pools import port_pool
from schemas.errors import TranslationError
from schemas.records import NodeRecord, SettingsRecord
from translator.policy import emit
from translator.resource import SETTINGS, Resource
from translator.translate import names, nested, networks, tags
from translator.translate.names import Named
from translator.translate.owner import owner_annotations
from translator.view import View


def translate(resource: Resource, view: View) -> tuple[Desired, ...]:
    """Bootstrap objects; raises TranslationError for a subnet that is none."""
    settings = cast(SettingsRecord, resource.body)
    fabric = names.ip_fabric_policy(settings)
    forwards = settings.ip_fabric_forwarding
    return (
        *_project(settings),
        *_ipams(settings),
        networks.of_pods(settings, forwards=forwards, translates=settings.ip_fabric_snat and not forwards),
        networks.of_services(settings),
        *_policies(settings),
        tags.tag_object(settings, tags.pod_text(settings.cluster)),
        emit.node_group(settings, _node_addresses(view)),
        Link(names.NETWORK, names.IP_FABRIC, fabric.type, fabric.fq_name, fabric.uuid, attr=networks.SEQUENCE),
        *nested.underlay(settings),
        *(_pool(settings, text) for text in settings.port_translation_pools),
    )


def _project(settings: SettingsRecord) -> tuple[ContrailObject, ...]:
    """The default project, unless the settings name one that is there already."""
    project = names.default_project(settings)
    if not isinstance(project, Named):
        return ()
    return (ContrailObject(project.type, project.fq_name, project.uuid, names.DOMAIN, _marked(settings)),)


def _node_addresses(view: View) -> Iterator[str]:
    """All IP addresses of all nodes: what comes from them, or goes there, no policy of a namespace stops."""
    for node in view.list("Node"):
        for each in cast(NodeRecord, node.body).addresses:
            with suppress(ValueError):  # names of the node
                yield str(ipaddress.ip_address(each.address))


def _marked(settings: SettingsRecord, **properties: Json) -> dict[str, Json]:
    return {"annotations": owner_annotations(settings, SETTINGS, "", settings.cluster), **properties}


def _ipams(settings: SettingsRecord) -> tuple[ContrailObject, ...]:
    """An IPAM for each sort of address; that of the underlay is left out where no network can need it."""
    for name in ("pod_subnets", "service_subnets"):
        if not getattr(settings, name):
            raise TranslationError(f"settings, {name}: none given; at least one CIDR is needed")
    if settings.ip_fabric_forwarding and not settings.ip_fabric_subnets:
        raise TranslationError("settings, ip_fabric_subnets: none given; ip_fabric_forwarding needs at least one CIDR")
    wanted = (
        (names.pod_ipam(settings), settings.pod_subnets),
        (names.service_ipam(settings), settings.service_subnets),
        (names.ip_fabric_ipam(settings), settings.ip_fabric_subnets),
    )
    return tuple(_ipam(settings, ipam, subnets) for ipam, subnets in wanted if subnets)


def _ipam(settings: SettingsRecord, ipam: Named, subnets: tuple[str, ...]) -> ContrailObject:
    properties = _marked(
        settings,
        ipam_subnet_method="flat-subnet",
        ipam_subnets={"subnets": [{"subnet": _subnet(ipam, cidr)} for cidr in subnets]},
    )
    project = names.default_project(settings).uuid
    return ContrailObject(ipam.type, ipam.fq_name, ipam.uuid, names.PROJECT, properties, parent_uuid=project)


def _subnet(ipam: Named, cidr: str) -> dict[str, Json]:
    try:
        subnet = ipaddress.ip_network(cidr)
    except ValueError as error:
        raise TranslationError(f"settings, subnets of {ipam.fq_name[-1]}: {cidr!r} is no subnet: {error}") from None
    return {"ip_prefix": str(subnet.network_address), "ip_prefix_len": subnet.prefixlen}


def _pool(settings: SettingsRecord, text: str) -> Entry:
    try:
        protocol, first, last = port_pool(text)
    except ValueError as error:
        raise TranslationError(f"settings, port_translation_pools: {error}") from None
    key = f"{settings.cluster}__{protocol}__{first}-{last}"
    value = {"protocol": protocol, "port_range": {"start_port": first, "end_port": last}}
    return Entry(names.VROUTER_CONFIG, names.VROUTERS, "port_translation_pools", key, value)


def _policies(settings: SettingsRecord) -> tuple[ContrailObject, ...]:
    """Pods and services with the nodes; whoever is put under it with the services; the pods with the services."""
    fabric, service = names.ip_fabric_policy(settings), names.default_service_policy(settings)
    pod_service = names.pod_service_policy(settings, names.DEFAULT)
    services = names.default_service_network(settings).joined
    pods = names.default_pod_network(settings).joined
    rules = (
        (fabric, {"network_policy": fabric.joined}, joined(names.IP_FABRIC)),
        (service, {"network_policy": service.joined}, services),
        (pod_service, {"virtual_network": pods}, services),
    )
    project, marks = names.default_project(settings), owner_annotations(settings, SETTINGS, "", settings.cluster)
    return tuple(networks.policy(settings, named, project, source, to, marks) for named, source, to in rules)
