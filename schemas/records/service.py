"""Service (v1) as networking sees it (pure)."""

from __future__ import annotations

import msgspec

LOAD_BALANCER = "LoadBalancer"
LOAD_BALANCER_CLASS = "opencontrail.org/floating-ip-pool"
"""The load-balancer class that is ours; a service that names no class is ours, too."""


class ServicePort(msgspec.Struct, frozen=True, kw_only=True):
    """One port; back-ends listen on `target_port`, or on their port of the name `target_port_name` if there is one."""

    port: int
    name: str = ""
    protocol: str = "TCP"
    target_port: int = 0
    target_port_name: str = ""
    node_port: int = 0
    app_protocol: str = ""


class LoadBalancerAddress(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of `status.loadBalancer.ingress`: an address or a host name."""

    ip: str = ""
    hostname: str = ""


class ServiceRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a service's addresses, ports and rules are made from.

    `type` is ClusterIP, NodePort, LoadBalancer or ExternalName. `cluster_ips` is in Kubernetes' order, the primary one
    first, and empty for a `headless` service and for one that has none yet. Without `selector` its slices are
    somebody else's work. `affinity_seconds` is the time of client affinity, 0 where there is none. Traffic policies are
    Cluster or Local. `load_balancer` is what the status announces. Other lists are sorted.
    """

    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    type: str = "ClusterIP"
    headless: bool = False
    cluster_ips: tuple[str, ...] = ()
    ip_families: tuple[str, ...] = ()
    ports: tuple[ServicePort, ...] = ()
    selector: dict[str, str] = {}
    external_ips: tuple[str, ...] = ()
    external_name: str = ""
    load_balancer_ip: str = ""
    load_balancer_class: str = ""
    load_balancer_source_ranges: tuple[str, ...] = ()
    affinity_seconds: int = 0
    publish_not_ready: bool = False
    internal_traffic_policy: str = "Cluster"
    external_traffic_policy: str = "Cluster"
    load_balancer: tuple[LoadBalancerAddress, ...] = ()
    deleting: bool = False

    @property
    def balances(self) -> bool:
        """Whether it asks us for public addresses by its type."""
        return self.type == LOAD_BALANCER and self.load_balancer_class in ("", LOAD_BALANCER_CLASS)
