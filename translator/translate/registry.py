"""Which translation a kind has, and the check that every object passes before it is stored (pure)."""

from __future__ import annotations

from collections.abc import Callable

from schemas.contrail.objects import ContrailObject, Desired, Link
from schemas.contrail.rules import check, check_entry, check_link
from schemas.events import ChangeEvent
from translator.notice import Outcome
from translator.policy import admin, well_formed
from translator.resource import Resource
from translator.translate import (
    attachment,
    endpoint_slice,
    ingress,
    namespace,
    nested,
    node,
    pod,
    service,
    service_chain,
    settings,
)
from translator.view import View

Translate = Callable[[Resource, View], tuple[Outcome, ...]]

TRANSLATIONS: dict[str, Translate] = {
    "Settings": settings.translate,
    "Namespace": namespace.translate,
    "Node": node.translate,
    "Pod": pod.translate,
    "Service": service.translate,
    "EndpointSlice": endpoint_slice.translate,
    attachment.KIND: attachment.translate,
    "ServiceChain": service_chain.translate,
    ingress.KIND: ingress.translate,
}


WELL_FORMED: dict[str, Callable[[ChangeEvent], None]] = {
    "Namespace": namespace.require_well_formed,
    "Node": nested.require_well_formed_node,
    "Pod": pod.require_well_formed,
    "Service": service.require_well_formed,
    attachment.KIND: attachment.require_well_formed,
    "ServiceChain": service_chain.require_well_formed,
    ingress.KIND: ingress.require_well_formed,
    "NetworkPolicy": well_formed.require_well_formed,
    admin.ADMIN: admin.require_well_formed,
}
"""What a kind demands of a body before it may replace what is known of its object."""


def require_well_formed(event: ChangeEvent) -> None:
    """Raise TranslationError for a body that can never be translated, whatever else is known.

    Such a body is put aside before the fold, so that its object keeps the state that it had: that does not
    depend on which records happened to share a transaction.
    """
    demand = WELL_FORMED.get(event.kind)
    if demand is not None and event.body is not None:
        demand(event)


def translate(resource: Resource, view: View) -> tuple[Outcome, ...]:
    """Objects and links that the resource asks for, and notices, in the translation's order.

    Raises TranslationError for what cannot be translated, NotLoaded when the view must load first.
    """
    translation = TRANSLATIONS.get(resource.kind)
    return () if translation is None else translation(resource, view)


def require_valid(desired: Desired) -> None:
    """Raise ModelError for what Contrail would not take; every body passes here before it is stored."""
    if isinstance(desired, ContrailObject):
        check(desired)
    elif isinstance(desired, Link):
        check_link(desired)
    else:
        check_entry(desired)
