"""Words of the compiler: endpoints, services, decisions of one direction, and rules (pure values).

A decision says what happens to flows of one direction between pods of the own namespace (`own`) and others (`peer`).
A head is an ordered list of decisions: the first that matches a flow decides it; a flow that none matches passes.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec

_ANY_PORT = (0, 65535)


class Tags(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """All of these must be on an endpoint; none is no demand.

    `labels` are pairs of a key ('pod.app', 'ns.team') and its value, sorted: a pod has one value of a key at most, so
    two values of one key never meet. `members` are membership tags, sorted.
    """

    labels: tuple[tuple[str, str], ...] = ()
    members: tuple[str, ...] = ()


NO_TAGS = Tags()


class Endpoint(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """One end of a rule: all of `tags`, any address in `prefixes`, or any address of a node; everything if none is set.

    `tags` are whole values of label tags, sorted; `prefixes` are CIDR texts of any family, sorted. With a `group` the
    prefixes are addresses of pods, which come and go: rules name the group, so that they do not change with it.
    """

    tags: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    nodes: bool = False
    group: str = ""


EVERYTHING = Endpoint()
NODES = Endpoint(nodes=True)


class Peer(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """The other side of a decision: as an endpoint of a rule, and which pods of the own namespace are meant by it.

    `here` is what such a pod carries beside the namespace's own tags; None where no pod of the own namespace is meant.
    With `inside` only their addresses in these prefixes are meant: of a pod perhaps one family, and not the other.
    """

    endpoint: Endpoint
    here: Tags | None = None
    inside: tuple[str, ...] = ()


ANYONE = Peer(EVERYTHING, NO_TAGS)


class Service(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """Destination ports of a protocol: tcp, udp or sctp; `any` is every protocol, and has every port."""

    protocol: str = "any"
    low: int = _ANY_PORT[0]
    high: int = _ANY_PORT[1]


ANY_SERVICE = Service()


class Decision(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """Flows between the own pods that carry `own` and `peer` pass, or do not; the direction is the list's."""

    own: Tags
    peer: Peer
    service: Service
    passes: bool


Head = tuple[Decision, ...]


class Rule(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """One rule of the list that the vrouter evaluates: first match decides, for both directions."""

    source: Endpoint
    target: Endpoint
    service: Service
    passes: bool


@lru_cache(maxsize=65536)
def both(one: Tags, other: Tags) -> Tags | None:
    """What carries both; None where nothing can."""
    if not other.labels and not other.members:
        return one
    labels = dict(one.labels)
    for key, value in other.labels:
        if labels.setdefault(key, value) != value:
            return None
    return Tags(tuple(sorted(labels.items())), tuple(sorted({*one.members, *other.members})))


def meet(one: Service, other: Service) -> Service | None:
    """What both services have in common."""
    if one == other or other.protocol == ANY_SERVICE.protocol:
        return one
    if one.protocol == ANY_SERVICE.protocol:
        return other
    low, high = max(one.low, other.low), min(one.high, other.high)
    return Service(one.protocol, low, high) if one.protocol == other.protocol and low <= high else None


def covers(wide: Decision, narrow: Decision) -> bool:
    """Whether every flow of `narrow` is surely one of `wide`, whatever they do with it."""
    return (
        (wide.peer == ANYONE or wide.peer == narrow.peer)
        and set(wide.own.labels) <= set(narrow.own.labels)
        and set(wide.own.members) <= set(narrow.own.members)
        and meet(wide.service, narrow.service) == narrow.service
    )
