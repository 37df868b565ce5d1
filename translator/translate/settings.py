"""The cluster's settings as Contrail objects: what every pod and service stands on (pure).

One default project; three IPAMs with flat subnets, which the networks share; the pod and the service network;
three network-policies that connect pods with services and both with the underlay; one Link that puts the
underlay's network under its policy. Contrail makes the underlay's network itself: we only add our reference.
"""

from __future__ import annotations

import ipaddress
from typing import cast

from schemas.contrail.objects import ContrailObject, Desired, Json, Link, joined
from schemas.errors import TranslationError
from schemas.identity import object_uuid
from schemas.records import SettingsRecord
from translator.resource import SETTINGS, Resource
from translator.translate import names
from translator.translate.names import Named
from translator.translate.owner import owner_annotations
from translator.view import View

_SEQUENCE = {"sequence": {"major": 0, "minor": 0}}
_ANY_PORT = ({"start_port": -1, "end_port": -1},)


def translate(resource: Resource, view: View) -> tuple[Desired, ...]:
    """Bootstrap objects; raises TranslationError for a subnet that is none."""
    settings = cast(SettingsRecord, resource.body)
    fabric, service, pod_service = _policies(settings)
    return (
        _object(settings, names.default_project(settings), names.DOMAIN),
        *_ipams(settings),
        *_networks(settings, fabric, service, pod_service),
        _policy(settings, fabric, {"network_policy": fabric.joined}, joined(names.IP_FABRIC)),
        _policy(
            settings,
            service,
            {"network_policy": service.joined},
            names.default_service_network(settings).joined,
        ),
        _policy(
            settings,
            pod_service,
            {"virtual_network": names.default_pod_network(settings).joined},
            names.default_service_network(settings).joined,
        ),
        Link(names.NETWORK, names.IP_FABRIC, fabric.type, fabric.fq_name, fabric.uuid, attr=_SEQUENCE),
    )


def _policies(settings: SettingsRecord) -> tuple[Named, Named, Named]:
    def policy(suffix: str) -> Named:
        return names.in_default_project(settings, names.POLICY, suffix)

    return policy("default-ip-fabric-np"), policy("default-service-np"), policy("default-pod-service-np")


def _object(settings: SettingsRecord, named: Named, parent_type: str, **properties: Json) -> ContrailObject:
    """An object of the default project, or (parent type domain) that project itself."""
    owned = parent_type == names.PROJECT
    return ContrailObject(
        named.type,
        named.fq_name,
        named.uuid,
        parent_type,
        {"annotations": owner_annotations(settings, SETTINGS, "", settings.cluster), **properties},
        parent_uuid=names.default_project(settings).uuid if owned else None,
    )


def _ipams(settings: SettingsRecord) -> tuple[ContrailObject, ...]:
    wanted = (
        ("pod-ipam", settings.pod_subnets),
        ("service-ipam", settings.service_subnets),
        ("ip-fabric-ipam", settings.ip_fabric_subnets),
    )
    return tuple(_ipam(settings, suffix, subnets) for suffix, subnets in wanted if subnets)


def _ipam(settings: SettingsRecord, suffix: str, subnets: tuple[str, ...]) -> ContrailObject:
    return _object(
        settings,
        names.in_default_project(settings, names.IPAM, suffix),
        names.PROJECT,
        ipam_subnet_method="flat-subnet",
        ipam_subnets={"subnets": [{"subnet": _subnet(suffix, cidr)} for cidr in subnets]},
    )


def _subnet(ipam: str, cidr: str) -> dict[str, Json]:
    try:
        subnet = ipaddress.ip_network(cidr)
    except ValueError as error:
        raise TranslationError(f"settings, subnets of {ipam}: {cidr!r} is no subnet: {error}") from None
    return {"ip_prefix": str(subnet.network_address), "ip_prefix_len": subnet.prefixlen}


def _networks(
    settings: SettingsRecord, fabric: Named, service: Named, pod_service: Named
) -> tuple[ContrailObject, ContrailObject]:
    pod_network, service_network = names.default_pod_network(settings), names.default_service_network(settings)
    return (
        _network(settings, pod_network, "pod-ipam", settings.pod_subnets, (fabric, pod_service)),
        _network(settings, service_network, "service-ipam", settings.service_subnets, (fabric, pod_service, service)),
    )


def _network(
    settings: SettingsRecord, network: Named, ipam: str, subnets: tuple[str, ...], policies: tuple[Named, ...]
) -> ContrailObject:
    if not subnets:
        raise TranslationError(f"settings, subnets of {ipam}: none given; at least one CIDR is needed")
    plain = _object(
        settings,
        network,
        names.PROJECT,
        address_allocation_mode="flat-subnet-only",
        virtual_network_properties={"forwarding_mode": "l3"},
        fabric_snat=False,
    )
    return ContrailObject(
        plain.type,
        plain.fq_name,
        plain.uuid,
        plain.parent_type,
        plain.properties,
        (
            names.in_default_project(settings, names.IPAM, ipam).reference({"ipam_subnets": []}),
            *(policy.reference(_SEQUENCE) for policy in policies),
        ),
        plain.parent_uuid,
    )


def _policy(settings: SettingsRecord, policy: Named, source: dict[str, str], network: str) -> ContrailObject:
    """One rule that lets everything pass both ways; a source that is a policy means every network under it."""
    rule = {
        "rule_uuid": object_uuid(settings.cluster, "policy-rule", f"{policy.joined}/0"),
        "direction": "<>",
        "protocol": "any",
        "src_addresses": [source],
        "src_ports": list(_ANY_PORT),
        "dst_addresses": [{"virtual_network": network}],
        "dst_ports": list(_ANY_PORT),
        "action_list": {"simple_action": "pass"},
    }
    return _object(settings, policy, names.PROJECT, network_policy_entries={"policy_rule": [rule]})
