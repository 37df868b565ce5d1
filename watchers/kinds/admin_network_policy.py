"""AdminNetworkPolicy and BaselineAdminNetworkPolicy (policy.networking.k8s.io/v1alpha1): raw JSON to records (pure).

Rules keep their order, since the first that matches decides; within a rule no order means anything. A field that is
not known here makes the object malformed: a rule or selector of which a part is not understood would match more than
was meant. (v0.1.0 of the API, for one, wrote `namespaces: {namespaceSelector: …}`, which is no selector today.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec

from schemas.errors import MalformedObject
from schemas.records import (
    AdminNetworkPolicyRecord,
    AdminPeer,
    AdminPods,
    AdminPort,
    AdminRule,
    BaselineAdminNetworkPolicyRecord,
)
from watchers.kinds.canonical import LONGEST, in_order, one_of, prefix, sorted_texts
from watchers.kinds.kind import Kind, Metadata
from watchers.kinds.selectors import SelectorInput, optional_selector, selector
from watchers.kinds.service import PROTOCOLS

API_VERSION = "policy.networking.k8s.io/v1alpha1"
ONLY = "default"
"""The one name that a BaselineAdminNetworkPolicy can have."""
ALLOW, DENY, PASS = "Allow", "Deny", "Pass"
ADMIN_ACTIONS, BASELINE_ACTIONS = (ALLOW, DENY, PASS), (ALLOW, DENY)
FROM = ("namespaces", "pods")
BASELINE_TO = (*FROM, "nodes", "networks")
ADMIN_TO = (*BASELINE_TO, "domainNames")

PortNumber = Annotated[int, msgspec.Meta(ge=1, le=65535)]
Priority = Annotated[int, msgspec.Meta(ge=0, le=1000)]


class Selector(SelectorInput, gc=False, rename="camel", forbid_unknown_fields=True):
    """A selector of which every part is known."""


class PodsInput(msgspec.Struct, gc=False, rename="camel", forbid_unknown_fields=True):
    """`pods` of a subject or peer."""

    namespace_selector: Selector
    pod_selector: Selector


class SubjectInput(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """`spec.subject`."""

    namespaces: Selector | None = None
    pods: PodsInput | None = None


class PeerInput(msgspec.Struct, gc=False, rename="camel", forbid_unknown_fields=True):
    """One entry of `from` or `to`."""

    namespaces: Selector | None = None
    pods: PodsInput | None = None
    nodes: Selector | None = None
    networks: list[str] | None = None
    domain_names: list[str] | None = None


class NumberInput(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """`portNumber`."""

    port: PortNumber
    protocol: str = "TCP"


class RangeInput(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """`portRange`."""

    start: PortNumber
    end: PortNumber
    protocol: str = "TCP"


class PortInput(msgspec.Struct, gc=False, rename="camel", forbid_unknown_fields=True):
    """One entry of `ports`."""

    port_number: NumberInput | None = None
    port_range: RangeInput | None = None
    named_port: str | None = None


class IngressInput(msgspec.Struct, gc=False, rename={"peers": "from"}, forbid_unknown_fields=True):
    """One entry of `spec.ingress`."""

    action: str
    peers: list[PeerInput]
    ports: list[PortInput] | None = None
    name: str = ""


class EgressInput(msgspec.Struct, gc=False, rename={"peers": "to"}, forbid_unknown_fields=True):
    """One entry of `spec.egress`."""

    action: str
    peers: list[PeerInput]
    ports: list[PortInput] | None = None
    name: str = ""


class AdminSpec(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """`spec` of an AdminNetworkPolicy."""

    priority: Priority
    subject: SubjectInput
    ingress: list[IngressInput] | None = None
    egress: list[EgressInput] | None = None


class BaselineSpec(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """`spec` of the BaselineAdminNetworkPolicy."""

    subject: SubjectInput
    ingress: list[IngressInput] | None = None
    egress: list[EgressInput] | None = None


class AdminInput(msgspec.Struct, gc=False):
    """What is read of an AdminNetworkPolicy."""

    metadata: Metadata
    spec: AdminSpec | None = None


class BaselineInput(msgspec.Struct, gc=False):
    """What is read of the BaselineAdminNetworkPolicy."""

    metadata: Metadata
    spec: BaselineSpec | None = None


def normalize_admin(raw: AdminInput) -> AdminNetworkPolicyRecord:
    """The record of one AdminNetworkPolicy."""
    if raw.spec is None:
        raise MalformedObject("spec is missing; accepted are priority, subject, ingress and egress")
    return AdminNetworkPolicyRecord(
        priority=raw.spec.priority,
        subject=_subject(raw.spec.subject),
        ingress=_rules(raw.spec.ingress, "spec.ingress", "from", FROM, ADMIN_ACTIONS),
        egress=_rules(raw.spec.egress, "spec.egress", "to", ADMIN_TO, ADMIN_ACTIONS),
    )


def normalize_baseline(raw: BaselineInput) -> BaselineAdminNetworkPolicyRecord:
    """The record of the one BaselineAdminNetworkPolicy."""
    one_of(raw.metadata.name, (ONLY,), "metadata.name")
    if raw.spec is None:
        raise MalformedObject("spec is missing; accepted are subject, ingress and egress")
    return BaselineAdminNetworkPolicyRecord(
        subject=_subject(raw.spec.subject),
        ingress=_rules(raw.spec.ingress, "spec.ingress", "from", FROM, BASELINE_ACTIONS),
        egress=_rules(raw.spec.egress, "spec.egress", "to", BASELINE_TO, BASELINE_ACTIONS),
    )


def _subject(raw: SubjectInput) -> AdminPods:
    pods = _pods(raw.namespaces, raw.pods, "spec.subject")
    if pods is None or (raw.namespaces is not None and raw.pods is not None):
        found = "neither" if pods is None else "both"
        raise MalformedObject(f"spec.subject has {found} of namespaces and pods; accepted is one of them")
    return pods


def _pods(namespaces: Selector | None, pods: PodsInput | None, field: str) -> AdminPods | None:
    """All pods of some namespaces are the pods of these with any labels."""
    if namespaces is not None:
        return AdminPods(namespace_selector=selector(namespaces, f"{field}.namespaces"))
    if pods is not None:
        return AdminPods(
            namespace_selector=selector(pods.namespace_selector, f"{field}.pods.namespaceSelector"),
            pod_selector=selector(pods.pod_selector, f"{field}.pods.podSelector"),
        )
    return None


def _rules(
    found: Sequence[IngressInput | EgressInput] | None,
    field: str,
    peers: str,
    accepted: tuple[str, ...],
    actions: tuple[str, ...],
) -> tuple[AdminRule, ...]:
    return tuple(_rule(each, f"{field}[{i}]", peers, accepted, actions) for i, each in enumerate(found or ()))


def _rule(
    raw: IngressInput | EgressInput, field: str, peers: str, accepted: tuple[str, ...], actions: tuple[str, ...]
) -> AdminRule:
    rule = AdminRule(
        action=one_of(raw.action, actions, f"{field}.action"),
        peers=in_order(_peer(each, f"{field}.{peers}[{i}]", accepted) for i, each in enumerate(raw.peers)),
        ports=in_order(_port(each, f"{field}.ports[{i}]") for i, each in enumerate(raw.ports or ())),
        name=raw.name,
    )
    if not rule.peers:
        raise MalformedObject(f"{field}.{peers} is empty; accepted are one or more peers")
    if rule.action != ALLOW and any(peer.domain_names for peer in rule.peers):
        raise MalformedObject(f"{field}.action is {rule.action!r}; accepted with domainNames is {ALLOW}")
    if any(port.port_name for port in rule.ports) and any(peer.pods is None for peer in rule.peers):
        raise MalformedObject(f"{field}.ports has a namedPort; accepted are those with peers that are pods only")
    return rule


def _peer(raw: PeerInput, field: str, accepted: tuple[str, ...]) -> AdminPeer:
    values = (raw.namespaces, raw.pods, raw.nodes, raw.networks, raw.domain_names)
    present = [name for name, value in zip(ADMIN_TO, values, strict=True) if value is not None]
    if len(present) != 1 or present[0] not in accepted:
        found = " and ".join(present) or "nothing that is known here"
        raise MalformedObject(f"{field} has {found}; accepted is one of {', '.join(accepted)}")
    if raw.networks == [] or raw.domain_names == []:
        raise MalformedObject(f"{field}.{present[0]} is empty; accepted are one or more")
    return AdminPeer(
        pods=_pods(raw.namespaces, raw.pods, field),
        nodes=optional_selector(raw.nodes, f"{field}.nodes"),
        networks=sorted_texts([_prefix(each, f"{field}.networks[{i}]") for i, each in enumerate(raw.networks or ())]),
        domain_names=sorted_texts(raw.domain_names),
    )


def _prefix(text: str, field: str) -> str:
    """The prefix without host bits; the API takes no IPv4 address inside an IPv6 one."""
    found = prefix(text) if (":" in text) != ("." in text) else None
    if found is None:
        raise MalformedObject(f"{field} is {text[:LONGEST]!r}; accepted is a prefix as 10.0.0.0/8 or fd00::/8")
    return found


def _port(raw: PortInput, field: str) -> AdminPort:
    values = (raw.port_number, raw.port_range, raw.named_port)
    if sum(value is not None for value in values) != 1 or raw.named_port == "":
        raise MalformedObject(f"{field} names no port or several; accepted is one of portNumber, portRange, namedPort")
    if raw.port_number:
        protocol = one_of(raw.port_number.protocol, PROTOCOLS, f"{field}.portNumber.protocol")
        return AdminPort(protocol=protocol, port=raw.port_number.port)
    if raw.port_range:
        return _range(raw.port_range, f"{field}.portRange")
    return AdminPort(port_name=raw.named_port or "")


def _range(raw: RangeInput, field: str) -> AdminPort:
    if raw.start > raw.end:
        raise MalformedObject(f"{field} is {raw.start} to {raw.end}; accepted is the lower one first")
    end_port = 0 if raw.start == raw.end else raw.end
    return AdminPort(protocol=one_of(raw.protocol, PROTOCOLS, f"{field}.protocol"), port=raw.start, end_port=end_port)


KINDS = (
    Kind(
        "AdminNetworkPolicy",
        "adminnetworkpolicies",
        AdminInput,
        normalize_admin,
        api_version=API_VERSION,
        namespaced=False,
        optional=True,
    ),
    Kind(
        "BaselineAdminNetworkPolicy",
        "baselineadminnetworkpolicies",
        BaselineInput,
        normalize_baseline,
        api_version=API_VERSION,
        namespaced=False,
        optional=True,
    ),
)
