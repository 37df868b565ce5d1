"""What a vrouter agent knows from its controller: machines, interfaces, networks and addresses (pure values)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Assignment:
    """An address of an interface with what its subnet says; `gateway` and `dns` may be absent."""

    family: int
    address: str
    prefix_len: int
    gateway: str | None
    dns: str | None


@dataclass(frozen=True, slots=True)
class InterfaceConfig:
    """A virtual-machine-interface of a machine that is linked to this node.

    A sub-interface has a tag (`vlan`) and the interface that carries it (`parent_uuid`).
    """

    uuid: str
    machine_uuid: str
    machine_name: str
    network_uuid: str
    network_name: str
    project_uuid: str
    mac: str
    annotations: tuple[tuple[str, str], ...] = ()
    assignments: tuple[Assignment, ...] = ()
    vlan: int | None = None
    parent_uuid: str = ""


class ConfigSource(Protocol):
    """Where the configuration comes from; calls may block, and are made in a thread."""

    def interfaces(self, machine_uuid: str) -> tuple[InterfaceConfig, ...]:
        """Interfaces of the machine, sorted by uuid; () unless it is linked to this node and known entirely."""

    def machine_named(self, name: str) -> str | None:
        """Uuid of a machine that is linked to this node."""


class StaticConfig:
    """Configuration given by hand; assigning `known` from another thread is safe."""

    def __init__(self, *known: InterfaceConfig) -> None:
        self.known: tuple[InterfaceConfig, ...] = known

    def interfaces(self, machine_uuid: str) -> tuple[InterfaceConfig, ...]:
        """See ConfigSource."""
        return tuple(sorted((i for i in self.known if i.machine_uuid == machine_uuid), key=lambda i: i.uuid))

    def machine_named(self, name: str) -> str | None:
        """See ConfigSource."""
        return next((i.machine_uuid for i in self.known if i.machine_name == name), None)
