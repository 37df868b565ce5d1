"""Pod (v1): raw JSON to PodRecord; containers are read for their ports only (pure)."""

from __future__ import annotations

import msgspec

from schemas.records import ContainerPort, PodRecord
from watchers.kinds.annotations import kept
from watchers.kinds.kind import Kind, Metadata, Port


class PortInput(msgspec.Struct, gc=False, rename="camel"):
    """One entry of a container's `ports`."""

    container_port: Port
    name: str = ""
    protocol: str = "TCP"


class ContainerInput(msgspec.Struct, gc=False, rename="camel"):
    """A container, or an init container, which serves for the pod's life only with restartPolicy Always."""

    ports: list[PortInput] | None = None
    restart_policy: str | None = None


class PodSpec(msgspec.Struct, gc=False, rename="camel"):
    """`spec`."""

    node_name: str = ""
    host_network: bool | None = None
    containers: list[ContainerInput] | None = None
    init_containers: list[ContainerInput] | None = None


class Address(msgspec.Struct, gc=False):
    """One entry of `podIPs` or `hostIPs`."""

    ip: str = ""


class Condition(msgspec.Struct, gc=False):
    """One entry of `conditions`; times and messages are never read."""

    type: str = ""
    status: str = ""


class PodStatus(msgspec.Struct, gc=False):
    """`status`."""

    phase: str = ""
    conditions: list[Condition] | None = None
    hostIP: str = ""  # noqa: N815 - the API's spelling, which no renaming rule gives
    hostIPs: list[Address] | None = None  # noqa: N815
    podIP: str = ""  # noqa: N815
    podIPs: list[Address] | None = None  # noqa: N815


class PodInput(msgspec.Struct, gc=False):
    """What is read of a Pod."""

    metadata: Metadata
    spec: PodSpec | None = None
    status: PodStatus | None = None


def normalize(raw: PodInput) -> PodRecord:
    """The record of one Pod."""
    spec, status = raw.spec or PodSpec(), raw.status or PodStatus()
    return PodRecord(
        labels=raw.metadata.labels or {},
        annotations=kept(raw.metadata.annotations),
        owners=raw.metadata.owners(),
        node_name=spec.node_name,
        host_network=bool(spec.host_network),
        phase=status.phase,
        ready=any(c.type == "Ready" and c.status == "True" for c in status.conditions or ()),
        host_ips=_addresses(status.hostIPs, status.hostIP),
        pod_ips=_addresses(status.podIPs, status.podIP),
        ports=_ports(spec),
        deleting=raw.metadata.deletion_timestamp is not None,
    )


def _addresses(several: list[Address] | None, one: str) -> tuple[str, ...]:
    """The list where the server has it, else the single field of older ones."""
    return tuple(a.ip for a in several or () if a.ip) or ((one,) if one else ())


def _ports(spec: PodSpec) -> tuple[ContainerPort, ...]:
    """Declared ports in the order in which Kubernetes resolves a port's name: containers, then sidecars."""
    sidecars = [c for c in spec.init_containers or () if c.restart_policy == "Always"]
    return tuple(
        ContainerPort(port=p.container_port, name=p.name, protocol=p.protocol)
        for container in (*(spec.containers or ()), *sidecars)
        for p in container.ports or ()
    )


KIND = Kind("Pod", "pods", PodInput, normalize)
