"""What the real server makes by itself at its first start, and the virtual-routers that a provisioner adds."""

from __future__ import annotations

from collections.abc import Mapping

from simulators.contrail.answers import Json
from simulators.contrail.kinds.projects import add_policy_set
from simulators.contrail.kinds.tags import make_tag_type
from simulators.contrail.making import make
from simulators.contrail.numbers import TAG_TYPES
from simulators.contrail.state import Item, State

GLOBAL = "default-global-system-config"
DOMAIN = "default-domain"
PROJECT = "default-project"
_NETWORKS: Mapping[str, tuple[str, ...]] = {
    "default-virtual-network": (),
    "ip-fabric": ("__default__",),
    "__link_local__": (),
    "dci-network": ("__default__",),
}
"""Networks with their routing instances beside the one of the same name."""
_IPAMS = ("default-network-ipam", "service-chain-flat-ipam")
_OPEN_TAG_TYPES = ("neutron_fwaas", "neutron_tag")


def seed(state: State, nodes: Mapping[str, str]) -> None:
    """Fill an empty state; `nodes` are names of virtual-routers with their addresses."""
    system = make(state, "global-system-config", [GLOBAL], None)
    for type_ in ("global-vrouter-config", "global-qos-config"):
        make(state, type_, [GLOBAL, f"default-{type_}"], system)
    make(state, "fabric", [GLOBAL, "default-fabric"], system)
    make(state, "alarm", [GLOBAL, "system-defined-bottle-request-size-limit"], system)
    for name in (*TAG_TYPES, *_OPEN_TAG_TYPES):
        make_tag_type(state, name)
    management = make(state, "policy-management", ["default-policy-management"], None)
    everything = {"all_applications": True}
    make(state, "application-policy-set", [management.name, "default-application-policy-set"], management, everything)
    _seed_project(state)
    for name, address in nodes.items():
        make(state, "virtual-router", [GLOBAL, name], system, _router(name, address))


def _seed_project(state: State) -> None:
    domain = make(state, "domain", [DOMAIN], None)
    project = make(state, "project", [DOMAIN, PROJECT], domain, {"quota": {"defaults": -1}})
    for name in _IPAMS:
        make(state, "network-ipam", [*project.fq_name, name], project)
    for name, instances in _NETWORKS.items():
        _seed_network(state, project, name, (*instances, name))
    number = state.numbers.security_groups.take()
    make(state, "security-group", [*project.fq_name, "__no_rule__"], project, {"security_group_id": number})
    add_policy_set(state, project)


def _seed_network(state: State, project: Item, name: str, instances: tuple[str, ...]) -> None:
    properties = {"virtual_network_network_id": state.numbers.networks.take(), "is_shared": False}
    network = make(state, "virtual-network", [*project.fq_name, name], project, properties)
    for instance in instances:
        make(state, "routing-instance", [*network.fq_name, instance], network)


def _router(name: str, address: str) -> dict[str, Json]:
    return {"display_name": name, "virtual_router_ip_address": address}
