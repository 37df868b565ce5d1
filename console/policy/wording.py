"""Selectors, peers and ports in a person's words (pure)."""

from __future__ import annotations

from schemas.records import (
    AdminPeer,
    AdminPods,
    AdminPort,
    IpBlock,
    LabelRequirement,
    LabelSelector,
    PolicyPeer,
    PolicyPort,
)


def selector(wanted: LabelSelector) -> str:
    """As kubectl writes one: `app=web, tier in (a, b), !debug`; '' for the one that selects all."""
    parts = [f"{key}={value}" for key, value in sorted(wanted.match_labels.items())]
    return ", ".join([*parts, *map(_requirement, wanted.match_expressions)])


def peer(wanted: PolicyPeer, home: str) -> str:
    """Who a peer is; `home` is the policy's namespace."""
    if wanted.ip_block is not None:
        return block(wanted.ip_block)
    who = _pods(wanted.pod_selector or LabelSelector())
    if wanted.namespace_selector is None:
        return f"{who} in {home}"
    return f"{who} in {_namespaces(wanted.namespace_selector)}"


def admin_peer(wanted: AdminPeer) -> str:
    """Who an administrator's peer is."""
    if wanted.pods is not None:
        return subject(wanted.pods)
    if wanted.nodes is not None:
        return f"nodes {selector(wanted.nodes)}" if selector(wanted.nodes) else "every node"
    return f"networks {', '.join(wanted.networks)}" if wanted.networks else f"names {', '.join(wanted.domain_names)}"


def subject(wanted: AdminPods) -> str:
    """Pods by namespace and labels."""
    return f"{_pods(wanted.pod_selector)} in {_namespaces(wanted.namespace_selector)}"


def block(wanted: IpBlock) -> str:
    """An IP block."""
    return f"addresses {wanted.cidr}" + (f" except {', '.join(wanted.excluded)}" if wanted.excluded else "")


def port(wanted: PolicyPort | AdminPort) -> str:
    """`80/TCP`, `80-90/TCP`, `every TCP port`, `the port named http`."""
    if wanted.port_name:
        return f"the {wanted.protocol + ' ' if wanted.protocol else ''}port named {wanted.port_name}"
    if not wanted.port:
        return f"every {wanted.protocol} port"
    numbers = f"{wanted.port}-{wanted.end_port}" if wanted.end_port else str(wanted.port)
    return f"{numbers}/{wanted.protocol}"


def _pods(wanted: LabelSelector) -> str:
    return f"pods {selector(wanted)}" if selector(wanted) else "every pod"


def _namespaces(wanted: LabelSelector) -> str:
    return f"namespaces {selector(wanted)}" if selector(wanted) else "every namespace"


def _requirement(wanted: LabelRequirement) -> str:
    values = f"({', '.join(wanted.values)})"
    return {
        "In": f"{wanted.key} in {values}",
        "NotIn": f"{wanted.key} not in {values}",
        "Exists": wanted.key,
        "DoesNotExist": f"!{wanted.key}",
    }[wanted.operator]
