"""Logical routers and route targets."""

from __future__ import annotations

from simulators.contrail.answers import Refusal
from simulators.contrail.drafts import Draft
from simulators.contrail.kinds.route_targets import check_lists, check_name
from simulators.contrail.kinds.rules import Rules
from simulators.contrail.state import Item, State

_TARGET_LISTS = ("configured_route_target_list",)


def _create(state: State, draft: Draft) -> None:
    check_lists(draft.properties, _TARGET_LISTS)
    _check_interfaces(state, draft)
    draft.properties.setdefault("logical_router_type", "snat-routing")


def _update(state: State, item: Item, draft: Draft) -> None:
    check_lists(draft.properties, _TARGET_LISTS)
    _check_interfaces(state, draft)


def _check_interfaces(state: State, draft: Draft) -> None:
    gateways = {wanted.uuid for wanted in draft.references.get("virtual_network_refs", ())}
    for wanted in draft.references.get("virtual_machine_interface_refs", ()):
        port = state[wanted.uuid]
        if port.references.get("virtual_machine_refs"):
            # The original names the port's parent where it means the machine.
            raise Refusal(409, f"Port({port.uuid}) already in use by virtual-machine({port.parent_uuid})")
        for network in port.references.get("virtual_network_refs", ()):
            if network in gateways:
                raise Refusal(400, f"Logical router interface and gateway cannot be inVN({network})")


RULES = {"logical-router": Rules(create=_create, update=_update), "route-target": Rules(named=check_name)}
