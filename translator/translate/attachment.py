"""NetworkAttachmentDefinition to the network and IPAM that it asks for, and which network it stands for (pure).

Only those of our CNI plugin count. One names a network that is there already, or lists the subnets of one of its own,
which lives while the attachment does. No policy connects that network with another.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import cast

import msgspec

from schemas.contrail.objects import ContrailObject, Desired, Json
from schemas.errors import TranslationError
from schemas.events import ChangeEvent
from schemas.identity import object_uuid
from schemas.records import NetworkAttachmentDefinitionRecord, SettingsRecord
from translator.resource import Resource
from translator.translate import annotated, names
from translator.translate.membership import families_of, label_of
from translator.translate.names import Foreign, Known, Named
from translator.translate.owner import owner_annotations
from translator.view import View

KIND = "NetworkAttachmentDefinition"
PLUGIN = "contrail-k8s-cni"
"""`type` of our CNI plugin's configuration."""
CIDR = "opencontrail.org/cidr"
MOST = 64
"""Subnets of one attachment."""
_LONGEST = {4: 29, 6: 125}
"""Longest prefix of a subnet that has addresses left beside those that Contrail keeps for itself."""


class Place(msgspec.Struct, frozen=True, gc=False):
    """The network that an attachment stands for; of one that is not ours the `subnets` are not known."""

    network: Known
    families: tuple[str, ...]
    subnets: tuple[str, ...] = ()


def translate(attachment: Resource, view: View) -> tuple[Desired, ...]:
    """IPAM and network of an attachment with subnets; none while its namespace is unknown."""
    place = place_of(attachment, view)
    if place is None or not isinstance(place.network, Named):
        return ()
    held, label = cast(NetworkAttachmentDefinitionRecord, attachment.body).annotations, label_of(attachment)
    forwards = bool(annotated.flag(label, held, annotated.FORWARDING))
    translates = bool(annotated.flag(label, held, annotated.SNAT)) and not forwards
    return _objects(
        view.settings, attachment.namespace, attachment.name, place.network, place.subnets, forwards, translates
    )


def place_of(attachment: Resource, view: View) -> Place | None:
    """Where its interfaces belong; None for those of other plugins, and while there is nowhere to put the network."""
    record, label = cast(NetworkAttachmentDefinitionRecord, attachment.body), label_of(attachment)
    if not is_ours(label, record):
        return None
    if (name := annotated.network(label, record.annotations)) is not None:
        families = annotated.families(label, record.annotations) or families_of(view.settings.pod_subnets)
        return Place(Foreign(names.NETWORK, name), families)
    if view.get("Namespace", "", attachment.namespace) is None:
        return None
    cidrs = subnets(label, record)
    network = names.attachment_network(view.settings, attachment.namespace, attachment.name)
    return Place(network, families_of(cidrs), cidrs)


def require_well_formed(event: ChangeEvent) -> None:
    """Raise TranslationError for an attachment of ours whose network cannot be told."""
    record, label = cast(NetworkAttachmentDefinitionRecord, event.body), f"{KIND} {event.namespace}/{event.name}"
    if not is_ours(label, record):
        return
    held = record.annotations
    if (annotated.NETWORK in held) == (CIDR in held):
        raise TranslationError(
            f"{label}: annotations {annotated.NETWORK} and {CIDR}: accepted is exactly one of them, the network that "
            "is there already or the subnets of its own"
        )
    annotated.network(label, held)
    annotated.families(label, held)
    for key in (annotated.FORWARDING, annotated.SNAT):
        annotated.flag(label, held, key)
    if CIDR in held:
        subnets(label, record)


def is_ours(label: str, record: NetworkAttachmentDefinitionRecord) -> bool:
    """Whether our plugin serves it: alone, or as one of a chain.

    A configuration that is no JSON is nobody's, and a TranslationError where annotations say that it is ours.
    """
    try:
        config = msgspec.json.decode(record.config or "{}")
    except (msgspec.DecodeError, RecursionError):
        config = None
    if isinstance(config, dict):
        chain = config.get("plugins")
        return any(isinstance(x, dict) and x.get("type") == PLUGIN for x in (config, *_listed(chain)))
    if annotated.NETWORK in record.annotations or CIDR in record.annotations:
        raise TranslationError(
            f'{label}: spec.config is {record.config[:300]!r}; accepted is a JSON object with "type": {PLUGIN!r}'
        )
    return False


def subnets(label: str, record: NetworkAttachmentDefinitionRecord) -> tuple[str, ...]:
    """Subnets of its own network: one, a comma list, or a JSON list; raises TranslationError."""
    text = record.annotations.get(CIDR, "")
    found = _subnets(text)
    if found is None:
        accepted = (
            f"1 to {MOST} subnets that do not overlap, none longer than /29 or /125, as 10.1.0.0/16 or "
            '["10.1.0.0/16", "fd01::/64"]'
        )
        raise annotated.unaccepted(label, CIDR, text, accepted)
    return found


@lru_cache(maxsize=1024)
def _subnets(text: str) -> tuple[str, ...] | None:
    read = annotated.parsed(text)
    parts = read if isinstance(read, list) else [read] if isinstance(read, str) else text.split(",")
    if not 1 <= len(parts) <= MOST or not all(isinstance(part, str) and "/" in part for part in parts):
        return None
    if any("%" in part for part in parts):  # a zone, which may be any text and belongs to no network
        return None
    try:
        found = [ipaddress.ip_network(part.strip()) for part in parts]
    except ValueError:
        return None
    if any(each.prefixlen > _LONGEST[each.version] or not _is_usable(each) for each in found):
        return None
    for place, one in enumerate(found):
        if any(other.version == one.version and other.overlaps(one) for other in found[:place]):
            return None
    return tuple(str(each) for each in found)


def _is_usable(subnet: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    return subnet.prefixlen > 0 and not (subnet.is_multicast or subnet.is_loopback or subnet.is_link_local)


def _listed(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


@lru_cache(maxsize=1024)
def _objects(
    settings: SettingsRecord,
    namespace: str,
    name: str,
    network: Named,
    cidrs: tuple[str, ...],
    forwards: bool,
    translates: bool,
) -> tuple[ContrailObject, ContrailObject]:
    ipam, project = names.attachment_ipam(settings, namespace, name), names.project(settings, namespace)
    marks = owner_annotations(settings, KIND, namespace, name)
    entries: list[Json] = [_subnet(settings, network, cidr) for cidr in cidrs]
    references = [ipam.reference({"ipam_subnets": entries})]
    if forwards:
        references.append(Foreign(names.NETWORK, names.IP_FABRIC).reference())
    properties = {
        "annotations": marks,
        "address_allocation_mode": "user-defined-subnet-only",
        "virtual_network_properties": {"forwarding_mode": "l2_l3"},
        "fabric_snat": translates,
    }
    return (
        ContrailObject(
            ipam.type,
            ipam.fq_name,
            ipam.uuid,
            names.PROJECT,
            {"annotations": marks, "ipam_subnet_method": "user-defined-subnet"},
            parent_uuid=project.uuid,
        ),
        ContrailObject(
            network.type,
            network.fq_name,
            network.uuid,
            names.PROJECT,
            properties,
            tuple(references),
            project.uuid,
        ),
    )


def _subnet(settings: SettingsRecord, network: Named, cidr: str) -> dict[str, Json]:
    """With its gateway and uuid, which Contrail would choose anew whenever the list changes."""
    subnet = ipaddress.ip_network(cidr)
    return {
        "subnet": {"ip_prefix": str(subnet.network_address), "ip_prefix_len": subnet.prefixlen},
        "default_gateway": str(subnet[-2]),
        "subnet_uuid": object_uuid(settings.cluster, "subnet", f"{network.joined}/{cidr}"),
    }
