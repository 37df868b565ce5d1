"""What two peers have in common (pure).

An endpoint of a rule holds tags or addresses, never both: pods that are meant by their labels and by their addresses
at once are a group of addresses, where those cover some of the cluster's pods and not all.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from schemas.records import LabelSelector, NamespaceRecord, PodRecord
from translator.policy import blocks
from translator.policy.census import Census
from translator.policy.model import EVERYTHING, NODES, Endpoint, Peer, both
from translator.resource import Resource
from translator.translate import names, tags
from translator.translate.names import Named

_EVERY = LabelSelector()


def can_meet(one: Peer, other: Peer) -> bool:
    """Whether a flow can be with both; in doubt yes."""
    first, second = one.endpoint, other.endpoint
    if first.tags and second.tags:
        return _all_of(first.tags, second.tags) is not None
    if first.prefixes and second.prefixes:
        return bool(blocks.common(first.prefixes, second.prefixes))
    return not ((first.tags and second.nodes) or (second.tags and first.nodes))


def peer_of_both(one: Peer, other: Peer, census: Census) -> Peer | None:
    """Who is meant by both; None where nobody can be."""
    endpoint = _endpoint(one.endpoint, other.endpoint, census)
    here = None if one.here is None or other.here is None else both(one.here, other.here)
    if endpoint is None:
        return None
    inside = blocks.common(one.inside, other.inside) if one.inside and other.inside else one.inside or other.inside
    return Peer(endpoint, here if inside or not (one.inside or other.inside) else None, inside)


def _endpoint(one: Endpoint, other: Endpoint, census: Census) -> Endpoint | None:
    if EVERYTHING in (one, other) or one == other:
        return other if one == EVERYTHING else one
    if one.tags and other.tags:
        every = _all_of(one.tags, other.tags)
        return None if every is None else Endpoint(tags=every)
    if one.tags or other.tags:
        with_tags, rest = (one, other) if one.tags else (other, one)
        return None if rest == NODES else _inside(with_tags, rest.prefixes, census)
    common = blocks.common(*(census.nodes(_EVERY) if each == NODES else each.prefixes for each in (one, other)))
    return Endpoint(prefixes=common) if common else None


def _all_of(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...] | None:
    """All of these tags; None where two of them are values of one label."""
    every = {*one, *other}
    keys = [text.partition("=")[0] for text in every if "=" in text]
    return tuple(sorted(every)) if len(keys) == len(set(keys)) else None


def _inside(end: Endpoint, cidrs: tuple[str, ...], census: Census) -> Endpoint | None:
    """Pods that carry the tags and have their addresses in these prefixes."""
    if blocks.hold_every_address(cidrs, (4, 6)):
        return end
    return census.addresses(["both", end.tags, cidrs], _wearing(end.tags, census), cidrs)


def _wearing(texts: Iterable[str], census: Census) -> list[Resource]:
    wanted, found = set(texts), []
    for namespace in census.selected(_EVERY):
        for pod in census.pods((namespace,), None):
            if wanted <= _worn(pod, namespace, wanted, census):
                found.append(pod)
    return found


def _worn(pod: Resource, namespace: Resource, wanted: set[str], census: Census) -> set[str]:
    """Those of the wanted tags that interfaces of the pod carry, their own and their project's."""
    cluster = census.settings.cluster
    worn = {tags.pod_text(cluster), tags.namespace_text(cluster, namespace.name)}
    for kind, resource in ((tags.POD, pod), (tags.NAMESPACE, namespace)):
        labels = cast(PodRecord | NamespaceRecord, resource.body).labels
        worn |= {tags.label_text(cluster, f"{kind}.{key}", value) for key, value in labels.items()}
    if members := wanted & census.members.keys():
        project = names.project(census.settings, namespace.name)
        ends = {each.uuid for each in (*census.interfaces((pod,)), project) if isinstance(each, Named)}
        worn |= {text for text in members if any(link.owner_uuid in ends for link in census.members[text].values())}
    return worn & wanted
