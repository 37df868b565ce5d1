"""What a ServiceChain is between, and how what is made for it is called (pure).

A chain whose two networks are not both there is nothing yet: neither its own objects nor what its pods add. Everybody
who must know asks here, so all of them agree.
"""

from __future__ import annotations

from typing import cast

import msgspec

from schemas.errors import TranslationError
from schemas.identity import object_uuid
from schemas.records import ChainNetwork, ChainService, ServiceChainRecord, SettingsRecord
from translator.notice import Notice
from translator.resource import Resource
from translator.translate import attachment, names
from translator.translate.membership import families_of, ingress_membership, label_of
from translator.translate.names import Foreign, Known, Named
from translator.view import View

KIND = "ServiceChain"
TEMPLATE = "service-template"
INSTANCE = "service-instance"
PORT_TUPLE = "port-tuple"
LEFT, RIGHT = "left", "right"
SIDES = (LEFT, RIGHT)
NO_NETWORK = "NoNetwork"
"""Reason of the notice of a chain that lacks an end."""


class End(msgspec.Struct, frozen=True, gc=False):
    """The network of one side, and the address families that it has."""

    network: Known
    families: tuple[str, ...]


class Ends(msgspec.Struct, frozen=True, gc=False):
    """Both sides, never the same network."""

    left: End
    right: End

    def of(self, side: str) -> End:
        """That of one of SIDES."""
        return self.left if side == LEFT else self.right


def ends_of(chain: Resource, view: View) -> Ends | Notice:
    """Both networks of the chain; if they are not there, or are one, what a user must know of it."""
    record, label = cast(ServiceChainRecord, chain.body), label_of(chain)
    left, right = _end(record.left, view), _end(record.right, view)
    if left is None or right is None:
        missing = [f"spec.{side} is {_told(each)}" for side, each, end in _both(record, left, right) if end is None]
        return Notice(NO_NETWORK, f"{label}: {' and '.join(missing)}; the chain is made once it has a network of ours")
    if left.network.fq_name == right.network.fq_name:
        return Notice(
            "SameNetwork", f"{label}: spec.left and spec.right are both network {left.network.joined}; nothing is made"
        )
    return Ends(left, right)


def instance(settings: SettingsRecord, namespace: str, chain: str, service: ChainService) -> Named:
    """The service-instance of one service.

    The mode is part of its name: schema-transformer reads the mode of an instance once, so another mode must be
    another instance.
    """
    return names.in_project(settings, namespace, INSTANCE, f"{namespace}__{chain}__{service.name}__{service.mode}")


def template(settings: SettingsRecord, namespace: str, mode: str) -> Named:
    """The service-template of a mode; chains of a namespace share it."""
    fq_name = (settings.domain, f"{settings.cluster}-{namespace}__{mode}")
    return Named(TEMPLATE, fq_name, object_uuid(settings.cluster, TEMPLATE, ":".join(fq_name)))


def policy(settings: SettingsRecord, namespace: str, chain: str) -> Named:
    """The network-policy that leads traffic through the chain."""
    return names.in_project(settings, namespace, names.POLICY, f"{namespace}__{chain}-service-chain")


def port_tuple(settings: SettingsRecord, parent: Named, pod: str, uid: str) -> Named:
    """The port-tuple of a pod that provides the service of this instance."""
    fq_name = (*parent.fq_name, f"{pod}__{uid}")
    return Named(PORT_TUPLE, fq_name, object_uuid(settings.cluster, PORT_TUPLE, ":".join(fq_name)))


def _end(end: ChainNetwork, view: View) -> End | None:
    if end.network:
        return End(Foreign(names.NETWORK, tuple(end.network.split(":"))), families_of(view.settings.pod_subnets))
    if end.namespace:
        namespace = view.get("Namespace", "", end.namespace)
        if namespace is None:
            return None
        member = ingress_membership(namespace, view)
        return End(member.network, member.families)
    definition = view.get(attachment.KIND, *end.attachment.split("/", 1))
    place = None if definition is None else _place(definition, view)
    return None if place is None else End(place.network, place.families)


def _place(definition: Resource, view: View) -> attachment.Place | None:
    """None, too, for one that nobody can read: its own translation says so."""
    try:
        return attachment.place_of(definition, view)
    except TranslationError:
        return None


def _both(
    record: ServiceChainRecord, left: End | None, right: End | None
) -> tuple[tuple[str, ChainNetwork, End | None], ...]:
    return (LEFT, record.left, left), (RIGHT, record.right, right)


def _told(end: ChainNetwork) -> str:
    """The end as the user wrote it; a network of Contrail is never missing here."""
    return f"namespace {end.namespace}" if end.namespace else f"{attachment.KIND} {end.attachment}"
