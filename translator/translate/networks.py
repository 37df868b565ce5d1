"""Networks, and the policies that connect them, as Contrail objects (pure).

A network of ours takes addresses from a flat IPAM that all networks of its sort share, so an address is unique in the
whole cluster. What is under one policy is connected with the policy's network, and with nothing else: a rule whose
source is a policy means every network under that policy.
"""

from __future__ import annotations

from functools import lru_cache

from schemas.contrail.objects import ContrailObject, Desired, Json, Link
from schemas.identity import object_uuid
from schemas.records import SettingsRecord
from translator.resource import SETTINGS
from translator.translate import names
from translator.translate.names import Known, Named
from translator.translate.owner import owner_annotations

SEQUENCE = {"sequence": {"major": 0, "minor": 0}}
_ANY_PORT = ({"start_port": -1, "end_port": -1},)


def network(
    named: Named,
    project: Known,
    ipam: Named,
    policies: tuple[Named, ...],
    annotations: Json,
    *,
    forwards: bool = False,
    translates: bool = False,
) -> ContrailObject:
    """A network with addresses of this IPAM, under these policies.

    `forwards`: its pods are reached through the underlay, whose network it refers to; `translates`: they leave it by
    their node's address.
    """
    references = [ipam.reference({"ipam_subnets": []}), *(policy.reference(SEQUENCE) for policy in policies)]
    if forwards:
        references.append(names.Foreign(names.NETWORK, names.IP_FABRIC).reference())
    return ContrailObject(
        named.type,
        named.fq_name,
        named.uuid,
        names.PROJECT,
        {
            "annotations": annotations,
            "address_allocation_mode": "flat-subnet-only",
            "virtual_network_properties": {"forwarding_mode": "l3"},
            "fabric_snat": translates and not forwards,
        },
        tuple(references),
        project.uuid,
    )


def policy(
    settings: SettingsRecord, named: Named, project: Known, source: dict[str, str], target: str, annotations: Json
) -> ContrailObject:
    """One rule that lets everything pass both ways between `source` and the network of the joined name `target`."""
    rule = {
        "rule_uuid": object_uuid(settings.cluster, "policy-rule", f"{named.joined}/0"),
        "direction": "<>",
        "protocol": "any",
        "src_addresses": [source],
        "src_ports": list(_ANY_PORT),
        "dst_addresses": [{"virtual_network": target}],
        "dst_ports": list(_ANY_PORT),
        "action_list": {"simple_action": "pass"},
    }
    properties = {"annotations": annotations, "network_policy_entries": {"policy_rule": [rule]}}
    return ContrailObject(named.type, named.fq_name, named.uuid, names.PROJECT, properties, parent_uuid=project.uuid)


@lru_cache(maxsize=64)
def of_pods(settings: SettingsRecord, *, forwards: bool, translates: bool) -> ContrailObject:
    """The default pod network; namespace `default` may want it otherwise than the settings."""
    return network(
        names.default_pod_network(settings),
        names.default_project(settings),
        names.ip_fabric_ipam(settings) if forwards else names.pod_ipam(settings),
        (*names.node_policies(settings), names.pod_service_policy(settings, names.DEFAULT)),
        owner_annotations(settings, SETTINGS, "", settings.cluster),
        forwards=forwards,
        translates=translates,
    )


def of_services(settings: SettingsRecord) -> ContrailObject:
    """The default service network."""
    default = names.pod_service_policy(settings, names.DEFAULT)
    return network(
        names.default_service_network(settings),
        names.default_project(settings),
        names.service_ipam(settings),
        (*names.node_policies(settings), default, names.default_service_policy(settings)),
        owner_annotations(settings, SETTINGS, "", settings.cluster),
    )


@lru_cache(maxsize=1024)
def of_namespace(
    settings: SettingsRecord, namespace: str, *, forwards: bool, translates: bool
) -> tuple[ContrailObject, ...]:
    """Pod network, service network and connecting policy of an isolated namespace."""
    return _pair(
        settings,
        namespace,
        names.pod_network(settings, namespace),
        names.service_network(settings, namespace),
        names.pod_service_policy(settings, namespace),
        owner_annotations(settings, "Namespace", namespace, namespace, isolated="True"),
        forwards=forwards,
        translates=translates,
    )


@lru_cache(maxsize=4096)
def of_app(
    settings: SettingsRecord, namespace: str, app: str, *, forwards: bool, translates: bool
) -> tuple[ContrailObject, ...]:
    """Pod network, service network and connecting policy of an app; every pod and service of it emits them."""
    return _pair(
        settings,
        namespace,
        names.app_pod_network(settings, namespace, app),
        names.app_service_network(settings, namespace, app),
        names.app_policy(settings, namespace, app),
        owner_annotations(settings, "Namespace", namespace, namespace, app=app),
        forwards=forwards,
        translates=translates,
    )


@lru_cache(maxsize=1024)
def connection(settings: SettingsRecord, owner: Known, own_services: Named | None = None) -> tuple[Desired, ...]:
    """Links that put a network which is not ours under the policies to the nodes and the default services.

    `own_services` is the policy to one more service network, a namespace's; the others any namespace may ask for.
    """
    policies = [(each, True) for each in (*names.node_policies(settings), names.default_service_policy(settings))]
    policies += [(own_services, False)] if own_services is not None else []
    return tuple(
        Link(owner.type, owner.fq_name, each.type, each.fq_name, each.uuid, attr=SEQUENCE, shared=shared)
        for each, shared in policies
    )


def _pair(
    settings: SettingsRecord,
    namespace: str,
    pods: Named,
    services: Named,
    between: Named,
    annotations: Json,
    *,
    forwards: bool,
    translates: bool,
) -> tuple[ContrailObject, ...]:
    """A pod network and its service network, with the nodes and, for the pods, with the default services.

    Neither is connected with another pod network: nobody reaches in.
    """
    project = names.project(settings, namespace)
    nodes, default_services = names.node_policies(settings), names.default_service_policy(settings)
    addresses = names.ip_fabric_ipam(settings) if forwards else names.pod_ipam(settings)
    return (
        network(
            pods,
            project,
            addresses,
            (between, *nodes, default_services),
            annotations,
            forwards=forwards,
            translates=translates,
        ),
        network(services, project, names.service_ipam(settings), (between, *nodes), annotations),
        policy(settings, between, project, {"network_policy": between.joined}, services.joined, annotations),
    )
