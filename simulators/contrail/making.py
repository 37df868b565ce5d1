"""Objects out of drafts (shell of the state): signed with uuid, times and permissions, and taken in."""

from __future__ import annotations

import uuid as uuids
from collections.abc import Mapping

from schemas.contrail.types import TYPES
from simulators.contrail.answers import Json
from simulators.contrail.drafts import Draft, new_id_perms, new_perms2
from simulators.contrail.state import Item, State

_HALF = 2**64


def insert(state: State, draft: Draft) -> Item:
    """Make an object of a draft that nothing is wrong with."""
    item = Item(
        type=draft.known.name,
        uuid=draft.uuid,
        fq_name=draft.fq_name,
        parent_type=draft.parent.type if draft.parent else None,
        parent_uuid=draft.parent.uuid if draft.parent else None,
        properties=draft.properties,
        references={name: {r.uuid: r.attr for r in wanted} for name, wanted in draft.references.items() if wanted},
    )
    state.add(item)
    return item


def make(
    state: State, type_: str, fq_name: list[str], parent: Item | None, properties: Mapping[str, Json] | None = None
) -> Item:
    """Make an object that the server itself wants; nothing is checked, and no rules of the type apply."""
    draft = Draft(TYPES[type_], {}, state.make_uuid(type_), fq_name, parent, dict(properties or {}))
    sign(draft, state)
    return insert(state, draft)


def sign(draft: Draft, state: State) -> None:
    """Add what every object has: id_perms, perms2, and a display_name if a client makes it."""
    number = uuids.UUID(draft.uuid).int
    created = state.clock()
    id_perms = new_id_perms(draft.asked.get("id_perms"))
    id_perms |= {
        "uuid": {"uuid_mslong": number // _HALF, "uuid_lslong": number % _HALF},
        "created": created,
        "last_modified": created,
    }
    draft.properties["id_perms"] = id_perms
    draft.properties["perms2"] = new_perms2(draft)
    if draft.asked:
        draft.properties["display_name"] = draft.asked.get("display_name") or draft.fq_name[-1]
