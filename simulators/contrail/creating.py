"""POST of a new object (shell of the state): the checks of the original in its order, then the object."""

from __future__ import annotations

import uuid as uuids
from collections.abc import Mapping

from schemas.contrail.shapes import CONFIG_ROOT, ObjectType
from schemas.contrail.types import TYPES
from simulators.contrail.answers import Answer, Call, Json, Refusal, internal, over_quota
from simulators.contrail.drafts import Draft, as_filled, fill, resolve
from simulators.contrail.kinds import rules_of
from simulators.contrail.kinds.tags import check_tags
from simulators.contrail.making import insert, sign
from simulators.contrail.rendering import href
from simulators.contrail.state import Item, State
from simulators.contrail.validation import check_properties, check_references

_COLON_ALLOWED = "route-target"


def create(state: State, type_: str, call: Call) -> Answer:
    """Answer to `POST /<type>s`."""
    fields = call.fields().get(type_)
    if not isinstance(fields, dict):
        raise internal()
    draft = _draft(TYPES[type_], fields)
    rules = rules_of(type_)
    rules.named(state, draft)
    draft.parent = _parent(state, draft)
    _check_free(state, draft)
    _check_quota(state, draft, call)
    fill(draft)
    _resolve(state, draft)
    check_tags(state, draft)
    draft.uuid = fields.get("uuid") or state.make_uuid(type_)
    sign(draft, state)
    rules.create(state, draft)
    item = insert(state, draft)
    rules.created(state, item)
    return Answer({type_: _reply(item, draft, call.base)})


def _draft(known: ObjectType, fields: Mapping[str, Json]) -> Draft:
    fq_name = fields.get("fq_name")
    if fq_name is None:
        raise Refusal(400, "Bad Request, no fq_name in POST body")
    if not isinstance(fq_name, list) or not fq_name or not all(isinstance(part, str) for part in fq_name):
        raise internal()
    if ":" in fq_name[-1] and known.name != _COLON_ALLOWED:
        raise Refusal(400, "Bad Request, name has one of invalid chars {':'}")
    check_properties(known, fields, "create")
    check_references(known, fields, "create")
    return Draft(known, fields, "", list(fq_name))


def _parent(state: State, draft: Draft) -> Item | None:
    known, fq_name, asked = draft.known, draft.fq_name, draft.asked.get("parent_type")
    if asked is None:
        if known.is_rooted and len(fq_name) == 1:
            return None
        if len(known.parents) > 1:
            raise Refusal(400, f"Missing parent type: None. Allowed types: {list(known.parents)}")
    elif asked not in known.parents:
        raise Refusal(400, f"Invalid parent type: {asked}. Allowed types: {list(known.parents)}")
    type_ = asked or known.parents[0]
    if type_ == CONFIG_ROOT:
        return None
    if len(fq_name) == 1:
        raise Refusal(400, f"Invalid fq-name for object with parent_type {type_}: {fq_name}")
    parent = state.named(type_, fq_name[:-1])
    if parent is None:
        raise Refusal(400, f"Parent {fq_name[:-1]} type {type_} does not exist")
    return parent


def _check_free(state: State, draft: Draft) -> None:
    holder = state.named(draft.known.name, draft.fq_name)
    if holder is not None:
        raise Refusal(409, f"{draft.fq_name} already exists with uuid: {holder.uuid}")
    asked = draft.asked.get("uuid")
    if asked is None:
        return
    try:
        proper = str(uuids.UUID(asked))
    except (ValueError, AttributeError, TypeError):
        raise internal() from None
    if proper != asked:
        raise Refusal(400, f"Invalid UUID format: {asked}")
    if (taken := state.get(asked)) is not None:
        raise Refusal(409, f"{asked} already exists with fq_name: {taken.fq_name}")


def _check_quota(state: State, draft: Draft, call: Call) -> None:
    if draft.parent is None or draft.parent.type != "project":
        return
    quota = draft.parent.properties.get("quota") or {}
    resource = draft.known.name.replace("-", "_")
    limit = quota.get(resource)
    if limit is None:
        limit = quota.get("defaults")
    if limit is not None and 0 <= int(limit) <= len(draft.parent.children.get(draft.known.name, ())):
        raise over_quota(f"{call.base}{call.path}", int(limit), resource)


def _resolve(state: State, draft: Draft) -> None:
    try:
        resolve(draft, state, "")
    except Refusal as refusal:
        if refusal.text:
            raise
        # Only now, because the text takes longer to make than the object.
        raise Refusal(400, f"Unknown reference in resource create {as_filled(draft)}.") from None


def _reply(item: Item, draft: Draft, base: str) -> dict[str, Json]:
    body: dict[str, Json] = {
        "name": item.name,
        "fq_name": item.fq_name,
        "uuid": item.uuid,
        "href": href(base, item),
    }
    if item.parent_uuid is not None and draft.asked.get("parent_type"):
        body |= {
            "parent_type": item.parent_type,
            "parent_uuid": item.parent_uuid,
            "parent_href": f"{base}/{item.parent_type}/{item.parent_uuid}",
        }
    return body
