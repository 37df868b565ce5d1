"""Instance-ips, floating-ips, alias-ips and their pools: each takes an address out of a network's subnets."""

from __future__ import annotations

from simulators.contrail.addressing import USER_FIRST, Request
from simulators.contrail.allocation import Subnet
from simulators.contrail.answers import Refusal, failed
from simulators.contrail.drafts import Draft
from simulators.contrail.kinds.rules import Rules
from simulators.contrail.state import Item, State

_NETWORKS = "virtual_network_refs"
_IPAMS = "network_ipam_refs"
_INTERFACES = "virtual_machine_interface_refs"
_ADDRESS = "instance_ip_address"
_WITHOUT_SUBNETS = (
    ["default-domain", "default-project", "ip-fabric"],
    ["default-domain", "default-project", "__link_local__"],
)
_IN_USE = "IP address already in use"


def _create_instance_ip(state: State, draft: Draft) -> None:
    network, ipam = draft.target(_NETWORKS), draft.target(_IPAMS)
    address = draft.properties.get(_ADDRESS) or ""
    family = draft.properties.get("instance_ip_family") or ""
    if network is None:
        if ipam is None:
            raise Refusal(400, "can only join an iterable")
        if not ipam.named_uuid:
            raise Refusal(400, "'uuid'")
        asked = Request(owner=draft.uuid, name=ipam.to, address=address, family=family)
        draft.properties[_ADDRESS], _ = state.addressing.allocate_from(ipam.uuid, asked)
        return
    if network.to in _WITHOUT_SUBNETS and next(state.addressing.subnets(network.uuid), None) is None:
        return
    if address:
        _check_address(state, draft, state.addressing.find(network.uuid, address), address)
    asked = Request(
        owner=draft.uuid,
        name=network.to,
        address=address,
        family=family,
        subnet_uuid=draft.properties.get("subnet_uuid") or "",
        mode=state[network.uuid].properties.get("address_allocation_mode") or USER_FIRST,
    )
    draft.properties[_ADDRESS], draft.properties["subnet_uuid"] = state.addressing.allocate(network.uuid, asked)


def _check_address(state: State, draft: Draft, subnet: Subnet | None, address: str) -> None:
    if not _is_taken(subnet, address):
        return
    if subnet is None or address != subnet.gateway:
        raise Refusal(409, _IN_USE)
    interface = draft.target(_INTERFACES)
    if interface is None:
        return
    if not interface.named_uuid:
        raise failed("KeyError: 'uuid'")
    if state[interface.uuid].references.get("virtual_machine_refs"):
        raise Refusal(400, "Gateway IP cannot be used by VM port")


def _is_taken(subnet: Subnet | None, address: str) -> bool:
    return subnet is not None and subnet.is_taken(address)


def _update_instance_ip(state: State, item: Item, draft: Draft) -> None:
    known = item.properties.get(_ADDRESS)
    if (draft.properties.get(_ADDRESS) or known) != known:
        raise Refusal(400, "Instance IP Address can not be changed")


def _delete_instance_ip(state: State, item: Item) -> None:
    address = item.properties.get(_ADDRESS) or ""
    state.addressing.free(item.referred(_NETWORKS), item.referred(_IPAMS), address, item.uuid)


def _create_from_pool(state: State, draft: Draft) -> None:
    pool = draft.parent
    if pool is None or pool.parent_uuid is None or not pool.type.endswith("-pool"):
        return  # a floating-ip of an instance-ip has the address that it is given, or none
    network = state[pool.parent_uuid]
    name = _address_field(draft.known.name)
    address = draft.properties.get(name) or ""
    if address and _is_taken(state.addressing.find(network.uuid, address), address):
        raise Refusal(409, _IN_USE)
    limited = (pool.properties.get("floating_ip_pool_subnets") or {}).get("subnet_uuid") or [""]
    for place, subnet_uuid in enumerate(limited, 1):
        asked = Request(owner=draft.uuid, name=network.fq_name, address=address, subnet_uuid=subnet_uuid, status=500)
        try:
            draft.properties[name], _ = state.addressing.allocate(network.uuid, asked)
            return
        except Refusal:
            if place == len(limited):
                raise


def _delete_from_pool(state: State, item: Item) -> None:
    pool = state.get(item.parent_uuid)
    if pool is not None and pool.type.endswith("-pool"):
        address = item.properties.get(_address_field(item.type)) or ""
        state.addressing.free(pool.parent_uuid, None, address, item.uuid)


def _address_field(type_: str) -> str:
    return type_.replace("-", "_") + "_address"


def _create_pool(state: State, draft: Draft) -> None:
    wanted = (draft.properties.get("floating_ip_pool_subnets") or {}).get("subnet_uuid") or ()
    if draft.parent is None:
        return
    known = {uuid for uuid, _ in state.addressing.subnets(draft.parent.uuid)}
    for uuid in wanted:
        if uuid not in known:
            raise Refusal(400, f"Subnet {uuid} was not found in virtual-network {draft.parent.uuid}")


RULES = {
    "instance-ip": Rules(create=_create_instance_ip, update=_update_instance_ip, delete=_delete_instance_ip),
    "floating-ip": Rules(create=_create_from_pool, delete=_delete_from_pool),
    "alias-ip": Rules(create=_create_from_pool, delete=_delete_from_pool),
    "floating-ip-pool": Rules(create=_create_pool),
}
