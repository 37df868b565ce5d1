"""NetworkPolicy (networking.k8s.io/v1): raw JSON to NetworkPolicyRecord (pure).

What Kubernetes treats alike becomes alike (no peers and an empty list of peers are everyone), and what it tells apart
stays apart (a peer's absent selector and its empty one; no rules and one empty rule).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from schemas.errors import MalformedObject
from schemas.records import IpBlock, NetworkPolicyRecord, PolicyPeer, PolicyPort, PolicyRule
from watchers.kinds.canonical import LONGEST, in_order, one_of, prefix, sorted_texts
from watchers.kinds.kind import Kind, Metadata, Port
from watchers.kinds.selectors import SelectorInput, optional_selector, selector
from watchers.kinds.service import PROTOCOLS

INGRESS, EGRESS = "Ingress", "Egress"


class IpBlockInput(msgspec.Struct, gc=False, rename={"excluded": "except"}):
    """`ipBlock`."""

    cidr: str
    excluded: list[str] | None = None


class PeerInput(msgspec.Struct, gc=False, rename="camel"):
    """One entry of `from` or `to`."""

    pod_selector: SelectorInput | None = None
    namespace_selector: SelectorInput | None = None
    ip_block: IpBlockInput | None = None


class PortInput(msgspec.Struct, gc=False, rename="camel"):
    """One entry of `ports`."""

    protocol: str | None = None
    port: Port | str | None = None
    end_port: Port | None = None


class IngressInput(msgspec.Struct, gc=False, rename={"peers": "from"}):
    """One entry of `spec.ingress`."""

    peers: list[PeerInput] | None = None
    ports: list[PortInput] | None = None


class EgressInput(msgspec.Struct, gc=False, rename={"peers": "to"}):
    """One entry of `spec.egress`."""

    peers: list[PeerInput] | None = None
    ports: list[PortInput] | None = None


class PolicySpec(msgspec.Struct, gc=False, rename="camel"):
    """`spec`."""

    pod_selector: SelectorInput | None = None
    policy_types: list[str] | None = None
    ingress: list[IngressInput] | None = None
    egress: list[EgressInput] | None = None


class PolicyInput(msgspec.Struct, gc=False):
    """What is read of a NetworkPolicy."""

    metadata: Metadata
    spec: PolicySpec | None = None


def normalize(raw: PolicyInput) -> NetworkPolicyRecord:
    """The record of one NetworkPolicy; rules for a direction that it does not isolate are dropped, as they are void."""
    spec = raw.spec or PolicySpec()
    types = _types(spec)
    return NetworkPolicyRecord(
        pod_selector=selector(spec.pod_selector or SelectorInput(), "spec.podSelector"),
        isolates_ingress=INGRESS in types,
        isolates_egress=EGRESS in types,
        ingress=_rules(spec.ingress, "ingress", "from") if INGRESS in types else (),
        egress=_rules(spec.egress, "egress", "to") if EGRESS in types else (),
    )


def _types(spec: PolicySpec) -> set[str]:
    """As the API server fills them in: always Ingress, and Egress where there are rules for it."""
    if not spec.policy_types:
        return {INGRESS, EGRESS} if spec.egress else {INGRESS}
    named = enumerate(spec.policy_types)
    return {one_of(each, (INGRESS, EGRESS), f"spec.policyTypes[{i}]") for i, each in named}


def _rules(found: Sequence[IngressInput | EgressInput] | None, direction: str, peers: str) -> tuple[PolicyRule, ...]:
    rules = []
    for i, raw in enumerate(found or ()):
        field = f"spec.{direction}[{i}]"
        rules.append(
            PolicyRule(
                peers=in_order(_peer(each, f"{field}.{peers}[{j}]") for j, each in enumerate(raw.peers or ())),
                ports=in_order(_port(each, f"{field}.ports[{j}]") for j, each in enumerate(raw.ports or ())),
            )
        )
    return in_order(rules)


def _peer(raw: PeerInput, field: str) -> PolicyPeer:
    selects = raw.pod_selector is not None or raw.namespace_selector is not None
    if selects == (raw.ip_block is not None):
        found = "both selectors and an ipBlock" if selects else "neither a selector nor an ipBlock"
        raise MalformedObject(f"{field} has {found}; accepted is podSelector, namespaceSelector or both, or ipBlock")
    return PolicyPeer(
        pod_selector=optional_selector(raw.pod_selector, f"{field}.podSelector"),
        namespace_selector=optional_selector(raw.namespace_selector, f"{field}.namespaceSelector"),
        ip_block=None if raw.ip_block is None else _ip_block(raw.ip_block, f"{field}.ipBlock"),
    )


def _ip_block(raw: IpBlockInput, field: str) -> IpBlock:
    excluded = [_prefix(each, f"{field}.except[{i}]") for i, each in enumerate(raw.excluded or ())]
    return IpBlock(cidr=_prefix(raw.cidr, f"{field}.cidr"), excluded=sorted_texts(excluded))


def _prefix(text: str, field: str) -> str:
    """The prefix without host bits, which old API servers let through."""
    found = prefix(text)
    if found is None:
        raise MalformedObject(f"{field} is {text[:LONGEST]!r}; accepted is a prefix as 10.0.0.0/8")
    return found


def _port(raw: PortInput, field: str) -> PolicyPort:
    if raw.port in (0, ""):  # not taken for none, which is every port
        raise MalformedObject(f"{field}.port is {raw.port!r}; accepted are 1 to 65535, a name, or none")
    port, end_port = raw.port or 0, raw.end_port or 0
    protocol = one_of(raw.protocol or "TCP", PROTOCOLS, f"{field}.protocol")
    if isinstance(port, str):
        if raw.end_port is not None:
            raise MalformedObject(f"{field}.endPort is {end_port}; accepted is none beside the named port {port!r}")
        return PolicyPort(protocol=protocol, port_name=port)
    if raw.end_port is not None and not 0 < port <= end_port:
        raise MalformedObject(f"{field}.endPort is {end_port}; accepted are {port or 'a port number'} and above")
    return PolicyPort(protocol=protocol, port=port, end_port=0 if end_port == port else end_port)


KIND = Kind("NetworkPolicy", "networkpolicies", PolicyInput, normalize, api_version="networking.k8s.io/v1")
