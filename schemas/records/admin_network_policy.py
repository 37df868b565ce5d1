"""AdminNetworkPolicy and BaselineAdminNetworkPolicy (policy.networking.k8s.io) as networking sees them (pure)."""

from __future__ import annotations

import msgspec

from schemas.records.selector import LabelSelector


class AdminPods(msgspec.Struct, frozen=True, kw_only=True):
    """Pods by the labels of their namespace and their own; an empty selector selects all. Never pods of the host."""

    namespace_selector: LabelSelector = LabelSelector()
    pod_selector: LabelSelector = LabelSelector()


class AdminPeer(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of `from` or `to`; exactly one of the four is set, and only `pods` in `from`.

    `nodes` are the addresses of the nodes with these labels; `networks` are prefixes, in which addresses of pods count
    as any other.
    """

    pods: AdminPods | None = None
    nodes: LabelSelector | None = None
    networks: tuple[str, ...] = ()
    domain_names: tuple[str, ...] = ()


class AdminPort(msgspec.Struct, frozen=True, kw_only=True):
    """`port` to `end_port` of a protocol (one port without the latter), or the destination pod's ports of that name.

    A port that is named has no protocol of its own: it is that of the pod's port.
    """

    protocol: str = ""
    port: int = 0
    end_port: int = 0
    port_name: str = ""


class AdminRule(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of traffic with one of these peers on one of these ports: `action` is Allow, Deny or Pass.

    Without ports it is all traffic, of any protocol. `name` is for people.
    """

    action: str
    peers: tuple[AdminPeer, ...] = ()
    ports: tuple[AdminPort, ...] = ()
    name: str = ""


class AdminNetworkPolicyRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Rules before all NetworkPolicies, for the pods that are its subject.

    The rules are in the order in which they are written: the first that matches decides. A lower priority is asked
    first.
    """

    priority: int = 0
    subject: AdminPods = AdminPods()
    ingress: tuple[AdminRule, ...] = ()
    egress: tuple[AdminRule, ...] = ()


class BaselineAdminNetworkPolicyRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Rules for the pods that are its subject and that no NetworkPolicy isolates, in the order written; never Pass."""

    subject: AdminPods = AdminPods()
    ingress: tuple[AdminRule, ...] = ()
    egress: tuple[AdminRule, ...] = ()
