"""ServiceChain (opencontrail.org/v1alpha1), our own kind: raw JSON to ServiceChainRecord (pure).

deploy/kubernetes/servicechain-crd.yaml has the same rules; they are checked here again, as a cluster may have
an older one.
"""

from __future__ import annotations

import msgspec

from schemas.errors import MalformedObject
from schemas.records import ChainNetwork, ChainPort, ChainService, ChainTraffic, ServiceChainRecord
from watchers.kinds.canonical import in_order, one_of
from watchers.kinds.kind import Kind, Metadata, Port
from watchers.kinds.selectors import SelectorInput, selector

MODES = ("in-network", "in-network-nat", "transparent")
PROTOCOLS = ("any", "TCP", "UDP", "SCTP", "ICMP")
WITH_PORTS = frozenset({"TCP", "UDP", "SCTP"})
DIRECTIONS = ("both", "left-to-right")


class AttachmentInput(msgspec.Struct, gc=False):
    """`networkAttachmentDefinition` of an end."""

    name: str
    namespace: str = ""


class ContrailNetworkInput(msgspec.Struct, gc=False):
    """`network` of an end."""

    domain: str
    project: str
    name: str


class EndInput(msgspec.Struct, gc=False, rename="camel"):
    """`spec.left` or `spec.right`."""

    network_attachment_definition: AttachmentInput | None = None
    namespace: str = ""
    network: ContrailNetworkInput | None = None


class ServiceInput(msgspec.Struct, gc=False, rename="camel"):
    """One entry of `spec.services`."""

    name: str
    pod_selector: SelectorInput
    mode: str = "in-network"
    left_interface: str = ""
    right_interface: str = ""


class PortInput(msgspec.Struct, gc=False, rename="camel"):
    """One entry of `ports`."""

    port: Port
    end_port: Port = 0


class TrafficInput(msgspec.Struct, gc=False):
    """One entry of `spec.traffic`."""

    protocol: str = "any"
    ports: list[PortInput] | None = None
    direction: str = "both"


class ChainSpec(msgspec.Struct, gc=False):
    """`spec`."""

    left: EndInput
    right: EndInput
    services: list[ServiceInput]
    traffic: list[TrafficInput] | None = None


class ChainInput(msgspec.Struct, gc=False):
    """What is read of a ServiceChain."""

    metadata: Metadata
    spec: ChainSpec | None = None


def normalize(raw: ChainInput) -> ServiceChainRecord:
    """The record of one ServiceChain; without `traffic` all of it goes through the chain."""
    spec = raw.spec
    if spec is None or not spec.services:
        missing = "spec" if spec is None else "spec.services"
        raise MalformedObject(f"{missing} is missing; accepted are left, right and one or more services")
    names = [service.name for service in spec.services]
    if len(set(names)) < len(names):
        raise MalformedObject(f"spec.services has the names {', '.join(names)}; accepted are different ones")
    traffic = [_traffic(each, f"spec.traffic[{i}]") for i, each in enumerate(spec.traffic or ())]
    return ServiceChainRecord(
        left=_end(spec.left, raw.metadata.namespace, "spec.left"),
        right=_end(spec.right, raw.metadata.namespace, "spec.right"),
        services=tuple(_service(each, f"spec.services[{i}]") for i, each in enumerate(spec.services)),
        traffic=in_order(traffic or [ChainTraffic()]),
        deleting=raw.metadata.deletion_timestamp is not None,
    )


def _end(raw: EndInput, home: str, field: str) -> ChainNetwork:
    attachment, network = raw.network_attachment_definition, raw.network
    ways = sum((attachment is not None, bool(raw.namespace), network is not None))
    if ways != 1:
        accepted = "networkAttachmentDefinition, namespace or network"
        raise MalformedObject(f"{field} names {ways} networks; accepted is exactly one of {accepted}")
    return ChainNetwork(
        attachment=f"{attachment.namespace or home}/{attachment.name}" if attachment else "",
        namespace=raw.namespace,
        network=_network(network, f"{field}.network") if network else "",
    )


def _network(raw: ContrailNetworkInput, field: str) -> str:
    parts = {"domain": raw.domain, "project": raw.project, "name": raw.name}
    for part, text in parts.items():
        if not text or ":" in text:
            raise MalformedObject(f"{field}.{part} is {text[:100]!r}; accepted is a name without ':'")
    return ":".join(parts.values())


def _service(raw: ServiceInput, field: str) -> ChainService:
    return ChainService(
        name=raw.name,
        mode=one_of(raw.mode, MODES, f"{field}.mode"),
        pod_selector=selector(raw.pod_selector, f"{field}.podSelector"),
        left_interface=raw.left_interface,
        right_interface=raw.right_interface,
    )


def _traffic(raw: TrafficInput, field: str) -> ChainTraffic:
    protocol = one_of(raw.protocol, PROTOCOLS, f"{field}.protocol")
    if raw.ports and protocol not in WITH_PORTS:
        raise MalformedObject(f"{field}.ports are set; accepted with protocol {protocol} are none")
    return ChainTraffic(
        protocol=protocol,
        ports=in_order(_port(each, f"{field}.ports[{i}]") for i, each in enumerate(raw.ports or ())),
        direction=one_of(raw.direction, DIRECTIONS, f"{field}.direction"),
    )


def _port(raw: PortInput, field: str) -> ChainPort:
    end_port = raw.end_port or raw.port
    if not 1 <= raw.port <= end_port:
        raise MalformedObject(f"{field} is {raw.port} to {end_port}; accepted are 1 to 65535, the lower one first")
    return ChainPort(port=raw.port, end_port=end_port)


KIND = Kind(
    "ServiceChain", "servicechains", ChainInput, normalize, api_version="opencontrail.org/v1alpha1", optional=True
)
