"""A request to create or change an object, taken apart: what it asks for, with references resolved (pure)."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas.contrail.shapes import ObjectType, Property
from simulators.contrail.answers import Json, Refusal, failed, internal
from simulators.contrail.state import Item, State

OWNER = "cloud-admin"
PERMISSIONS = {
    "owner": OWNER,
    "owner_access": 7,
    "group": "cloud-admin-group",
    "group_access": 7,
    "other_access": 7,
}


@dataclass(slots=True)
class Wanted:
    """One reference as asked; `named_uuid` says that the request had its uuid too."""

    to: list[str]
    uuid: str
    attr: Json
    named_uuid: bool


@dataclass(slots=True)
class Draft:
    """What shall become of an object; type rules may change `properties`, `references` and, before it exists, the name.

    `asked` are the fields as they came. A property None is cleared, a field of references is replaced as a whole.
    """

    known: ObjectType
    asked: Mapping[str, Json]
    uuid: str
    fq_name: list[str]
    parent: Item | None = None
    properties: dict[str, Json] = field(default_factory=dict)
    references: dict[str, list[Wanted]] = field(default_factory=dict)

    def target(self, field_name: str) -> Wanted | None:
        """The first reference of a field."""
        found = self.references.get(field_name)
        return found[0] if found else None

    def refer(self, field_name: str, target: Item, attr: Json = None) -> None:
        """Add a reference that the server makes by itself."""
        self.references.setdefault(field_name, []).append(Wanted(target.fq_name, target.uuid, attr, True))


def fill(draft: Draft) -> None:
    """Take over the properties that the type has; others are dropped without a word."""
    properties = draft.known.properties
    draft.properties = {
        name: in_order(properties[name], value) for name, value in draft.asked.items() if name in properties
    }


def in_order(rule: Property, value: Json) -> Json:
    """A property as it is kept: the elements of a map by their key, each key once."""
    if not rule.key or not value or not value.get(rule.items):
        return value
    by_key = {element.get(rule.key): element for element in value[rule.items]}
    return {**value, rule.items: [by_key[key] for key in sorted(by_key, key=str)]}


def resolve(draft: Draft, state: State, unknown: str) -> None:
    """Find the targets of all references; Refusal if one is missing, worded `unknown` if it was asked for by name."""
    rules = draft.known.references
    for name, value in draft.asked.items():
        rule = rules.get(name)
        if rule is not None:
            asked = value or ()
            draft.references[name] = [_resolve(state, rule.target, reference, unknown) for reference in asked]


def _resolve(state: State, target: str, reference: Json, unknown: str) -> Wanted:
    if not isinstance(reference, dict):
        raise internal()
    to, uuid = reference.get("to"), reference.get("uuid")
    if to is None:
        raise failed("KeyError: 'to'") if uuid is not None else internal()
    if not isinstance(to, list) or not all(isinstance(part, str) for part in to):
        raise internal()
    found = state.named(target, to)
    if found is None and uuid is None:
        raise Refusal(400, unknown)
    if found is None:
        name = f"{target.replace('-', '_')} {':'.join(to)}"
        raise failed(f"vnc_api.exceptions.NoIdError: Unknown id: {name}")
    return Wanted(found.fq_name, found.uuid, reference.get("attr"), uuid is not None)


def new_id_perms(asked: Json) -> dict[str, Json]:
    """id_perms of a new object, before it has a uuid and a time; some of it may be asked for."""
    made: dict[str, Json] = {
        "permissions": dict(PERMISSIONS),
        "uuid": None,
        "enable": True,
        "created": None,
        "last_modified": None,
        "description": None,
        "user_visible": True,
        "creator": None,
    }
    if isinstance(asked, dict):
        made |= {name: asked[name] for name in ("enable", "description", "user_visible", "creator") if name in asked}
    return made


def new_perms2(draft: Draft) -> dict[str, Json]:
    """perms2 of a new object: a project owns itself if its uuid was named, other objects have their parent's owner."""
    made: dict[str, Json] = {"owner": OWNER, "owner_access": 7, "global_access": 0, "share": []}
    if draft.parent is not None:
        made["owner"] = draft.parent.properties["perms2"]["owner"]
    if draft.known.name == "project" and "uuid" in draft.asked:
        made["owner"] = str(draft.asked["uuid"]).replace("-", "")
    if draft.known.name == "service-template" and draft.parent is not None:
        made["share"] = [{"tenant": f"domain:{draft.parent.uuid}", "tenant_access": 5}]
    asked = draft.asked.get("perms2")
    return made | copy.deepcopy(asked) if isinstance(asked, dict) else made


def as_filled(draft: Draft) -> dict[str, Json]:
    """The fields of a POST with what the server has added when it looks for references, as error texts show them."""
    filled = dict(draft.asked)
    filled["id_perms"] = new_id_perms(draft.asked.get("id_perms"))
    filled["perms2"] = new_perms2(draft)
    filled.setdefault("display_name", draft.fq_name[-1])
    if draft.parent is not None and "parent_type" in draft.asked:
        filled["parent_uuid"] = draft.parent.uuid
    return filled
