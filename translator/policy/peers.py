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
        yield _block(cidrs, place, paired=paired)
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
        yield from _named_in_block(cidrs, port, census)


def _named_in_block(cidrs: tuple[str, ...], port: PolicyPort, census: Census) -> Iterator[tuple[Peer, Service]]:
    """Addresses of pods in the block, for each number that these pods have the port at."""
    numbers: dict[int, list[Resource]] = {}
    for pod in census.pods(census.selected(_EVERY), None):
        if number := ports.number_of(cast(PodRecord, pod.body), port):
            numbers.setdefault(number, []).append(pod)
    for number, pods in sorted(numbers.items()):
        what = ["named", cidrs, port, number]
        if endpoint := census.addresses(what, pods, cidrs):
            protocol, own = port.protocol.lower(), [pod for pod in pods if pod.namespace == census.namespace.name]
            here = census.member(what, own) if own else None
            yield Peer(endpoint, here, cidrs), Service(protocol, number, number)


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


def _block(cidrs: tuple[str, ...], place: Place, *, paired: bool) -> Peer:
    """Addresses, those of pods as well. Own pods are asked for theirs, unless every address there is is meant.

    Nothing else is known of them: a pod may name a network of somebody else's.
    """
    endpoint = Endpoint(prefixes=cidrs)
    if not paired:
        return Peer(endpoint)
    return Peer(endpoint, NO_TAGS, () if blocks.hold_every_address(cidrs, place.families) else cidrs)
