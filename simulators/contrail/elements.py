"""Elements of map and list properties, changed and read one by one (shell of the state)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NoReturn

from schemas.contrail.shapes import Property
from simulators.contrail.answers import Answer, Call, Json, Refusal, internal
from simulators.contrail.changing import apply
from simulators.contrail.drafts import Draft, in_order
from simulators.contrail.state import Item, State

_Placed = dict[str, Json]
"""Elements by their position, in order."""


def prop_collection_update(state: State, call: Call) -> Answer:
    """Answer to `POST /prop-collection-update`."""
    asked = call.fields()
    item = _find(state, asked.get("uuid"))
    for update in asked.get("updates") or ():
        rule = _rule(item, update.get("field"))
        placed = _placed(item, rule)
        (_update_map if rule.key else _update_list)(placed, rule, update)
        _store(state, item, rule, placed)
    return Answer()


def prop_collection_get(state: State, call: Call) -> Answer:
    """Answer to `GET /prop-collection-get?uuid=…&fields=…`: pairs of element and position."""
    item = _find(state, call.query.get("uuid"))
    body: dict[str, Json] = {}
    for name in (call.query.get("fields") or "").split(","):
        placed = _placed(item, _rule(item, name))
        wanted = call.query.get("position")
        body[name] = [[element, place] for place, element in placed.items() if wanted in (None, "", place)]
    return Answer(body)


def _find(state: State, uuid: Json) -> Item:
    item = state.get(uuid)
    if item is None:
        raise Refusal(404, f"Object Not Found: {uuid}")
    return item


def _rule(item: Item, name: Json) -> Property:
    rule = item.known.properties.get(name)
    if rule is None or not rule.items:
        raise Refusal(400, f'{name} neither "ListProperty" nor "MapProperty"')
    return rule


def _placed(item: Item, rule: Property) -> _Placed:
    elements = (item.properties.get(rule.name) or {}).get(rule.items) or []
    if rule.key:
        return {str(element.get(rule.key)): element for element in elements}
    places = item.places.get(rule.name) or [str(number) for number in range(len(elements))]
    return dict(zip(places, elements, strict=True))


def _update_map(placed: _Placed, rule: Property, update: Mapping[str, Json]) -> None:
    operation, value = update.get("operation"), update.get("value")
    if operation == "set":
        if not isinstance(value, dict) or rule.key not in value:
            raise internal()
        placed[str(value[rule.key])] = value
    elif operation == "delete":
        placed.pop(str(update.get("position")), None)
    else:
        _refuse(update)


def _update_list(placed: _Placed, rule: Property, update: Mapping[str, Json]) -> None:
    operation, place = update.get("operation"), update.get("position")
    if operation == "add":
        placed[str(place) if place is not None else str(len(placed))] = update.get("value")
    elif operation == "modify":
        placed[str(place)] = update.get("value")
    elif operation == "delete":
        placed.pop(str(place), None)
    else:
        _refuse(update)


def _refuse(update: Mapping[str, Json]) -> NoReturn:
    raise Refusal(400, f"Unsupported operation {update.get('operation')} in request {json.dumps(update)}")


def _store(state: State, item: Item, rule: Property, placed: _Placed) -> None:
    held = item.properties.get(rule.name) or {}
    value = in_order(rule, {**held, rule.items: list(placed.values())})
    apply(state, item, Draft(item.known, {}, item.uuid, item.fq_name, properties={rule.name: value}))
    if not rule.key:
        item.places[rule.name] = list(placed)
