"""Interfaces: MAC, routing instance, sub-interfaces, port bindings."""

from __future__ import annotations

import json

from schemas.identity import mac_of
from simulators.contrail.answers import Json, Refusal, failed
from simulators.contrail.drafts import Draft, in_order
from simulators.contrail.kinds.rules import Rules
from simulators.contrail.state import Item, State

_NETWORKS = "virtual_network_refs"
_INTERFACES = "virtual_machine_interface_refs"
_MACS = "virtual_machine_interface_mac_addresses"
_BINDINGS = "virtual_machine_interface_bindings"
_PAIRS = "virtual_machine_interface_allowed_address_pairs"
_GLOBAL = "default-global-system-config"
_FORWARDING = {
    "direction": "both",
    "vlan_tag": None,
    "src_mac": None,
    "dst_mac": None,
    "mpls_label": None,
    "service_chain_address": None,
    "ipv6_service_chain_address": None,
    "protocol": None,
}


def _create(state: State, draft: Draft) -> None:
    if _NETWORKS not in draft.asked:
        raise failed("KeyError: 'virtual_network_refs'")
    network = draft.target(_NETWORKS)
    if network is None:
        raise failed("IndexError: list index out of range")
    _check_vlan(state, draft)
    _check_pairs({}, draft)
    if not (draft.properties.get(_MACS) or {}).get("mac_address"):
        draft.properties[_MACS] = {"mac_address": [mac_of(draft.uuid)]}
    _bind(state, draft)
    instance = state.named("routing-instance", [*network.to, network.to[-1]])
    if instance is not None and "routing_instance_refs" not in draft.references:
        draft.refer("routing_instance_refs", instance, dict(_FORWARDING))


def _created(state: State, item: Item) -> None:
    for parent in list(item.references.get(_INTERFACES, ())):
        state.refer(state[parent], _INTERFACES, item.uuid, None)


def _update(state: State, item: Item, draft: Draft) -> None:
    _check_pairs(item.properties, draft)


def _check_vlan(state: State, draft: Draft) -> None:
    vlan = _vlan(draft.properties)
    if vlan is None:
        return
    if not 0 <= int(vlan) <= 4094:
        raise Refusal(400, f"Invalid sub-interface VLAN tag ID: {vlan}")
    primary = draft.target(_INTERFACES)
    if primary is None:
        return
    siblings = state[primary.uuid].references.get(_INTERFACES, ())
    if any(_vlan(state[sibling].properties) == vlan for sibling in siblings):
        raise Refusal(400, "Two sub interfaces under same primary port can't have same Vlan tag")


def _vlan(properties: dict[str, Json]) -> Json:
    return (properties.get("virtual_machine_interface_properties") or {}).get("sub_interface_vlan_tag")


def _check_pairs(known: dict[str, Json], draft: Draft) -> None:
    merged = known | draft.properties
    pairs = (merged.get(_PAIRS) or {}).get("allowed_address_pair")
    if pairs and merged.get("port_security_enabled") is False:
        raise Refusal(400, "Allowed address pairs are not allowed when port security is disabled")


def _bind(state: State, draft: Draft) -> None:
    """Tell how the port is plugged, on the host that it is bound to."""
    asked = draft.properties.get(_BINDINGS) or {}
    known = {pair.get("key"): pair.get("value") for pair in asked.get("key_value_pair") or ()}
    host = known.get("host_id")
    if not host or known.get("vnic_type", "normal") != "normal" or "vif_type" in known:
        return
    router = state.named("virtual-router", [_GLOBAL, host])
    if router is None or router.properties.get("virtual_router_dpdk_enabled"):
        socket = f"/var/run/vrouter/uvh_vif_tap{draft.uuid[:11]}"
        details = {"vhostuser_mode": "server", "vhostuser_socket": socket, "vhostuser_vrouter_plug": True}
        known |= {"vif_type": "vhostuser", "vif_details": json.dumps(details)}
    else:
        known["vif_type"] = "vrouter"
    pairs = {"key_value_pair": [{"key": key, "value": value} for key, value in known.items()]}
    draft.properties[_BINDINGS] = in_order(draft.known.properties[_BINDINGS], pairs)


RULES = {"virtual-machine-interface": Rules(create=_create, created=_created, update=_update)}
