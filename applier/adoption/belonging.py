"""Which objects of Contrail belong to this cluster, though nobody wrote so on some of them (pure).

By the mark where there is one. Else by what they hang on: children of the cluster's projects, addresses of its
interfaces, listeners of its load-balancers. Never by the beginning of a name.
"""

from __future__ import annotations

from collections.abc import Container, Sequence

from applier.adoption.objects import Cluster, Live

_UNDER_POLICIES = "default-policy-management"
_HANGING: tuple[tuple[str, str], ...] = (
    ("instance-ip", "virtual-machine-interface"),
    ("loadbalancer", "virtual-machine-interface"),
    ("loadbalancer-listener", "loadbalancer"),
    ("loadbalancer-pool", "loadbalancer-listener"),
    ("floating-ip", "virtual-machine-interface"),
)
"""(type, target): an unmarked object of the type belongs to whom the target belongs."""
_USED: tuple[tuple[str, str], ...] = (
    ("application-policy-set", "firewall-policy"),
    ("firewall-policy", "firewall-rule"),
    ("firewall-rule", "address-group"),
    ("application-policy-set", "tag"),
    ("firewall-rule", "tag"),
    ("virtual-machine-interface", "tag"),
    ("virtual-network", "tag"),
)
"""(type, target): an unmarked target belongs to whom the object of the type belongs."""


def is_servers_own(live: Live) -> bool:
    """Whether Contrail makes the object with its project, and deletes it with that."""
    return live.type == "application-policy-set" and live.fq_name[-1] == "default-application-policy-set"


def belonging(cluster: Cluster, objects: Sequence[Live], serving: Container[str]) -> set[str]:
    """Uuids of the cluster's objects; `serving` are those that serve what the cluster desires."""
    found = {live.uuid for live in objects if live.mark == cluster.mark or live.uuid in serving}
    found |= {
        live.uuid
        for live in objects
        if live.type == "application-policy-set" and live.fq_name == (_UNDER_POLICIES, cluster.name) and not live.mark
    }
    unmarked = [live for live in objects if live.mark is None and not is_servers_own(live)]
    grown = -1
    while grown != len(found):
        grown = len(found)
        used = _used_by(objects, found)
        found |= {live.uuid for live in unmarked if live.uuid in used or _hangs_on(live, found)}
    return found


def _hangs_on(live: Live, found: set[str]) -> bool:
    if live.parent_uuid in found:
        return True
    return any(live.type == type_ and not found.isdisjoint(live.targets(target)) for type_, target in _HANGING)


def _used_by(objects: Sequence[Live], found: set[str]) -> set[str]:
    return {
        uuid
        for live in objects
        if live.uuid in found
        for type_, target in _USED
        if live.type == type_
        for uuid in live.targets(target)
    }
