"""Service (v1): raw JSON to ServiceRecord (pure)."""

from __future__ import annotations

import msgspec

from schemas.errors import MalformedObject
from schemas.records import LoadBalancerAddress, ServicePort, ServiceRecord
from watchers.kinds.annotations import kept
from watchers.kinds.canonical import in_order, one_of, sorted_texts
from watchers.kinds.kind import Kind, Metadata, Port

TYPES = ("ClusterIP", "NodePort", "LoadBalancer", "ExternalName")
PROTOCOLS = ("TCP", "UDP", "SCTP")
HEADLESS = "None"
AFFINITY_SECONDS = 10_800
"""What Kubernetes takes when client affinity names no time."""


class PortInput(msgspec.Struct, gc=False, rename="camel"):
    """One entry of `spec.ports`."""

    port: Port
    name: str = ""
    protocol: str = "TCP"
    target_port: Port | str = 0
    node_port: Port = 0
    app_protocol: str | None = None


class ClientAffinity(msgspec.Struct, gc=False, rename="camel"):
    """`sessionAffinityConfig.clientIP`."""

    timeout_seconds: int | None = None


class AffinityConfig(msgspec.Struct, gc=False):
    """`sessionAffinityConfig`."""

    clientIP: ClientAffinity | None = None  # noqa: N815 - the API's spelling, which no renaming rule gives


class ServiceSpec(msgspec.Struct, gc=False, rename="camel"):
    """`spec`."""

    type: str = "ClusterIP"
    clusterIP: str = ""  # noqa: N815
    clusterIPs: list[str] | None = None  # noqa: N815
    ip_families: list[str] | None = None
    ports: list[PortInput] | None = None
    selector: dict[str, str] | None = None
    externalIPs: list[str] | None = None  # noqa: N815
    external_name: str = ""
    loadBalancerIP: str = ""  # noqa: N815
    load_balancer_class: str | None = None
    load_balancer_source_ranges: list[str] | None = None
    session_affinity: str = "None"
    session_affinity_config: AffinityConfig | None = None
    publish_not_ready_addresses: bool = False
    internal_traffic_policy: str | None = None
    external_traffic_policy: str = ""


class AddressInput(msgspec.Struct, gc=False):
    """One entry of `status.loadBalancer.ingress`."""

    ip: str = ""
    hostname: str = ""


class LoadBalancerStatus(msgspec.Struct, gc=False):
    """`status.loadBalancer`."""

    ingress: list[AddressInput] | None = None


class ServiceStatus(msgspec.Struct, gc=False, rename="camel"):
    """`status`; conditions are never read."""

    load_balancer: LoadBalancerStatus | None = None


class ServiceInput(msgspec.Struct, gc=False):
    """What is read of a Service."""

    metadata: Metadata
    spec: ServiceSpec | None = None
    status: ServiceStatus | None = None


def normalize(raw: ServiceInput) -> ServiceRecord:
    """The record of one Service."""
    spec = raw.spec or ServiceSpec()
    cluster_ips = tuple(spec.clusterIPs or ([spec.clusterIP] if spec.clusterIP else ()))
    return ServiceRecord(
        labels=raw.metadata.labels or {},
        annotations=kept(raw.metadata.annotations),
        type=one_of(spec.type, TYPES, "spec.type"),
        headless=HEADLESS in cluster_ips,
        cluster_ips=() if HEADLESS in cluster_ips else cluster_ips,
        ip_families=tuple(spec.ip_families or ()),
        ports=_ports(spec.ports or []),
        selector=spec.selector or {},
        external_ips=sorted_texts(spec.externalIPs),
        external_name=spec.external_name,
        load_balancer_ip=spec.loadBalancerIP,
        load_balancer_class=spec.load_balancer_class or "",
        load_balancer_source_ranges=sorted_texts(spec.load_balancer_source_ranges),
        affinity_seconds=_affinity(spec),
        publish_not_ready=spec.publish_not_ready_addresses,
        internal_traffic_policy=spec.internal_traffic_policy or "Cluster",
        external_traffic_policy=spec.external_traffic_policy or "Cluster",
        load_balancer=_announced(raw.status),
        deleting=raw.metadata.deletion_timestamp is not None,
    )


def _ports(found: list[PortInput]) -> tuple[ServicePort, ...]:
    """By number and protocol; where the target is not named it is the port itself."""
    ports = [_port(each, f"spec.ports[{i}]") for i, each in enumerate(found)]
    return tuple(sorted(ports, key=lambda port: (port.port, port.protocol, port.name)))


def _port(raw: PortInput, field: str) -> ServicePort:
    named = isinstance(raw.target_port, str)
    return ServicePort(
        port=raw.port,
        name=raw.name,
        protocol=one_of(raw.protocol, PROTOCOLS, f"{field}.protocol"),
        target_port=0 if isinstance(raw.target_port, str) else raw.target_port or raw.port,
        target_port_name=str(raw.target_port) if named else "",
        node_port=raw.node_port,
        app_protocol=raw.app_protocol or "",
    )


def _affinity(spec: ServiceSpec) -> int:
    if one_of(spec.session_affinity or "None", ("None", "ClientIP"), "spec.sessionAffinity") == "None":
        return 0
    client = spec.session_affinity_config.clientIP if spec.session_affinity_config else None
    seconds = AFFINITY_SECONDS if client is None or client.timeout_seconds is None else client.timeout_seconds
    if not 1 <= seconds <= 86_400:
        field = "spec.sessionAffinityConfig.clientIP.timeoutSeconds"
        raise MalformedObject(f"{field} is {seconds}; accepted are 1 to 86400")
    return seconds


def _announced(status: ServiceStatus | None) -> tuple[LoadBalancerAddress, ...]:
    found = status.load_balancer.ingress if status and status.load_balancer else None
    return in_order(LoadBalancerAddress(ip=each.ip, hostname=each.hostname) for each in found or ())


KIND = Kind("Service", "services", ServiceInput, normalize)
