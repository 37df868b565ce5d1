"""Networks: subnets of their own, flat IPAMs, a number, and a routing instance of the same name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from simulators.contrail.addressing import Plan
from simulators.contrail.allocation import Subnet
from simulators.contrail.answers import Json, Refusal, failed
from simulators.contrail.drafts import Draft, Wanted
from simulators.contrail.kinds.route_targets import check_lists
from simulators.contrail.kinds.rules import Rules
from simulators.contrail.kinds.subnets import Entry, check_apart, entries_of, make_subnet
from simulators.contrail.making import make
from simulators.contrail.state import Item, State

IPAMS = "network_ipam_refs"
FLAT = "flat-subnet"
_NUMBER = "virtual_network_network_id"
_TARGET_LISTS = ("route_target_list", "import_route_target_list", "export_route_target_list")


@dataclass(slots=True)
class _Planned:
    """What a network's IPAM references come to."""

    plan: Plan = field(default_factory=Plan)
    attrs: list[tuple[Wanted, Json]] = field(default_factory=list)


def _create(state: State, draft: Draft) -> None:
    check_lists(draft.properties, _TARGET_LISTS)
    planned = _plan(state, draft, Plan(), draft.properties)
    draft.properties.setdefault("is_shared", False)
    draft.properties[_NUMBER] = state.numbers.networks.take()
    _settle(state, draft.uuid, planned)


def _created(state: State, item: Item) -> None:
    make(state, "routing-instance", [*item.fq_name, item.name], item)


def _update(state: State, item: Item, draft: Draft) -> None:
    if draft.properties.get(_NUMBER, item.properties[_NUMBER]) != item.properties[_NUMBER]:
        raise Refusal(403, "Cannot update the virtual network ID")
    check_lists(draft.properties, _TARGET_LISTS)
    if IPAMS not in draft.references:
        return
    old = state.addressing.plan(item.uuid)
    planned = _plan(state, draft, old, item.properties | draft.properties)
    lost = [s for uuid, s in state.addressing.subnets(item.uuid) if uuid not in set(_uuids(planned.plan))]
    if address := next(_in_use(state, item, lost), None):
        raise Refusal(409, f"Cannot Delete IP Block, IP({address}) is in use")
    _settle(state, item.uuid, planned)


def _delete(state: State, item: Item) -> None:
    for instance in list(state.children(item, "routing-instance")):
        state.remove(instance)
    state.addressing.drop(item.uuid)
    state.numbers.networks.free(item.properties[_NUMBER])


def _plan(state: State, draft: Draft, old: Plan, properties: dict[str, Json]) -> _Planned:
    planned = _Planned()
    entries: list[tuple[Wanted, list[Entry]]] = []
    for wanted in draft.references.get(IPAMS, ()):
        elements = _elements(wanted)
        if state[wanted.uuid].properties.get("ipam_subnet_method") == FLAT:
            pair = _flat_pair(state, wanted, elements, old, properties)
            planned.plan.flat[wanted.uuid] = pair
            planned.attrs.append((wanted, {**wanted.attr, "ipam_subnets": [{"subnet_uuid": pair}]}))
        else:
            entries.append((wanted, entries_of(elements)))
    check_apart(entry.cidr for _, found in entries for entry in found)
    for wanted, found in entries:
        kept = []
        for entry in found:
            subnet = _subnet(state, entry, old, draft.fq_name)
            planned.plan.own[str(entry.cidr)] = subnet
            kept.append(entry.completed(subnet, subnet_uuid=subnet.uuid))
        planned.attrs.append((wanted, {**wanted.attr, "ipam_subnets": kept}))
    return planned


def _elements(wanted: Wanted) -> list[dict[str, Json]]:
    if wanted.attr is None:
        raise failed("TypeError: 'NoneType' object is not subscriptable")
    if "ipam_subnets" not in wanted.attr:
        raise failed("KeyError: 'ipam_subnets'")
    return wanted.attr["ipam_subnets"] or []


def _flat_pair(
    state: State, wanted: Wanted, elements: Iterable[dict[str, Json]], old: Plan, properties: dict[str, Json]
) -> str:
    if any(element.get("subnet") for element in elements):
        raise Refusal(400, "with flat-subnet, network can not have user-defined subnet")
    if (properties.get("virtual_network_properties") or {}).get("forwarding_mode") != "l3":
        raise Refusal(400, "flat-subnet is allowed only with l3 network")
    return old.flat.get(wanted.uuid) or state.make_uuid("subnet")


def _subnet(state: State, entry: Entry, old: Plan, fq_name: list[str]) -> Subnet:
    label = f"Virtual-Network({':'.join(fq_name)})"
    known = old.own.get(str(entry.cidr))
    if known is None:
        return make_subnet(entry, entry.fields.get("subnet_uuid") or state.make_uuid("subnet"), label)
    if entry.fields.get("default_gateway") not in (None, "", known.gateway):
        raise failed(f"{label} has invalid subnet({entry.cidr})")
    return known


def _settle(state: State, uuid: str, planned: _Planned) -> None:
    plan = state.addressing.plan(uuid)
    plan.own, plan.flat = planned.plan.own, planned.plan.flat
    for wanted, attr in planned.attrs:
        wanted.attr = attr


def _uuids(plan: Plan) -> Iterator[str]:
    yield from plan.flat.values()
    yield from (subnet.uuid for subnet in plan.own.values())


def _in_use(state: State, network: Item, lost: list[Subnet]) -> Iterator[str]:
    taken = {address for subnet in lost for address in subnet.owned()}
    for item, name in _holders(state, network):
        address = item.properties.get(name)
        if address in taken:
            yield str(address)


def _holders(state: State, network: Item) -> Iterator[tuple[Item, str]]:
    yield from ((item, "instance_ip_address") for item in state.referrers(network, "instance-ip"))
    for kind in ("floating", "alias"):
        for pool in state.children(network, f"{kind}-ip-pool"):
            yield from ((item, f"{kind}_ip_address") for item in state.children(pool, f"{kind}-ip"))


RULES = {"virtual-network": Rules(create=_create, created=_created, update=_update, delete=_delete)}
