"""What the store says of a running pipeline at one moment, as values, and when it is settled (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

WATCHED = ("Namespace", "Node", "Pod", "Service", "EndpointSlice", "Ingress", "IngressClass", "NetworkPolicy")
"""Kinds of every cluster that something is translated from: listed whole, before a followed cluster counts as read.

So is every other kind whose listing has begun: those that a CRD brings are not in every cluster.
"""


@dataclass(frozen=True, slots=True)
class PodLine:
    """One interface of one pod in one family; `address` is '' until Contrail has allocated it.

    `network` is the colon-joined fq_name; `reason` says why `state` is not 'ready'.
    """

    namespace: str
    name: str
    node: str
    network: str
    address: str
    state: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class NetworkLine:
    """One virtual-network: how many interface addresses belong to it, and how many are allocated."""

    network: str
    interfaces: int
    addressed: int


@dataclass(frozen=True, slots=True)
class Trouble:
    """An object that is not applied and will not be without a person, or without the object it waits for."""

    status: str
    type: str
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Something that could not be read, translated or applied, and where it stood on the bus."""

    stage: str
    place: str
    resource: str
    error: str


@dataclass(frozen=True, slots=True)
class Counts:
    """Totals: Kubernetes objects by kind, Contrail objects (links apart) and links by apply status."""

    resources: Mapping[str, int] = field(default_factory=dict)
    objects: Mapping[str, int] = field(default_factory=dict)
    links: Mapping[str, int] = field(default_factory=dict)
    dead_letters: int = 0
    applied_lately: float = 0.0
    """Objects and links applied per second, over the last seconds."""

    def unapplied(self, *statuses: str) -> int:
        """Objects and links in any of the statuses."""
        return sum(self.objects.get(s, 0) + self.links.get(s, 0) for s in statuses)


@dataclass(frozen=True, slots=True)
class Reading:
    """How far the bus was read: next offset by partition, and the kinds with their snapshot states by partition."""

    next_offsets: Mapping[int, int] = field(default_factory=dict)
    snapshots: Mapping[str, Mapping[int, str]] = field(default_factory=dict)

    @property
    def events(self) -> int:
        """Records read so far."""
        return sum(self.next_offsets.values())

    def at_end(self, ends: Mapping[int, int]) -> bool:
        """Whether every partition was read to its end."""
        return all(self.next_offsets.get(partition, 0) >= end for partition, end in ends.items())

    def listed(self, partitions: int) -> bool:
        """Whether every watched kind, and every kind that was begun, was listed whole in every partition."""
        return all(
            self.snapshots.get(kind, {}).get(partition) == "streaming"
            for kind in {*WATCHED, *self.snapshots}
            for partition in range(partitions)
        )


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that the screen shows of the store; `pods` is one page that begins at row `first`."""

    counts: Counts = field(default_factory=Counts)
    reading: Reading = field(default_factory=Reading)
    networks: tuple[NetworkLine, ...] = ()
    pods: tuple[PodLine, ...] = ()
    first: int = 0
    troubles: tuple[Trouble, ...] = ()

    @property
    def interfaces(self) -> int:
        """Interface addresses that shall be."""
        return sum(line.interfaces for line in self.networks)

    @property
    def addressed(self) -> int:
        """Interface addresses that are allocated."""
        return sum(line.addressed for line in self.networks)

    def applied(self) -> bool:
        """Whether all was applied that can be: what is left is blocked or dead."""
        return self.counts.unapplied("pending", "failed") == 0
