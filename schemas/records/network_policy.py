"""NetworkPolicy (networking.k8s.io/v1) as networking sees it (pure)."""

from __future__ import annotations

import msgspec

from schemas.records.selector import LabelSelector


class IpBlock(msgspec.Struct, frozen=True, kw_only=True):
    """A prefix without some prefixes inside it (`except`)."""

    cidr: str
    excluded: tuple[str, ...] = ()


class PolicyPeer(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of `from` or `to`: an IP block, or pods.

    Without a namespace selector the pods are of the policy's own namespace; without a pod selector they are all pods of
    the namespaces. An empty selector is not an absent one: as namespace selector it is every namespace.
    """

    pod_selector: LabelSelector | None = None
    namespace_selector: LabelSelector | None = None
    ip_block: IpBlock | None = None


class PolicyPort(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of `ports`: `port` to `end_port`, or the pod's port of that name; without any, every port."""

    protocol: str = "TCP"
    port: int = 0
    end_port: int = 0
    port_name: str = ""


class PolicyRule(msgspec.Struct, frozen=True, kw_only=True):
    """What one rule allows: these peers on these ports; no peers is everyone, no ports is every port."""

    peers: tuple[PolicyPeer, ...] = ()
    ports: tuple[PolicyPort, ...] = ()


class NetworkPolicyRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Which pods are isolated, and what they may nevertheless.

    A policy that does not isolate for a direction has no rules for it. One that isolates and has none allows nothing;
    one rule without peers and ports allows everything. In canonical order, since in a policy no order means anything.
    """

    pod_selector: LabelSelector = LabelSelector()
    isolates_ingress: bool = False
    isolates_egress: bool = False
    ingress: tuple[PolicyRule, ...] = ()
    egress: tuple[PolicyRule, ...] = ()
