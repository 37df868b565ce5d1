"""Events of service chains in few words, with the networks and pods that the tests of chains want."""

from __future__ import annotations

from typing import Any

from schemas.events import ChangeEvent, Op
from schemas.records import (
    ChainNetwork,
    ChainPort,
    ChainService,
    ChainTraffic,
    LabelRequirement,
    LabelSelector,
    ServiceChainRecord,
)
from tests.translator.facts import attachment, event, namespace, node, pod

NETWORKS = "k8s.v1.cni.cncf.io/networks"
SHOP, NODE = namespace(), node()
INSIDE = attachment("inside", cidr="10.200.1.0/24")
OUTSIDE = attachment("outside", cidr="10.200.2.0/24")
THERE = (NODE, SHOP, INSIDE, OUTSIDE)
"""What a chain in namespace shop needs before it can be."""
LEFT_NETWORK = "default-domain:k8s-shop:k8s-inside-pod-network"
RIGHT_NETWORK = "default-domain:k8s-shop:k8s-outside-pod-network"
POLICY = "default-domain:k8s-shop:k8s-shop__inspect-service-chain"


def selecting(*requirements: LabelRequirement, **labels: str) -> LabelSelector:
    """A selector of these labels."""
    return LabelSelector(match_labels=labels, match_expressions=requirements)


def service(name: str = "firewall", mode: str = "in-network", **fields: Any) -> ChainService:
    """A service of the pods with label app: <its name>."""
    return ChainService(**{"name": name, "mode": mode, "pod_selector": selecting(app=name), **fields})


def end(**fields: str) -> ChainNetwork:
    """An end of a chain."""
    return ChainNetwork(**fields)


def traffic(protocol: str = "TCP", *ports: int | tuple[int, int], direction: str = "both") -> ChainTraffic:
    """Traffic to these ports or ranges."""
    ranges = [(each, each) if isinstance(each, int) else each for each in ports]
    every = tuple(ChainPort(port=first, end_port=last) for first, last in ranges)
    return ChainTraffic(protocol=protocol, ports=every, direction=direction)


def chain(name: str = "inspect", *services: ChainService, **fields: Any) -> ChangeEvent:
    """A chain from network inside to network outside, in namespace shop; keywords are fields of the record."""
    every: dict[str, Any] = {
        "left": end(attachment="shop/inside"),
        "right": end(attachment="shop/outside"),
        "services": services or (service(),),
        "traffic": (ChainTraffic(),),
    }
    return event(Op.UPSERT, "ServiceChain", "shop", name, 1, ServiceChainRecord(**{**every, **fields}))


def provider(name: str = "fw-0", app: str = "firewall", networks: str = "inside,outside", **fields: Any) -> ChangeEvent:
    """A pod with an interface in both networks."""
    return pod(name, labels={"app": app}, annotations={NETWORKS: networks} if networks else {}, **fields)
