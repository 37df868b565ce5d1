"""Addresses of a service: which it has, and the objects that they are made of (pure).

A cluster address is an instance-ip of the service's own interface, with the address that Kubernetes chose; its child
floating-ips carry the port mappings and are linked to the members' interfaces. An address stays what it is: another
address, or another network, is another object.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import cast

import msgspec

from schemas.contrail.objects import ContrailObject, Json
from schemas.identity import mac_of, object_uuid
from schemas.records import ServiceRecord, SettingsRecord
from translator.resource import Resource
from translator.translate import names
from translator.translate.addresses import family_of
from translator.translate.names import Known, Named
from translator.translate.owner import owner_annotations
from translator.translate.service_ports import Ports

EXTERNAL_NAME = "ExternalName"
_DEVICE_OWNER = "K8S:LOADBALANCER"


class ClusterAddress(msgspec.Struct, frozen=True, gc=False):
    """One cluster address: its text, 'v4' or 'v6', and its instance-ip."""

    address: str
    family: str
    named: Named


def is_served(record: ServiceRecord) -> bool:
    """Whether the service has addresses that somebody must serve."""
    return record.type != EXTERNAL_NAME and not record.headless


def is_balanced(settings: SettingsRecord) -> bool:
    """Whether cluster addresses are load-balancer objects, of which svc-monitor makes the floating-ips."""
    return settings.service_load_balancer == "loadbalancer"


def cluster_addresses(settings: SettingsRecord, service: Resource, network: Known) -> tuple[ClusterAddress, ...]:
    """Addresses that the service networks have room for, in Kubernetes' order."""
    record = cast(ServiceRecord, service.body)
    if not is_served(record):
        return ()
    fitting = [address for address in record.cluster_ips if is_within(settings, address)]
    return tuple(_cluster_address(settings, service.name, service.uid, network, address) for address in fitting)


def is_within(settings: SettingsRecord, address: str) -> bool:
    """Whether a subnet of the service networks holds the address."""
    return _is_within(settings.service_subnets, address)


def interface(settings: SettingsRecord, service: Resource, network: Known) -> Named:
    """The service's interface in this network, which holds its cluster addresses; no node has it."""
    key = names.part_key(settings, service.uid, _part(settings), network)
    uuid = object_uuid(settings.cluster, names.INTERFACE, key)
    name = f"{settings.cluster}__Service__{service.name}__{service.uid}"
    return Named(names.INTERFACE, (*names.project(settings, service.namespace).fq_name, name), uuid)


def interface_object(settings: SettingsRecord, service: Resource, network: Known) -> ContrailObject:
    """That interface."""
    named, project = interface(settings, service, network), names.project(settings, service.namespace)
    properties = {
        "annotations": marks(settings, service),
        "port_security_enabled": True,
        "virtual_machine_interface_device_owner": _DEVICE_OWNER,
        "virtual_machine_interface_mac_addresses": {"mac_address": [mac_of(named.uuid)]},
    }
    group = names.default_security_group(settings, service.namespace)
    references = (group.reference(), network.reference())
    return ContrailObject(
        named.type, named.fq_name, named.uuid, names.PROJECT, properties, references, parent_uuid=project.uuid
    )


def address_object(settings: SettingsRecord, service: Resource, network: Known, at: ClusterAddress) -> ContrailObject:
    """The instance-ip of a cluster address."""
    return ContrailObject(
        at.named.type,
        at.named.fq_name,
        at.named.uuid,
        None,
        {
            "annotations": marks(settings, service),
            "instance_ip_address": at.address,
            "instance_ip_family": at.family,
        },
        (network.reference(), interface(settings, service, network).reference()),
    )


def floating_ip(settings: SettingsRecord, service: Resource, at: ClusterAddress, ports: Ports) -> ContrailObject:
    """The floating-ip for those members of a cluster address that resolve its ports alike.

    Contrail maps a port of a floating-ip to one port, so there are as many as the members differ; a member is behind
    one of them. Each lives as long as a slice has such members.
    """
    return _floating_ip(settings, service.namespace, service.name, service.uid, at, ports)


@lru_cache(maxsize=8192)
def _floating_ip(
    settings: SettingsRecord, namespace: str, service: str, uid: str, at: ClusterAddress, ports: Ports
) -> ContrailObject:
    """Kept, because the events of a slice change its members, and rarely this."""
    key = f"{at.named.uuid}/{ports.resolved}" if ports.resolved else at.named.uuid
    uuid = object_uuid(settings.cluster, names.FLOATING_IP, key)
    return ContrailObject(
        names.FLOATING_IP,
        (*at.named.fq_name, uuid),
        uuid,
        names.INSTANCE_IP,
        {
            "annotations": owner_annotations(settings, "Service", namespace, service, k8s_uuid=uid),
            "floating_ip_address": at.address,
            "floating_ip_traffic_direction": "ingress",
            **ports.properties(),
        },
        (names.project(settings, namespace).reference(),),
        parent_uuid=at.named.uuid,
    )


def marks(settings: SettingsRecord, service: Resource) -> dict[str, Json]:
    """Owner annotations of all that is the service's."""
    return owner_annotations(settings, "Service", service.namespace, service.name, k8s_uuid=service.uid)


@lru_cache(maxsize=8192)
def _cluster_address(settings: SettingsRecord, service: str, uid: str, network: Known, address: str) -> ClusterAddress:
    family = family_of(address)
    key = names.part_key(settings, uid, f"{_part(settings)}/{address}", network)
    uuid = object_uuid(settings.cluster, names.INSTANCE_IP, key)
    # One name whatever the address and the network: so the earlier one is deleted before the next is made.
    name = f"{service}__{uid}__{family}"
    return ClusterAddress(address, family, Named(names.INSTANCE_IP, (name,), uuid))


def _part(settings: SettingsRecord) -> str:
    """Part of the keys of interface and addresses: others where svc-monitor puts floating-ips below the addresses.

    So all that was there before is gone, in the order of names, before the first of it is made anew.
    """
    return "loadbalancer" if is_balanced(settings) else "service"


@lru_cache(maxsize=8192)
def _is_within(cidrs: tuple[str, ...], address: str) -> bool:
    """Kept, because each event of a slice asks for the addresses of its service."""
    found = ipaddress.ip_address(address)
    return any(found in subnet for subnet in _subnets(cidrs))


@lru_cache(maxsize=64)
def _subnets(cidrs: tuple[str, ...]) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(ipaddress.ip_network(cidr) for cidr in cidrs)
