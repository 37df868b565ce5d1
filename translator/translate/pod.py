"""Pod to its virtual-machine, interface, addresses and the link from its node's virtual-router (pure).

Addresses are not chosen here: Contrail allocates, the applier records what it did. The MAC follows from the
interface's uuid. Everything but the link exists as soon as the pod does; the link needs the node.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import cast

from schemas.contrail.objects import ContrailObject, Desired, Link
from schemas.errors import TranslationError
from schemas.events import ChangeEvent
from schemas.identity import mac_of, object_uuid
from schemas.records import NodeRecord, PodRecord, SettingsRecord
from translator.resource import Resource
from translator.translate import annotated, names
from translator.translate.membership import pod_membership
from translator.translate.names import Known, Named
from translator.translate.owner import owner_annotations
from translator.view import View

MIRROR_ANNOTATION = "kubernetes.io/config.mirror"
"""Set by the kubelet on the API's copy of a pod that it runs from a file."""
ENDED = frozenset({"Succeeded", "Failed"})
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NODE_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9.-]*[a-z0-9])?")


def translate(pod: Resource, view: View) -> tuple[Desired, ...]:
    """Objects of the pod; none while its namespace is unknown, or when it needs no interface of ours."""
    record = cast(PodRecord, pod.body)
    if not has_interface(record):
        return ()
    namespace = view.get("Namespace", "", pod.namespace)
    if namespace is None:
        return ()
    member = pod_membership(pod, namespace, view)
    objects = _objects(view.settings, pod.namespace, pod.name, pod.uid, member.network, member.families)
    link = (_link(objects[0], record.node_name, view),) if record.node_name else ()
    return (*objects, *link, *member.shared)


def require_well_formed(event: ChangeEvent) -> None:
    """Raise TranslationError for a pod that can have no machine or no link."""
    record = cast(PodRecord, event.body)
    if not has_interface(record):
        return
    if not _UUID.fullmatch(event.uid):
        raise TranslationError(
            f"Pod {event.namespace}/{event.name}: metadata.uid is {event.uid!r}; accepted is a lower-case uuid, "
            "because the virtual-machine takes it"
        )
    if record.node_name and not _NODE_NAME.fullmatch(record.node_name):
        raise TranslationError(
            f"Pod {event.namespace}/{event.name}: spec.nodeName is {record.node_name[:300]!r}; accepted is a name of "
            "at most 253 lower-case letters, digits, '-' and '.'"
        )
    held = record.annotations
    if annotated.NETWORK in held or annotated.NETWORK_CONNECT in held:
        annotated.require_network(f"Pod {event.namespace}/{event.name}", held)


def has_interface(record: PodRecord) -> bool:
    """Whether the pod has, or keeps, an interface of ours.

    Not one in the host's network, not the API's copy of a static pod (its sandbox has another uid), and no
    longer one that ended: its address is free again.
    """
    return not (record.host_network or record.phase in ENDED or is_mirror(record))


def is_mirror(record: PodRecord) -> bool:
    """Whether this is the API's copy of a static pod."""
    for owner in record.owners:
        if owner.kind == "Node":
            return True
    return MIRROR_ANNOTATION in record.annotations


@lru_cache(maxsize=4096)
def _objects(
    settings: SettingsRecord, namespace: str, name: str, uid: str, network: Known, families: tuple[str, ...]
) -> tuple[ContrailObject, ...]:
    """What follows from the pod's identity and network; kept, because most events of its life change neither."""
    machine = _machine(settings, namespace, name, uid)
    interface = _interface(settings, namespace, name, machine, network)
    addresses = []
    for family in families:
        key = names.part_key(settings, uid, f"{names.DEFAULT_INTERFACE}/{family}", network)
        addresses.append(_address(settings, namespace, name, key, interface, network, family))
    return (machine, interface, *addresses)


def _machine(settings: SettingsRecord, namespace: str, name: str, uid: str) -> ContrailObject:
    return ContrailObject(
        names.MACHINE,
        names.machine_name(settings, namespace, name),
        uid,
        None,
        {
            "server_type": "container",
            "annotations": owner_annotations(settings, "Pod", namespace, name, k8s_uuid=uid),
        },
    )


def _interface(
    settings: SettingsRecord, namespace: str, name: str, machine: ContrailObject, network: Known
) -> ContrailObject:
    named = names.pod_interface(settings, namespace, name, machine.uuid, network)
    return ContrailObject(
        named.type,
        named.fq_name,
        named.uuid,
        names.PROJECT,
        {
            "virtual_machine_interface_mac_addresses": {"mac_address": [mac_of(named.uuid)]},
            "port_security_enabled": True,
            # The CNI finds its interfaces by these two; the agent renders them, so no ':', '{', '}' or '"' in values.
            "annotations": owner_annotations(settings, "Pod", namespace, name, index="0/1", network="default"),
        },
        (
            names.default_security_group(settings, namespace).reference(),
            _named(machine).reference(),
            network.reference(),
        ),
        names.project(settings, namespace).uuid,
    )


def _address(
    settings: SettingsRecord,
    namespace: str,
    name: str,
    key: str,
    interface: ContrailObject,
    network: Known,
    family: str,
) -> ContrailObject:
    uuid = object_uuid(settings.cluster, names.INSTANCE_IP, key)
    return ContrailObject(
        names.INSTANCE_IP,
        (f"{name}__{uuid}",),
        uuid,
        None,
        {
            "instance_ip_family": family,
            "annotations": owner_annotations(settings, "Pod", namespace, name),
        },
        (network.reference(), _named(interface).reference()),
    )


def _link(machine: ContrailObject, node_name: str, view: View) -> Link:
    """The virtual-router is found by its name, else by the node's address, which is '' while the node is unknown."""
    node = view.get("Node", "", node_name)
    return Link(
        names.ROUTER,
        (names.GLOBAL_SYSTEM, node_name),
        machine.type,
        machine.fq_name,
        machine.uuid,
        owner_address="" if node is None else cast(NodeRecord, node.body).internal_address(),
    )


def _named(target: ContrailObject) -> Named:
    return Named(target.type, target.fq_name, target.uuid)
