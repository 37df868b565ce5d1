"""The cluster's settings as a resource, so that bootstrap objects are a translation like any other (pure)."""

from __future__ import annotations

import msgspec


class SettingsRecord(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True):
    """What the cluster-wide objects are made from; never on the bus: the translator makes it from its settings.

    Subnets are CIDR texts in the order of the settings. `project` is '' for a project per namespace, else the name of
    the one project for all; it exists already. `public_pool` is `domain:project:network:pool`, or ''.
    `service_load_balancer` is floating-ip or loadbalancer: what a service's cluster addresses are made of.
    `port_translation_pools` are texts as `tcp:56000-57023`.
    `nested`: nodes are virtual machines of this Contrail, in the network `nested_network` (colon-joined fq_name, '' if
    not told).
    """

    cluster: str
    owner: str
    domain: str
    pod_subnets: tuple[str, ...]
    service_subnets: tuple[str, ...]
    ip_fabric_subnets: tuple[str, ...]
    project: str = ""
    ip_fabric_snat: bool = False
    ip_fabric_forwarding: bool = False
    public_pool: str = ""
    ingress_without_class: bool = False
    service_load_balancer: str = "floating-ip"
    port_translation_pools: tuple[str, ...] = ()
    link_local_services: bool = True
    virtual_routers: bool = False
    nested: bool = False
    nested_network: str = ""
