"""Namespace to its project, its security group, and what isolation and its way out ask for (pure).

The project and the pod network of namespace `default` are also wanted by the settings: then this one counts
(translator/merge.py).
"""

from __future__ import annotations

from typing import cast

from schemas.contrail.objects import ContrailObject, FqName, Json
from schemas.errors import TranslationError
from schemas.events import ChangeEvent
from schemas.identity import mac_of, object_uuid
from schemas.records import NamespaceRecord, SettingsRecord
from translator.notice import Notice, Outcome
from translator.policy import compile as policy
from translator.resource import Resource
from translator.translate import annotated, names, networks, tags
from translator.translate.membership import forwarding, is_isolated, label_of, lacks_addresses
from translator.translate.names import Foreign, Named
from translator.translate.owner import owner_annotations
from translator.view import View

NOT_FORWARDED = "ForwardingNotServed"
_LOCAL: Json = {"security_group": "local"}
_ANY_ADDRESS: tuple[tuple[str, Json], ...] = (
    ("IPv4", {"subnet": {"ip_prefix": "0.0.0.0", "ip_prefix_len": 0}}),
    ("IPv6", {"subnet": {"ip_prefix": "::", "ip_prefix_len": 0}}),
)
_ANY_PORT = {"start_port": 0, "end_port": 65535}
_GATEWAY = {"logical_router_virtual_network_type": "ExternalGateway"}
_ROUTER_PORT = "network:router_interface"


def translate(namespace: Resource, view: View) -> tuple[Outcome, ...]:
    """Project, default security group, tags, an isolated namespace's networks, its router, its policies' rules."""
    held = cast(NamespaceRecord, namespace.body).annotations
    external = annotated.network(label_of(namespace), held, annotated.EXTERNAL_NETWORK)
    rules = policy.translate(namespace, view)  # first, so that what it reads is known even where the rest fails
    return (
        *_project(view.settings, namespace),
        _security_group(view.settings, namespace.name),
        *_tags(view.settings, namespace),
        *_networks(view.settings, namespace),
        *(() if external is None else _router(view.settings, namespace.name, external)),
        *rules,
        *_unserved(namespace, view.settings),
    )


def require_well_formed(event: ChangeEvent) -> None:
    """Raise TranslationError for an annotation that cannot be read, or has nothing to work on."""
    held, label = cast(NamespaceRecord, event.body).annotations, f"Namespace {event.name}"
    isolated = annotated.flag(label, held, annotated.ISOLATION)
    for key in (annotated.SNAT, annotated.FORWARDING):
        annotated.flag(label, held, key)
    annotated.require_network(label, held)
    annotated.pool(label, held)
    external = annotated.network(label, held, annotated.EXTERNAL_NETWORK)
    if external is not None and not isolated and event.name != names.DEFAULT:
        raise TranslationError(
            f"{label}: annotation {annotated.EXTERNAL_NETWORK} needs a pod network of the namespace's own; accepted "
            f"is it beside {annotated.ISOLATION}: 'true', or on namespace {names.DEFAULT}"
        )


def _unserved(namespace: Resource, settings: SettingsRecord) -> tuple[Notice, ...]:
    """No error, or the policies of a namespace and all of its new pods would wait for another annotation."""
    if not lacks_addresses(namespace, settings):
        return ()
    said = f"annotation {annotated.FORWARDING} is 'true'; accepted is 'false': the settings name no ip_fabric_subnets"
    return (Notice(NOT_FORWARDED, said),)


def _project(settings: SettingsRecord, namespace: Resource) -> tuple[ContrailObject, ...]:
    """The namespace's project, unless all share one that is there already."""
    project, name = names.project(settings, namespace.name), namespace.name
    if not isinstance(project, Named):
        return ()
    marks = owner_annotations(settings, "Namespace", name, name, k8s_uuid=namespace.uid)
    properties: dict[str, Json] = {"annotations": marks}
    worn = tags.of_namespace(settings, cast(NamespaceRecord, namespace.body).labels).references
    return (ContrailObject(project.type, project.fq_name, project.uuid, names.DOMAIN, properties, worn),)


def _tags(settings: SettingsRecord, namespace: Resource) -> tuple[ContrailObject, ...]:
    """Tags that the namespace's pods refer to, and those of its labels, which the project has for all of them."""
    cluster, name = settings.cluster, namespace.name
    return (
        tags.tag_object(settings, f"{cluster}.{name}", tags.APPLICATION),
        tags.tag_object(settings, tags.namespace_text(cluster, name)),
        *tags.of_namespace(settings, cast(NamespaceRecord, namespace.body).labels).objects,
    )


def _security_group(settings: SettingsRecord, name: str) -> ContrailObject:
    group = names.default_security_group(settings, name)
    return ContrailObject(
        group.type,
        group.fq_name,
        group.uuid,
        names.PROJECT,
        {
            "annotations": owner_annotations(settings, "Namespace", name, name),
            "security_group_entries": {"policy_rule": _allow_all(settings, group.joined)},
        },
        parent_uuid=names.project(settings, name).uuid,
    )


def _networks(settings: SettingsRecord, namespace: Resource) -> tuple[ContrailObject, ...]:
    """Networks of an isolated namespace; for `default` the cluster's, where its annotations say anything of it."""
    if namespace.name == names.DEFAULT:
        held = cast(NamespaceRecord, namespace.body).annotations
        if held.keys().isdisjoint((annotated.SNAT, annotated.FORWARDING)):
            return ()
        forwards, translates = forwarding(namespace, settings)
        return (networks.of_pods(settings, forwards=forwards, translates=translates),)
    if not is_isolated(namespace):
        return ()
    forwards, translates = forwarding(namespace, settings)
    return networks.of_namespace(settings, namespace.name, forwards=forwards, translates=translates)


def _router(settings: SettingsRecord, namespace: str, external: FqName) -> tuple[ContrailObject, ContrailObject]:
    """A router that lets the pod network out through the external one, and its interface in the pod network."""
    router, interface = names.logical_router(settings, namespace), names.router_interface(settings, namespace)
    project, marks = names.project(settings, namespace), owner_annotations(settings, "Namespace", namespace, namespace)
    port = ContrailObject(
        interface.type,
        interface.fq_name,
        interface.uuid,
        names.PROJECT,
        {
            "annotations": marks,
            "virtual_machine_interface_device_owner": _ROUTER_PORT,
            "virtual_machine_interface_mac_addresses": {"mac_address": [mac_of(interface.uuid)]},
        },
        (names.pod_network(settings, namespace).reference(),),
        project.uuid,
    )
    references = (interface.reference(), Foreign(names.NETWORK, external).reference(_GATEWAY))
    properties = {"annotations": marks, "logical_router_type": "snat-routing"}
    gateway = ContrailObject(
        router.type, router.fq_name, router.uuid, names.PROJECT, properties, references, project.uuid
    )
    return port, gateway


def _allow_all(settings: SettingsRecord, group: str) -> list[dict[str, Json]]:
    """Everything in, everything out: NetworkPolicies restrict, security groups do not."""
    ways = [(family, any_address, _LOCAL) for family, any_address in _ANY_ADDRESS]
    ways += [(family, _LOCAL, any_address) for family, any_address in _ANY_ADDRESS]
    return [
        {
            "rule_uuid": object_uuid(settings.cluster, "policy-rule", f"{group}/{index}"),
            "direction": ">",
            "protocol": "any",
            "ethertype": family,
            "src_addresses": [source],
            "src_ports": [_ANY_PORT],
            "dst_addresses": [target],
            "dst_ports": [_ANY_PORT],
        }
        for index, (family, source, target) in enumerate(ways)
    ]
