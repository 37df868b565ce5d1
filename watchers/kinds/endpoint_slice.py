"""EndpointSlice (discovery.k8s.io/v1): raw JSON to EndpointSliceRecord (pure).

Labels and annotations are read for the service's name only: leader elections and the time of the last change,
which controllers note there, are nothing to networking.
"""

from __future__ import annotations

import msgspec

from schemas.records import Endpoint, EndpointPort, EndpointSliceRecord
from watchers.kinds.canonical import one_of
from watchers.kinds.kind import Kind, Metadata, Port
from watchers.kinds.service import PROTOCOLS

SERVICE_LABEL = "kubernetes.io/service-name"
ADDRESS_TYPES = ("IPv4", "IPv6", "FQDN")


class Conditions(msgspec.Struct, gc=False):
    """`conditions`; null is unknown."""

    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class Target(msgspec.Struct, gc=False):
    """`targetRef`."""

    kind: str = ""
    name: str = ""
    uid: str = ""


class EndpointInput(msgspec.Struct, gc=False, rename="camel"):
    """One entry of `endpoints`."""

    addresses: list[str] | None = None
    conditions: Conditions | None = None
    target_ref: Target | None = None
    node_name: str | None = None


class PortInput(msgspec.Struct, gc=False, rename="camel"):
    """One entry of `ports`; in this kind everything may be null."""

    port: Port | None = None
    name: str | None = None
    protocol: str | None = None
    app_protocol: str | None = None


class SliceInput(msgspec.Struct, gc=False, rename="camel"):
    """What is read of an EndpointSlice."""

    metadata: Metadata
    address_type: str = "IPv4"
    endpoints: list[EndpointInput] | None = None
    ports: list[PortInput] | None = None


_UNKNOWN, _NO_TARGET = Conditions(), Target()


def normalize(raw: SliceInput) -> EndpointSliceRecord:
    """The record of one EndpointSlice."""
    endpoints = [_endpoint(each) for each in raw.endpoints or ()]
    endpoints.sort(key=_place)
    ports = [_port(each, f"ports[{i}]") for i, each in enumerate(raw.ports or ())]
    ports.sort(key=lambda port: (port.port, port.protocol, port.name))
    return EndpointSliceRecord(
        service=(raw.metadata.labels or {}).get(SERVICE_LABEL, ""),
        address_type=one_of(raw.address_type, ADDRESS_TYPES, "addressType"),
        endpoints=tuple(endpoints),
        ports=tuple(ports),
    )


def _endpoint(raw: EndpointInput) -> Endpoint:
    conditions, target = raw.conditions or _UNKNOWN, raw.target_ref or _NO_TARGET
    pod = target if target.kind == "Pod" else _NO_TARGET
    return Endpoint(
        addresses=tuple(raw.addresses or ()),
        ready=conditions.ready is not False,
        serving=conditions.serving is not False,
        terminating=conditions.terminating is True,
        pod_uid=pod.uid,
        pod_name=pod.name,
        node_name=raw.node_name or "",
    )


def _place(endpoint: Endpoint) -> tuple[tuple[str, ...], str, str, str, bool]:
    return endpoint.addresses, endpoint.pod_uid, endpoint.pod_name, endpoint.node_name, endpoint.ready


def _port(raw: PortInput, field: str) -> EndpointPort:
    return EndpointPort(
        port=raw.port or 0,
        name=raw.name or "",
        protocol=one_of(raw.protocol or "TCP", PROTOCOLS, f"{field}.protocol"),
        app_protocol=raw.app_protocol or "",
    )


KIND = Kind("EndpointSlice", "endpointslices", SliceInput, normalize, api_version="discovery.k8s.io/v1")
