"""Back-ends of an ingress: the cluster address and port that a proxy sends requests to, or why there is none (pure).

A proxy knows the service's cluster address alone, and the service spreads over its pods: so pods come and go without
the proxies being told. A route whose back-end cannot be reached answers 503, as Kubernetes has it, and never
another's pages.
"""

from __future__ import annotations

from typing import cast

import msgspec

from schemas.records import IngressBackend, ServiceRecord, SettingsRecord
from translator.notice import Notice
from translator.resource import Resource
from translator.translate import service_address
from translator.translate.addresses import family_of

NOT_SERVED = "BackendNotServed"


class Target(msgspec.Struct, frozen=True, gc=False):
    """Where a proxy sends requests."""

    service: str
    address: str
    port: int


def target(
    field: str, backend: IngressBackend, service: Resource | None, settings: SettingsRecord, family: str
) -> Target | Notice:
    """The target of a back-end, given its service; a notice that begins with the field if there is none."""
    if backend.resource:
        return _unserved(field, f"is resource {backend.resource}; only services can be served")
    if service is None:
        return _unserved(field, f"is service {backend.service}, which is not there")
    record = cast(ServiceRecord, service.body)
    address = _address(record, settings, family)
    if address is None:
        return _unserved(field, f"is service {backend.service}, which has no cluster address that is IP{family}")
    port = _port(backend, record)
    if port is None:
        wanted = f"{backend.port_name!r}" if backend.port_name else str(backend.port)
        return _unserved(field, f"is service {backend.service}, which has no TCP port {wanted}")
    return Target(backend.service, address, port)


def _port(backend: IngressBackend, record: ServiceRecord) -> int | None:
    for port in record.ports:
        is_meant = port.name == backend.port_name if backend.port_name else port.port == backend.port
        if is_meant and port.protocol == "TCP":
            return port.port
    return None


def _address(record: ServiceRecord, settings: SettingsRecord, family: str) -> str | None:
    if not service_address.is_served(record):
        return None
    for address in record.cluster_ips:
        if family_of(address) == family and service_address.is_within(settings, address):
            return address
    return None


def _unserved(field: str, why: str) -> Notice:
    return Notice(NOT_SERVED, f"{field} {why}; what it is for is answered with 503")
