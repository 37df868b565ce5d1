"""Which port of its back-ends each port of a service leads to (pure).

A numbered target port follows from the service alone. A named one differs per pod, and that of a service without a
selector is told by its slices: there the slice's port of the same name says the number. Kubernetes puts pods that
resolve a name differently into different slices, so what is resolved is the same for all endpoints of a slice.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from schemas.contrail.objects import Json
from schemas.records import EndpointPort, ServicePort, ServiceRecord


class Ports(msgspec.Struct, frozen=True, gc=False):
    """Port mappings (protocol, port, target port), in that order.

    `resolved` tells the part that is the slices' word, '' where the service says all: a text that is equal where all
    of that is equal, and does not change with the ports that the service itself resolves.
    """

    mappings: tuple[tuple[str, int, int], ...]
    resolved: str = ""

    def properties(self) -> dict[str, Json]:
        """As properties of a floating-ip."""
        maps = [
            {"protocol": protocol, "src_port": port, "dst_port": target} for protocol, port, target in self.mappings
        ]
        return {"floating_ip_port_mappings_enable": True, "floating_ip_port_mappings": {"port_mappings": maps}}


def resolve(service: ServiceRecord, told: Iterable[EndpointPort] = ()) -> Ports:
    """Where the service's ports lead, given the ports of one of its slices; a port that leads nowhere is left out."""
    numbers = {(port.name, port.protocol): port.port for port in told}
    mappings, resolved = [], []
    for port in sorted(service.ports, key=lambda port: (port.protocol, port.port)):
        target: int | None = port.target_port or port.port
        if not _is_fixed(service, port):
            number = numbers.get((port.name, port.protocol))
            target = target if number == 0 else number  # 0: the slice says all ports
            resolved.append(f"{port.protocol}/{port.port}={target or '-'}")
        if target:
            mappings.append((port.protocol, port.port, target))
    return Ports(tuple(mappings), ",".join(resolved))


def is_fixed(service: ServiceRecord) -> bool:
    """Whether the service says of every port where it leads, whatever its slices say."""
    return all(_is_fixed(service, port) for port in service.ports)


def _is_fixed(service: ServiceRecord, port: ServicePort) -> bool:
    return bool(service.selector) and not port.target_port_name
