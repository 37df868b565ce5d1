"""Truth tables: every cell of a cluster as Kubernetes means it and as Contrail's firewall does it (pure but for rows).

A cell is a source, a target and a destination port. A table that differs is told cell by cell, with what decided.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec

from schemas.records import NetworkPolicyRecord, PodRecord
from schemas.records.admin_network_policy import AdminNetworkPolicyRecord, BaselineAdminNetworkPolicyRecord
from tests.policy.cluster import OUTSIDE, Cluster, Port, Spot, address, pairs, pods, prefix, spots
from tests.policy.contrail_firewall import ContrailFirewall
from tests.policy.kubernetes_rules import KubernetesRules
from translator.memory import MemoryStore

SHOWN = 8
"""Cells of a difference that are told."""
BASIC: tuple[Port, ...] = (("TCP", 4242), ("UDP", 4242), ("SCTP", 4242), ("ICMP", 0))
"""Ports that no policy of the tests names."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One question and its two answers."""

    source: Spot
    target: Spot
    port: Port
    wanted: bool

    def __str__(self) -> str:
        return f"from {self.source} to {self.target} port {self.port[1]}/{self.port[0]}"


def uids(cluster: Cluster) -> dict[str, str]:
    """Uid of each pod with an interface, by namespace/name."""
    return {name: cluster.uid(("Pod", *name.split("/"))) for name in pods(cluster)}  # type: ignore[arg-type]


def firewall_of(store: MemoryStore) -> ContrailFirewall:
    """The firewall of everything that the store desires."""
    rows = [row for row in store.tables.objects.values() if not row.absent]
    return ContrailFirewall((row.type, row.fq_name, row.uuid, _read(row.body)) for row in rows)


@lru_cache(maxsize=4096)
def _read(body: bytes) -> Any:
    return json.loads(body)


def differences(cluster: Cluster, firewall: ContrailFirewall) -> Iterator[Cell]:
    """Cells in which the two do not agree."""
    rules, names, ports = KubernetesRules(cluster), uids(cluster), interesting_ports(cluster)
    for source, target in pairs(spots(cluster, interesting_addresses(cluster))):
        wanted = rules.allows(source, target, ports)
        found = firewall.allows(source, target, ports, names)
        if wanted != found:
            for port, each, other in zip(ports, wanted, found, strict=True):
                if each != other:
                    yield Cell(source, target, port, each)


def require_equal(cluster: Cluster, firewall: ContrailFirewall, *, at: str = "") -> None:
    """AssertionError, readable, if a cell differs or a pod has no interface."""
    names = uids(cluster)
    missing = sorted(name for name, each in names.items() if each not in firewall.pods())
    assert not missing, f"{at}: without an interface: {missing}"
    wrong = list(differences(cluster, firewall))
    if not wrong:
        return
    rules = KubernetesRules(cluster)
    lines = [f"{at or 'table'}: {len(wrong)} cells differ"]
    for cell in wrong[:SHOWN]:
        wanted, found = ("allowed", "denied") if cell.wanted else ("denied", "allowed")
        lines += [
            f"  {cell}",
            f"    Kubernetes: {wanted}: {rules.why(cell.source, cell.target, cell.port)}",
            f"    Contrail:   {found}: {firewall.why(cell.source, cell.target, cell.port, names)}",
        ]
    raise AssertionError("\n".join([*lines, "of:", *described(cluster)]))


def described(cluster: Cluster) -> list[str]:
    """The cluster, a line per resource, without what has its default."""
    held = sorted(cluster.resources.items(), key=lambda item: item[0])
    project = f", one project {cluster.settings.project}" if cluster.settings.project else ""
    return [f"  subnets {', '.join(cluster.settings.pod_subnets)}{project}"] + [
        f"  {kind} {space}/{name}: {_plain(record)}" for (kind, space, name), record in held
    ]


def _plain(value: Any) -> Any:
    """A record as plain values, without what has its default."""
    if isinstance(value, msgspec.Struct):
        fields = msgspec.structs.fields(value)
        held = {field.name: getattr(value, field.name) for field in fields}
        usual = {f.name: f.default if f.default_factory is msgspec.NODEFAULT else f.default_factory() for f in fields}
        return {name: _plain(each) for name, each in held.items() if each != usual[name]}
    return [_plain(each) for each in value] if isinstance(value, tuple) else value


def interesting_ports(cluster: Cluster) -> list[Port]:
    """Ports at and beside every edge that a policy or a container names, and some that nobody names."""
    numbers: dict[str, set[int]] = {"TCP": set(), "UDP": set(), "SCTP": set()}
    for protocol, low, high in _named_ports(cluster):
        for each in (protocol,) if protocol else numbers:
            numbers[each] |= {low - 1, low, high, high + 1}
    edges = {(protocol, each) for protocol, found in numbers.items() for each in found if 0 < each <= 65535}
    return sorted({*edges, *BASIC})


def interesting_addresses(cluster: Cluster) -> list[str]:
    """An address at each end of every prefix that a policy names, and some that nobody names."""
    found = dict.fromkeys(OUTSIDE)
    for text in _prefixes(cluster):
        net = prefix(text)
        # The first address of a network is not one of a host, and the whole world's not one at all.
        for each in (net[1 if net.num_addresses > 2 else 0], net[-1]):
            if not (each.is_multicast or each.is_reserved or each.is_loopback or each.is_unspecified):
                found[str(each)] = None
    return [each for each in found if address(each) is not None]


def _named_ports(cluster: Cluster) -> Iterator[tuple[str, int, int]]:
    for record in cluster.resources.values():
        if isinstance(record, PodRecord):
            yield from ((each.protocol, each.port, each.port) for each in record.ports)
        elif isinstance(record, NetworkPolicyRecord):
            for rule in (*record.ingress, *record.egress):
                yield from ((p.protocol, p.port, p.end_port or p.port) for p in rule.ports if p.port)
        elif isinstance(record, AdminNetworkPolicyRecord | BaselineAdminNetworkPolicyRecord):
            for admin in (*record.ingress, *record.egress):
                yield from ((p.protocol, p.port, p.end_port or p.port) for p in admin.ports if p.port)


def _prefixes(cluster: Cluster) -> Iterator[str]:
    for record in cluster.resources.values():
        if isinstance(record, NetworkPolicyRecord):
            for rule in (*record.ingress, *record.egress):
                for peer in rule.peers:
                    yield from () if peer.ip_block is None else (peer.ip_block.cidr, *peer.ip_block.excluded)
        elif isinstance(record, AdminNetworkPolicyRecord | BaselineAdminNetworkPolicyRecord):
            for admin in (*record.ingress, *record.egress):
                yield from (each for other in admin.peers for each in other.networks)


def answer(cluster: Cluster, text: str) -> bool:
    """Kubernetes' answer to `shop/web > shop/db:80`; `80/UDP`, `>6` for IPv6, and addresses or nodes as ends."""
    ends, _, asked = text.rpartition(":")
    number, _, protocol = asked.partition("/")
    six = " >6 " in ends
    source, target = (_spot(cluster, each.strip(), six=six) for each in ends.split(" >6 " if six else " > "))
    port = (protocol or "TCP", int(number))
    return KubernetesRules(cluster).allows(source, target, [port])[0]


def _spot(cluster: Cluster, text: str, *, six: bool) -> Spot:
    for each in spots(cluster, interesting_addresses(cluster)):
        if text in (each.pod, each.node, each.address) and (":" in each.address) == six:
            return each
    return Spot(text)
