"""Which properties hold entries of several owners, and how their entries are told apart (pure).

A property that the API calls a collection changes entry by entry, with prop-collection-update. Another one is written
as a whole: whoever changes an entry of it must say all the others again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from schemas.contrail.shapes import Many, Property, Struct
from schemas.contrail.types import suggestion, type_of
from schemas.errors import ModelError


@dataclass(frozen=True, slots=True)
class EntryRule:
    """Entries of one property.

    `items` is the field of the property that holds them, `element` the shape of each. `key` is the field that tells
    them apart; '' where their position does, which is a text of whoever adds one. `distinct` are fields in which no
    two entries may be equal, whatever their keys: nodes then follow the first one only.
    """

    items: str
    element: Struct
    key: str = ""
    distinct: tuple[str, ...] = ()
    is_collection: bool = True


_WHOLE: Mapping[tuple[str, str], tuple[str, str, tuple[str, ...]]] = MappingProxyType(
    {
        # Nodes look link-local services up by address and port alone: there is no protocol, and no network.
        ("global-vrouter-config", "linklocal_services"): (
            "linklocal_service_entry",
            "linklocal_service_name",
            ("linklocal_service_ip", "linklocal_service_port"),
        ),
    }
)
"""Properties that are no collection for the API: items, key, distinct fields."""


LINK_LOCAL = ("global-vrouter-config", "linklocal_services")
"""Where link-local services are."""


def service_key(cluster: str, namespace: str, service: str, port: int) -> str:
    """Key of a service's link-local entry; Kubernetes' names hold no '__', so two of them never meet."""
    return f"{cluster}__{namespace}__{service}__{port}"


def service_of_key(cluster: str, key: str) -> tuple[str, str] | None:
    """Namespace and name of the service that a key of this cluster was made for; None for any other key."""
    namespace, _, rest = key.removeprefix(f"{cluster}__").partition("__")
    service, _, port = rest.partition("__")
    if not (key.startswith(f"{cluster}__") and namespace and service and port.isdecimal()):
        return None
    return namespace, service


@cache
def entry_rule(type_: str, name: str) -> EntryRule:
    """How the entries of this property are told apart; ModelError if it has none."""
    known = type_of(type_)
    rule = known.properties.get(name)
    if rule is None:
        raise ModelError(f"{known.name} has no property {name!r}{suggestion(name, known.properties)}")
    if rule.element is not None:
        return EntryRule(rule.items, rule.element, rule.key)
    if (type_, name) not in _WHOLE:
        raise ModelError(f"{known.name} has no entries in {name!r}, which can be written as a whole only")
    items, key, distinct = _WHOLE[type_, name]
    return EntryRule(items, _element(rule, items), key, distinct, is_collection=False)


def _element(rule: Property, items: str) -> Struct:
    assert isinstance(rule.shape, Struct)
    held = rule.shape.fields[items]
    assert isinstance(held, Many) and isinstance(held.of, Struct)
    return held.of
