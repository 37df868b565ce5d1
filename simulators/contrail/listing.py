"""Lists of one type: anchors, filters, pages (pure)."""

from __future__ import annotations

import uuid as uuids
from collections.abc import Iterable, Mapping

import msgspec

from simulators.contrail.answers import Answer, Call, Json, Refusal, internal
from simulators.contrail.references import type_named
from simulators.contrail.rendering import View, detailed, is_true, listed, summary
from simulators.contrail.state import Item, State

_FROM_THE_START = ("", "None")


def list_objects(state: State, type_: str, call: Call) -> Answer:
    """Answer to `GET /<type>s?…`."""
    return _answer(state, type_, call.query, call.base)


def list_bulk(state: State, call: Call) -> Answer:
    """Answer to `POST /list-bulk-collection`: the same parameters in a JSON body, and the type."""
    asked = call.fields()
    type_ = type_named(asked.get("type"))
    if not isinstance(asked.get("fields") or "", str):
        raise internal()
    return _answer(state, type_, asked, call.base)


def _answer(state: State, type_: str, query: Mapping[str, Json], base: str) -> Answer:
    anchored = _anchored(state, type_, query)
    found = state.of_type(type_) if anchored is None else anchored
    if filters := query.get("filters"):
        found = _filtered(found, str(filters))
    if is_true(query.get("count")):
        return Answer({f"{type_}s": {"count": len(found)}})
    limit = _limit(query)
    body: dict[str, Json] = {}
    if query.get("page_marker") is not None:
        found = _page(found, query["page_marker"], limit, by_uuid=anchored is not None)
        full = limit is not None and len(found) == limit
        last = found[-1] if full and found else None
        body["marker"] = None if last is None else (last.uuid if anchored is not None else last.place)
    return Answer({f"{type_}s": _rendered(state, type_, found, query, base), **body})


def _anchored(state: State, type_: str, query: Mapping[str, Json]) -> list[Item] | None:
    """Objects found from others, in the order in which the original gives them; None if all are asked for."""
    if query.get("obj_uuids"):
        named = (state.get(uuid) for uuid in _values(query["obj_uuids"]))
        return [item for item in named if item is not None and item.type == type_]
    if query.get("fq_names"):
        found = (state.named(type_, name.split(":")) for name in _values(query["fq_names"]))
        return [item for item in found if item is not None]
    if query.get("parent_id"):
        parents = (state.get(uuid) for uuid in _values(query["parent_id"]))
        return [child for parent in parents if parent is not None for child in state.children(parent, type_)]
    if query.get("parent_fq_name_str"):
        return _below(state, type_, query)
    if query.get("back_ref_id"):
        targets = (state.get(uuid) for uuid in _values(query["back_ref_id"]))
        return [item for target in targets if target is not None for item in state.referrers(target, type_)]
    return None


def _below(state: State, type_: str, query: Mapping[str, Json]) -> list[Item]:
    above = query.get("parent_type")
    candidates = state.of_type(type_)
    prefix = f"{query['parent_fq_name_str']}:"
    parents: dict[str, None] = {}
    for item in candidates:
        if item.place.startswith(prefix) and item.parent_uuid is not None and above in (None, "", item.parent_type):
            parents[item.parent_uuid] = None
    found = (state[uuid] for uuid in parents if ":".join(state[uuid].fq_name) == query["parent_fq_name_str"])
    return [child for parent in found for child in state.children(parent, type_)]


def _values(asked: Json) -> list[str]:
    return [str(value) for value in asked] if isinstance(asked, list) else str(asked).split(",")


def _filtered(items: Iterable[Item], text: str) -> list[Item]:
    """Objects whose property has one of the values named for it; fields that the type does not have do not count."""
    wanted: dict[str, list[Json]] = {}
    for part in text.split(","):
        name, equals, value = part.partition("==")
        if not equals:
            raise Refusal(400, f"Invalid filter {text}")
        wanted.setdefault(name.strip(), []).append(_value(value))
    return [
        item
        for item in items
        if all(item.properties.get(name) in values for name, values in wanted.items() if name in item.known.properties)
    ]


def _value(text: str) -> Json:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def _limit(query: Mapping[str, Json]) -> int | None:
    asked = query.get("page_limit")
    if asked is None:
        return None
    try:
        limit = int(asked)
    except ValueError as error:
        raise Refusal(400, f"Invalid page_limit {asked}: {error}") from None
    if limit <= 0:
        raise Refusal(400, f"Invalid page_limit {asked}: page_limit has to be greater than zero")
    return limit


def _page(items: list[Item], marker: str, limit: int | None, *, by_uuid: bool) -> list[Item]:
    found = sorted(items, key=lambda item: item.uuid) if by_uuid else items
    if marker not in _FROM_THE_START:
        try:
            uuids.UUID(marker.rpartition(":")[2])
        except ValueError as error:
            raise Refusal(400, f"Invalid page_marker {marker}: {error}") from None
        found = [item for item in found if (item.uuid if by_uuid else item.place) > marker]
    return found if limit is None else found[:limit]


def _rendered(state: State, type_: str, items: Iterable[Item], query: Mapping[str, Json], base: str) -> list[Json]:
    view = View.of(query, base)
    if not is_true(query.get("detail")):
        if view.fields is None:
            return [summary(item, view) for item in items]
        return [listed(state, item, view) for item in items]
    return [{type_: detailed(state, item, view)} for item in items]
