"""A pod's machine, its interfaces and their addresses as Contrail objects (pure).

Addresses are not chosen here, unless the pod asks for one: Contrail allocates, the applier records what it did. A MAC
that is not asked for follows from the interface's uuid.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from functools import lru_cache

import msgspec

from schemas.contrail.objects import ContrailObject, Json
from schemas.contrail.trunk import Trunk
from schemas.errors import TranslationError
from schemas.identity import mac_of, object_uuid
from schemas.records import SettingsRecord
from translator.translate import names
from translator.translate.addresses import family_of
from translator.translate.names import Known, Named
from translator.translate.owner import owner_annotations
from translator.translate.tags import Worn


class Plug(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """An interface to be: its `name` in the pod, and what its annotation `network` says of where it belongs.

    `addresses` are (family, address) with '' for any address; `mac` is '' for the one that follows from the uuid;
    `side` is 'left' or 'right' for one that serves service chains.
    """

    name: str
    label: str
    network: Known
    addresses: tuple[tuple[str, str], ...]
    mac: str = ""
    side: str = ""
    trunk: Trunk | None = None


@lru_cache(maxsize=8192)
def plug(
    name: str,
    label: str,
    network: Known,
    families: tuple[str, ...],
    asked: tuple[str, ...] = (),
    mac: str = "",
) -> Plug:
    """The interface with an address of each family, those in `asked` as they are."""
    wanted = {family_of(address): address for address in asked}
    both = sorted({*families, *wanted})
    return Plug(name, label, network, tuple((family, wanted.get(family, "")) for family in both), mac)


def require_inside(label: str, asked: Sequence[str], subnets: Sequence[str]) -> None:
    """Raise TranslationError for an address that no member of a network with these subnets can have.

    `label` names the object, the annotation and the interface.
    """
    for text in asked:
        address = ipaddress.ip_address(text)
        subnet = next((net for net in map(ipaddress.ip_network, subnets) if address in net), None)
        if subnet is None:
            raise TranslationError(f"{label} asks for address {text}; accepted is one of {', '.join(subnets)}")
        if address in (subnet[0], subnet[-1], subnet[-2], subnet[-3]):
            raise TranslationError(
                f"{label} asks for address {text}; accepted is any other of {subnet}: Contrail keeps the first and "
                "the last three for the network, its gateway, its name server and broadcasts"
            )


def hung(plugs: tuple[Plug, ...], trunk: Trunk | None) -> tuple[Plug, ...]:
    """The same interfaces as sub-interfaces of the trunk; as they are without one."""
    return plugs if trunk is None else tuple(msgspec.structs.replace(each, trunk=trunk) for each in plugs)


@lru_cache(maxsize=4096)
def of_pod(
    settings: SettingsRecord, namespace: str, name: str, uid: str, plugs: tuple[Plug, ...], worn: Worn
) -> tuple[ContrailObject, ...]:
    """The machine, then each interface with its addresses.

    What follows from the pod's identity, networks and tags; kept, because most events of its life change neither.
    """
    objects = [_machine(settings, namespace, name, uid)]
    for place, each in enumerate(plugs):
        interface = _interface(settings, namespace, name, objects[0], each, worn, f"{place}/{len(plugs)}")
        objects.append(interface)
        for family, address in each.addresses:
            objects.append(_address(settings, namespace, name, uid, interface, each, family, address))
    return tuple(objects)


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
    settings: SettingsRecord, namespace: str, name: str, machine: ContrailObject, wanted: Plug, worn: Worn, index: str
) -> ContrailObject:
    named = names.pod_interface(settings, namespace, name, machine.uuid, wanted.network, wanted.name)
    # The CNI finds its interfaces by these; the agent renders them, so no ':', '{', '}' or '"' in values. The first
    # one has no name of its own, as the original has it.
    marks = {"index": index, "network": wanted.label}
    if wanted.name != names.DEFAULT_INTERFACE:
        marks["interface"] = wanted.name
    return ContrailObject(
        named.type,
        named.fq_name,
        named.uuid,
        names.PROJECT,
        {
            "virtual_machine_interface_mac_addresses": {"mac_address": [wanted.mac or mac_of(named.uuid)]},
            "port_security_enabled": True,
            "annotations": owner_annotations(settings, "Pod", namespace, name, **marks),
            **_special(wanted),
        },
        (
            names.default_security_group(settings, namespace).reference(),
            _named(machine).reference(),
            wanted.network.reference(),
            *worn.references,
        ),
        names.project(settings, namespace).uuid,
        trunk=wanted.trunk,
    )


def _special(wanted: Plug) -> dict[str, Json]:
    """Contrail's `virtual_machine_interface_properties`, which ordinary interfaces lack."""
    special: dict[str, Json] = {"service_interface_type": wanted.side} if wanted.side else {}
    return {"virtual_machine_interface_properties": special} if special else {}


def _address(
    settings: SettingsRecord,
    namespace: str,
    name: str,
    uid: str,
    interface: ContrailObject,
    wanted: Plug,
    family: str,
    address: str,
) -> ContrailObject:
    """Contrail does not change an instance-ip's address, so one that is asked for is another object."""
    part = names.pod_part(settings, f"{wanted.name}/{family}" + (f"={address}" if address else ""))
    uuid = object_uuid(settings.cluster, names.INSTANCE_IP, names.part_key(settings, uid, part, wanted.network))
    asked = {"instance_ip_address": address} if address else {}
    return ContrailObject(
        names.INSTANCE_IP,
        (f"{name}__{uuid}",),
        uuid,
        None,
        {
            "instance_ip_family": family,
            "annotations": owner_annotations(settings, "Pod", namespace, name),
            **asked,
        },
        (wanted.network.reference(), _named(interface).reference()),
    )


def _named(target: ContrailObject) -> Named:
    return Named(target.type, target.fq_name, target.uuid)
