"""Peers of a policy's rules: pods by their labels, and blocks of addresses (pure)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from schemas.records import LabelSelector, PodRecord, PolicyPeer, PolicyPort
from translator.policy import blocks, ports
from translator.policy.census import Census
from translator.policy.model import ANYONE, NO_TAGS, Endpoint, Peer, Service, Tags, both
from translator.policy.place import Place
from translator.resource import Resource

_EVERY = LabelSelector()


def peers(wanted: tuple[PolicyPeer, ...], census: Census, place: Place, *, paired: bool) -> Iterator[Peer]:
    """What `from` or `to` means; everyone where it lists nobody.

    All blocks of a rule are one peer, because together they may cover addresses of both families. `paired`: pods of the
    own namespace in a block must be known as pods, not only as addresses.
    """
    if not wanted:
        yield ANYONE
        return
    if cidrs := blocks.prefixes(each.ip_block for each in wanted if each.ip_block is not None):
        yield Peer(Endpoint(prefixes=cidrs), _here(cidrs, census, place) if paired else None)
    for each in wanted:
        if each.ip_block is None:
            yield from _pods(each, census, place, NO_TAGS)


def named_peers(
    wanted: tuple[PolicyPeer, ...], port: PolicyPort, census: Census, place: Place
) -> Iterator[tuple[Peer, Service]]:
    """The same for a named port, which is the peer's own: only pods have it, in a block as well."""
    cidrs = blocks.prefixes(each.ip_block for each in wanted if each.ip_block is not None)
    everywhere = PolicyPeer(namespace_selector=_EVERY)
    for each in [peer for peer in wanted if peer.ip_block is None] if wanted else [everywhere]:
        pods = list(census.pods(census.selected(each.namespace_selector), each.pod_selector))
        for more, service in ports.resolved(census, each, port, pods):
            yield from ((peer, service) for peer in _pods(each, census, place, more))
    if cidrs:
        inside = [pod for pod in census.pods(census.selected(_EVERY), None) if is_inside(pod, cidrs)]
        for number in sorted({ports.number_of(cast(PodRecord, pod.body), port) for pod in inside} - {0}):
            chosen = [pod for pod in inside if ports.number_of(cast(PodRecord, pod.body), port) == number]
            more = census.member(["blocks", cidrs, port, number], chosen)
            protocol = port.protocol.lower()
            yield Peer(place.pods(more), more), Service(protocol, number, number)


def is_inside(pod: Resource, cidrs: tuple[str, ...]) -> bool:
    """Whether the pod has addresses, and all of them are in these prefixes."""
    addresses = cast(PodRecord, pod.body).pod_ips
    return bool(addresses) and all(blocks.covers_address(cidrs, each) for each in addresses)


def _pods(peer: PolicyPeer, census: Census, place: Place, more: Tags) -> Iterator[Peer]:
    found = census.peers(peer.namespace_selector, peer.pod_selector)
    for where, who, here in found:
        tags = both(who, more)
        if tags is None:
            continue
        if peer.namespace_selector is None:
            yield Peer(place.own(tags), tags)
        else:
            every = both(where, tags)
            assert every is not None  # labels of namespaces and of pods have different keys
            yield Peer(place.pods(every), tags if here else None)


def _here(cidrs: tuple[str, ...], census: Census, place: Place) -> Tags | None:
    """Pods of the own namespace whose addresses are all in these prefixes, as tags."""
    if not place.is_elsewhere:
        if blocks.covers_all(cidrs, place.subnets):
            return NO_TAGS
        if blocks.misses_a_family(cidrs, place.subnets):
            return None
    inside = [pod for pod in census.pods((census.namespace,), None) if is_inside(pod, cidrs)]
    return census.member(["inside", cidrs], inside)
