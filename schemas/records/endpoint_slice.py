"""EndpointSlice (discovery.k8s.io/v1) as networking sees it (pure)."""

from __future__ import annotations

import msgspec


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One back-end. All of `addresses` are the same back-end, and the first one is used.

    A condition that the API leaves unknown is read as kube-proxy reads it: ready and serving, and not terminating.
    `pod_uid` and `pod_name` are '' where the endpoint is no pod.
    """

    addresses: tuple[str, ...] = ()
    ready: bool = True
    serving: bool = True
    terminating: bool = False
    pod_uid: str = ""
    pod_name: str = ""
    node_name: str = ""


class EndpointPort(msgspec.Struct, frozen=True, kw_only=True):
    """A port of every endpoint of the slice; 0 stands for all ports."""

    port: int = 0
    name: str = ""
    protocol: str = "TCP"
    app_protocol: str = ""


class EndpointSliceRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the back-ends of `service`, which is in the same namespace; '' where the slice belongs to none.

    `address_type` is IPv4, IPv6 or FQDN. Endpoints are sorted by their addresses, ports by number.
    """

    service: str = ""
    address_type: str = "IPv4"
    endpoints: tuple[Endpoint, ...] = ()
    ports: tuple[EndpointPort, ...] = ()
