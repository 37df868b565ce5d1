"""A cluster as policies see it, and who can talk in it: the ground on which both evaluators stand (pure).

A `Spot` is one end of a connection: an address, with the pod that has it, or the node, or neither for what is outside.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

import msgspec

from schemas.events import ChangeEvent, Op
from schemas.records import (
    NamespaceRecord,
    NodeRecord,
    PodRecord,
    Record,
    SettingsRecord,
)
from tests.translator.facts import SETTINGS, event, uid

Key = tuple[str, str, str]
"""(kind, namespace, name); namespace is '' for what belongs to the whole cluster."""
Port = tuple[str, int]
"""(protocol, number) of a destination port; ICMP has number 0."""
Prefix = ipaddress.IPv4Network | ipaddress.IPv6Network

DUAL = msgspec.structs.replace(SETTINGS, pod_subnets=("10.32.0.0/12", "fd00:32::/64"))
OUTSIDE = ("203.0.113.7", "2001:db8::7")
MIRROR = "kubernetes.io/config.mirror"
ENDED = ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True, order=True)
class Spot:
    """One end of a connection: `pod` is namespace/name, `node` a node's name; both '' for what is outside."""

    address: str
    pod: str = ""
    node: str = ""

    def __str__(self) -> str:
        place = self.pod or (f"node {self.node}" if self.node else "outside")
        return f"{place} ({self.address})"


@dataclass(frozen=True, slots=True, repr=False)
class Cluster:
    """Everything that a translator would be told of, by key; `lives` counts what was deleted and made anew."""

    resources: Mapping[Key, Record] = field(default_factory=dict)
    settings: SettingsRecord = SETTINGS
    lives: Mapping[Key, int] = field(default_factory=dict)

    def with_(self, kind: str, namespace: str, name: str, record: Record) -> Cluster:
        """The same with this resource, new or changed."""
        return replace(self, resources={**self.resources, (kind, namespace, name): record})

    def without(self, key: Key) -> Cluster:
        """The same without this resource."""
        left = {k: record for k, record in self.resources.items() if k != key}
        return replace(self, resources=left, lives={**self.lives, key: self.lives.get(key, 0) + 1})

    def of(self, kind: str) -> dict[tuple[str, str], Record]:
        """All resources of a kind, by namespace and name."""
        return {(space, name): record for (k, space, name), record in self.resources.items() if k == kind}

    def events(self) -> tuple[ChangeEvent, ...]:
        """What a watcher tells of it, as a state of tests.translator.states."""
        return tuple(event(Op.UPSERT, *key, 1, record, of=self._seed(key)) for key, record in self.resources.items())

    def uid(self, key: Key) -> str:
        """Uid of the resource with this key."""
        return uid(self._seed(key))

    def __repr__(self) -> str:
        return f"Cluster of {len(self.resources)} resources"

    def _seed(self, key: Key) -> str:
        return f"{'/'.join(key)}/{self.lives.get(key, 0)}"


def pods(cluster: Cluster) -> dict[str, tuple[str, PodRecord]]:
    """Pods with an interface of ours, by namespace/name: not the host's, not the ended, not mirrors of static pods."""
    spaces = cluster.of("Namespace")
    found = {}
    for (space, name), record in cluster.of("Pod").items():
        assert isinstance(record, PodRecord)
        is_mirror = MIRROR in record.annotations or any(owner.kind == "Node" for owner in record.owners)
        if ("", space) in spaces and not (record.host_network or is_mirror or record.phase in ENDED):
            found[f"{space}/{name}"] = (space, record)
    return found


def labels_of(cluster: Cluster) -> dict[str, Mapping[str, str]]:
    """Labels of the namespaces by name."""
    spaces = cluster.of("Namespace")
    return {name: record.labels for (_, name), record in spaces.items() if isinstance(record, NamespaceRecord)}


def node_addresses(cluster: Cluster) -> dict[str, str]:
    """Name of the node by each of its IP addresses."""
    found = {}
    for (_, name), record in sorted(cluster.of("Node").items()):
        assert isinstance(record, NodeRecord)
        for each in record.addresses:
            if address(each.address) is not None:
                found[each.address] = name
    return found


def spots(cluster: Cluster, outside: Iterable[str] = OUTSIDE) -> list[Spot]:
    """Every end that a connection can have, in order; an address that a pod or node has is theirs."""
    held: dict[str, Spot] = {}
    for name, (_, record) in sorted(pods(cluster).items()):
        for each in record.pod_ips:
            held.setdefault(each, Spot(each, pod=name))
    for each, node in node_addresses(cluster).items():
        held.setdefault(each, Spot(each, node=node))
    for each in outside:
        held.setdefault(each, Spot(each))
    return sorted(held.values(), key=lambda spot: (spot.pod == "", spot.pod, spot.node, spot.address))


def pairs(ends: Iterable[Spot]) -> Iterator[tuple[Spot, Spot]]:
    """Ends of one family of which one at least is a pod; what a pod says to itself never leaves it."""
    ends = list(ends)
    for source in ends:
        for target in ends:
            ours = source.pod or target.pod
            if ours and family(source.address) == family(target.address) and not source.pod == target.pod != "":
                yield source, target


@lru_cache(maxsize=65536)
def address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that the text says, None if it says none."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


@lru_cache(maxsize=65536)
def family(text: str) -> int:
    """4 or 6."""
    found = address(text)
    assert found is not None, text
    return found.version


@lru_cache(maxsize=65536)
def prefix(text: str) -> Prefix:
    """The prefix that the text says."""
    return ipaddress.ip_network(text, strict=False)


@lru_cache(maxsize=1 << 18)
def inside(text: str, of: str) -> bool:
    """Whether the address is in the prefix; never across families."""
    found, net = address(text), prefix(of)
    return found is not None and found.version == net.version and found in net
