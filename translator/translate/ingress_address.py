"""Addresses of an ingress: its own in the network of its namespace's pods, and perhaps a public one (pure).

svc-monitor gives both to the interfaces of the proxies that it starts: it adds these to the references of the
addresses. Ours are Links therefore, so that no write takes the others away.
"""

from __future__ import annotations

from typing import cast

from schemas.contrail.objects import ContrailObject, Link
from schemas.errors import TranslationError
from schemas.identity import mac_of, object_uuid
from schemas.records import IngressRecord
from translator.notice import Notice, Outcome
from translator.resource import Resource
from translator.translate import addresses, load_balancer, names
from translator.translate.load_balancer import Balancer
from translator.translate.membership import Membership, public_pool
from translator.translate.names import Named
from translator.view import View

ADDRESS = "externalIP"
"""Annotation that asks for a public address."""
NO_PUBLIC_ADDRESS = "NoPublicAddress"
ANYWHERE = {"v4": "0.0.0.0", "v6": "::"}
"""Where the proxies listen, by family: the address is Contrail's to choose, and their namespace has no other."""


def family_of(member: Membership) -> str:
    """Family of the ingress's address: proxies take one alone, and IPv4 where there is a choice."""
    return member.families[0]


def asked(label: str, record: IngressRecord) -> str:
    """The public address that the ingress asks for, '' if none; raises TranslationError."""
    text = record.annotations.get(ADDRESS, "").strip()
    if not text:
        return ""
    address = addresses.address_of(text)
    if address is None:
        raise TranslationError(
            f"{label}: annotation {ADDRESS} is {text[:300]!r}; accepted is an IPv4 or IPv6 address of its pool"
        )
    return str(address)


def interface(ingress: Resource, of: Balancer, member: Membership, view: View) -> ContrailObject:
    """The ingress's interface, from which its proxies take security group and tags; no node has it."""
    named = _interface(ingress, of, member, view)
    properties = {
        "annotations": of.marks,
        "port_security_enabled": True,
        "virtual_machine_interface_device_owner": load_balancer.DEVICE_OWNER,
        "virtual_machine_interface_mac_addresses": {"mac_address": [mac_of(named.uuid)]},
    }
    group = names.default_security_group(view.settings, ingress.namespace)
    references = (group.reference(), member.network.reference())
    return ContrailObject(
        named.type, named.fq_name, named.uuid, names.PROJECT, properties, references, parent_uuid=of.project.uuid
    )


def private(ingress: Resource, of: Balancer, member: Membership, view: View) -> tuple[Outcome, ...]:
    """The address of Contrail's choice in the ingress's network, on its interface."""
    family = family_of(member)
    key = names.part_key(view.settings, ingress.uid, f"ingress/{family}", member.network)
    uuid = object_uuid(view.settings.cluster, names.INSTANCE_IP, key)
    fq_name = (f"{ingress.name}__{ingress.uid}__{family}",)
    properties = {"annotations": of.marks, "instance_ip_family": family}
    references = (member.network.reference(),)
    address = ContrailObject(names.INSTANCE_IP, fq_name, uuid, None, properties, references)
    return address, _on(address, _interface(ingress, of, member, view))


def public(ingress: Resource, namespace: Resource, of: Balancer, member: Membership, view: View) -> tuple[Outcome, ...]:
    """The address that is asked for, else one of Contrail's choice; none without a pool for it."""
    wanted, family = asked(f"Ingress {ingress.namespace}/{ingress.name}", _record(ingress)), family_of(member)
    pool = public_pool(ingress, namespace, view)
    if wanted and pool is None:
        return (_unserved(f"annotation {ADDRESS} asks for {wanted}, but no floating-ip pool is named"),)
    if wanted and addresses.family_of(wanted) != family:
        return (_unserved(f"annotation {ADDRESS} asks for {wanted}, but the proxies have an IP{family} address only"),)
    if pool is None or (not wanted and family != "v4"):
        return ()
    uuid = object_uuid(
        view.settings.cluster, names.FLOATING_IP, f"{ingress.uid}/public/{':'.join(pool)}/{wanted or 'any'}"
    )
    properties = {"annotations": of.marks, **({"floating_ip_address": wanted} if wanted else {})}
    floating = ContrailObject(
        names.FLOATING_IP,
        (*pool, f"{ingress.name}__{uuid}"),
        uuid,
        names.POOL,
        properties,
        (of.project.reference(),),
    )
    return floating, _on(floating, _interface(ingress, of, member, view))


def _interface(ingress: Resource, of: Balancer, member: Membership, view: View) -> Named:
    key = names.part_key(view.settings, ingress.uid, "ingress", member.network)
    name = f"{view.settings.cluster}__Ingress__{ingress.name}__{ingress.uid}"
    uuid = object_uuid(view.settings.cluster, names.INTERFACE, key)
    return Named(names.INTERFACE, (*of.project.fq_name, name), uuid)


def _on(address: ContrailObject, named: Named) -> Link:
    return Link(address.type, address.fq_name, named.type, named.fq_name, named.uuid, owner_uuid=address.uuid)


def _record(ingress: Resource) -> IngressRecord:
    return cast(IngressRecord, ingress.body)


def _unserved(why: str) -> Notice:
    return Notice(NO_PUBLIC_ADDRESS, f"{why}; the ingress has its own address alone")
