"""IPAMs: the subnets of flat ones are shared by all networks that refer to them."""

from __future__ import annotations

from collections.abc import Iterator

from simulators.contrail.allocation import Subnet
from simulators.contrail.answers import Json, Refusal
from simulators.contrail.drafts import Draft
from simulators.contrail.kinds.networks import FLAT
from simulators.contrail.kinds.rules import Rules
from simulators.contrail.kinds.subnets import check_apart, entries_of, make_subnet
from simulators.contrail.state import Item, State

SUBNETS = "ipam_subnets"
_METHOD = "ipam_subnet_method"


def _create(state: State, draft: Draft) -> None:
    if not _elements(draft.properties):
        return
    if draft.properties.get(_METHOD) != FLAT:
        raise Refusal(400, "ipam-subnets are allowed only with flat-subnet")
    state.addressing.ipams[draft.uuid] = _subnets(state, draft, {})


def _update(state: State, item: Item, draft: Draft) -> None:
    method = item.properties.get(_METHOD)
    if draft.properties.get(_METHOD, method) != method:
        raise Refusal(400, "ipam_subnet_method can not be changed")
    if SUBNETS not in draft.properties:
        return
    if _elements(draft.properties) and method != FLAT:
        raise Refusal(400, "ipam-subnets are allowed only with flat-subnet")
    old = state.addressing.ipams.get(item.uuid, {})
    subnets = _subnets(state, draft, old)
    lost = [subnet for cidr, subnet in old.items() if cidr not in subnets]
    if address := next(_taken(lost), None):
        raise Refusal(409, f"Cannot Delete IP Block, IP({address}) is in use")
    state.addressing.ipams[item.uuid] = subnets


def _delete(state: State, item: Item) -> None:
    state.addressing.ipams.pop(item.uuid, None)


def _elements(properties: dict[str, Json]) -> list[dict[str, Json]]:
    return (properties.get(SUBNETS) or {}).get("subnets") or []


def _subnets(state: State, draft: Draft, old: dict[str, Subnet]) -> dict[str, Subnet]:
    entries = entries_of(_elements(draft.properties))
    check_apart(entry.cidr for entry in entries)
    label = f"Network-Ipam({':'.join(draft.fq_name)})"
    subnets = {}
    kept = []
    for entry in entries:
        cidr = str(entry.cidr)
        subnets[cidr] = old.get(cidr) or make_subnet(entry, state.make_uuid("subnet"), label)
        kept.append(entry.completed(subnets[cidr]))
    if SUBNETS in draft.properties and draft.properties[SUBNETS] is not None:
        draft.properties[SUBNETS] = {**draft.properties[SUBNETS], "subnets": kept}
    return subnets


def _taken(subnets: list[Subnet]) -> Iterator[str]:
    for subnet in subnets:
        yield from subnet.owned()


RULES = {"network-ipam": Rules(create=_create, update=_update, delete=_delete)}
