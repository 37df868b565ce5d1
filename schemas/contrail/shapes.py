"""What a Contrail type is made of, as values: shapes of properties, references, parents (pure).

The tables that use these are in `families/`, one module per family; `types.py` puts them together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

CONFIG_ROOT = "config-root"
"""Parent of objects that have none; it is never named in a request."""


class Kind(StrEnum):
    """JSON kind of a scalar."""

    TEXT = "string"
    NUMBER = "integer"
    FLAG = "boolean"
    SERVICE_INTERFACE = "service-interface"
    """A string: management, left, right or other<n>."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """One JSON scalar; `choices` and [`low`, `high`] limit it where given."""

    kind: Kind
    choices: tuple[str, ...] = ()
    low: int | None = None
    high: int | None = None


@dataclass(frozen=True, slots=True)
class Struct:
    """A JSON object with these fields and no others; `name` is Contrail's, as its error texts have it."""

    name: str
    fields: Mapping[str, Shape]


@dataclass(frozen=True, slots=True)
class Many:
    """A JSON list of one shape."""

    of: Scalar | Struct


Shape = Scalar | Struct | Many


@dataclass(frozen=True, slots=True)
class Property:
    """One property of a type.

    `items` names the field of the structure that holds the elements of a collection, '' if it is none; such
    a property can be changed element by element with prop-collection-update, a map by the element's `key`
    field, a list by position. `filled` says that the server sets it when we do not: then it is compared only
    where we set it, and never cleared. `fixed` says that it cannot change after creation.
    """

    name: str
    shape: Scalar | Struct
    items: str = ""
    key: str = ""
    filled: bool = False
    fixed: bool = False
    mandatory: bool = False

    @property
    def element(self) -> Struct | None:
        """Shape of one element of a collection of structures."""
        held = self.shape.fields[self.items] if self.items and isinstance(self.shape, Struct) else None
        return held.of if isinstance(held, Many) and isinstance(held.of, Struct) else None


@dataclass(frozen=True, slots=True)
class ReferenceRule:
    """That a type may refer to objects of `target`; with an attribute of shape `attr` if that is given.

    `filled`: the server, or Links of ours, make these references: no PUT takes them away. `holds`: the target cannot
    be deleted while it is referred to.
    """

    target: str
    attr: Struct | None = None
    filled: bool = False
    mandatory: bool = False
    holds: bool = True

    @property
    def field(self) -> str:
        """Name of the field in bodies: 'virtual_network_refs', 'virtual_DNS_refs'."""
        return reference_field(self.target)


@dataclass(frozen=True, slots=True)
class ObjectType:
    """One Contrail type: `name` is dashed, `parents` in the order in which the API lists them.

    `properties` and `references` are by field name; those that every type has are among them.
    `holds_parent`: the parent cannot be deleted while such a child is there.
    """

    name: str
    parents: tuple[str, ...]
    properties: Mapping[str, Property] = field(repr=False)
    references: Mapping[str, ReferenceRule] = field(repr=False)
    holds_parent: bool = True

    @property
    def is_rooted(self) -> bool:
        """Whether objects of it may have no parent."""
        return CONFIG_ROOT in self.parents


TEXT = Scalar(Kind.TEXT)
NUMBER = Scalar(Kind.NUMBER)
FLAG = Scalar(Kind.FLAG)
SERVICE_INTERFACE = Scalar(Kind.SERVICE_INTERFACE)


def number(low: int, high: int) -> Scalar:
    """An integer in [low, high]."""
    return Scalar(Kind.NUMBER, low=low, high=high)


def choice(*choices: str) -> Scalar:
    """One of these strings."""
    return Scalar(Kind.TEXT, choices=choices)


def struct(name: str, /, **fields: Shape) -> Struct:
    """A structure of Contrail's name `name`."""
    return Struct(name, fields)


def many(of: Scalar | Struct) -> Many:
    """A list of these."""
    return Many(of)


def reference_field(target: str) -> str:
    """Field in which references to `target` stand; the type with underscores and '_refs', without exception."""
    return target.replace("-", "_") + "_refs"


_PAIRS = struct("KeyValuePairs", key_value_pair=many(struct("KeyValuePair", key=TEXT, value=TEXT)))
_PERMISSIONS = struct(
    "PermType", owner=TEXT, owner_access=number(0, 7), group=TEXT, group_access=number(0, 7), other_access=number(0, 7)
)
COMMON = (
    Property("annotations", _PAIRS, items="key_value_pair", key="key"),
    Property("display_name", TEXT, filled=True),
    Property(
        "id_perms",
        struct(
            "IdPermsType",
            permissions=_PERMISSIONS,
            uuid=struct("UuidType", uuid_mslong=NUMBER, uuid_lslong=NUMBER),
            enable=FLAG,
            created=TEXT,
            last_modified=TEXT,
            description=TEXT,
            user_visible=FLAG,
            creator=TEXT,
        ),
        filled=True,
    ),
    Property(
        "perms2",
        struct(
            "PermType2",
            owner=TEXT,
            owner_access=number(0, 7),
            global_access=number(0, 7),
            share=many(struct("ShareType", tenant=TEXT, tenant_access=number(0, 7))),
        ),
        filled=True,
    ),
)
"""Properties of every type."""


def object_type(
    name: str,
    *,
    parents: tuple[str, ...],
    properties: tuple[Property, ...] = (),
    references: tuple[ReferenceRule, ...] = (),
    holds_parent: bool = True,
) -> ObjectType:
    """A type with these properties and references and those that every type has (tag references among them)."""
    every = {"tag_refs": ReferenceRule("tag")}
    return ObjectType(
        name,
        parents,
        {p.name: p for p in (*COMMON, *properties)},
        {**every, **{r.field: r for r in references}},
        holds_parent,
    )
