"""Two heads, one of each direction, to the one list that decides both at once (pure).

The vrouter takes the first rule that matches a flow, and asks one list for both ends. Of a flow between two pods of the
namespace both heads have a say, and it passes only if both let it. So each decision of one head (of egress, say) that
passes stands behind its meetings with the decisions of the other, and one that denies stands alone; behind all of them
the other head decides what the first leaves undecided. docs/network-policy.md proves it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import groupby
from typing import Protocol

from translator.policy.candidates import Candidates
from translator.policy.model import (
    ANY_SERVICE,
    ANYONE,
    EVERYTHING,
    Decision,
    Endpoint,
    Head,
    Rule,
    Service,
    Tags,
    both,
    covers,
    meet,
)
from translator.policy.room import TooLong, once


class OwnEndpoint(Protocol):
    """The endpoint of the own pods that carry these tags; of their addresses in `inside`, where that is not empty."""

    def __call__(self, wanted: Tags, inside: tuple[str, ...] = ()) -> Endpoint | None:
        """None where there is no such address."""


def rules_of(egress: Head, ingress: Head, own: OwnEndpoint) -> tuple[Rule, ...]:
    """One of the two lists that decide the same; equal rules are there once, where first.

    One is egress with what it meets of ingress, then ingress, the other one its mirror image. The shorter one counts,
    unless it alone opens a new pod until its address is known. Raises TooLong where both are too long.
    """
    found = []
    with suppress(TooLong):
        found.append((_waits_for_addresses(egress, ingress), once(_list(egress, ingress, own))))
    with suppress(TooLong):
        found.append((_waits_for_addresses(ingress, egress), once(_mirrored(_list(ingress, egress, own)))))
    if not found:
        raise TooLong
    return min(found, key=lambda each: (each[0], len(each[1])))[1]


def _mirrored(rules: Iterable[Rule | None]) -> Iterator[Rule | None]:
    for each in rules:
        yield None if each is None else Rule(each.target, each.source, each.service, each.passes)


def _list(leading: Head, other: Head, own: OwnEndpoint) -> Iterator[Rule | None]:
    """All rules, as if the leading direction were egress: the leading head, with what it meets, and the other one."""
    yield from _led(leading, other, own)
    for each in other:
        yield _rule(each.peer.endpoint, own(each.own), each.service, passes=each.passes)
    yield Rule(EVERYTHING, EVERYTHING, ANY_SERVICE, True)


def _rule(source: Endpoint | None, target: Endpoint | None, service: Service, *, passes: bool) -> Rule | None:
    return None if source is None or target is None else Rule(source, target, service, passes)


def _led(leading: Head, other: Head, own: OwnEndpoint) -> Iterator[Rule | None]:
    """Decisions of a run do the same, so inside a run of either head no order means anything."""
    parts, runs = _runs(tuple(each for each in other if each.peer.here is not None)), _runs(leading)
    known = [Candidates(part) for part in parts]
    for place, run in enumerate(runs):
        if run[0].passes:
            for part, candidates in zip(parts, known, strict=True):
                yield from _meetings(run, candidates, [] if part[0].passes else runs[place + 1 : place + 2], own)
        for each in run:
            yield _rule(own(each.own), each.peer.endpoint, each.service, passes=each.passes)


def _meetings(
    run: list[Decision], part: Candidates, behind: list[list[Decision]], own: OwnEndpoint
) -> Iterator[Rule | None]:
    """What the other head says of flows that the leading one passes.

    `behind` is the leading run that follows, where the other head denies.
    """
    for one in run:
        if one.peer.here is None:
            continue
        inside = () if one.peer.inside and _is_denied(one, behind) else one.peer.inside
        for other in part.of(one):
            assert other.peer.here is not None
            source, target = both(one.own, other.peer.here), both(other.own, one.peer.here)
            service = meet(one.service, other.service)
            if source is not None and target is not None and service is not None:
                ends = own(source, other.peer.inside), own(target, inside)
                yield _rule(*ends, service, passes=other.passes)


def _is_denied(one: Decision, behind: list[list[Decision]]) -> bool:
    """Whether the run behind denies to everyone what this one passes to some.

    Then a denial of the other head need not ask which of its pods are in a block: a pod whose address nobody knows yet
    must not be open for that. What else it denies, the run behind would.
    """
    return any(wide.peer == ANYONE and covers(wide, one) for run in behind for wide in run)


def _waits_for_addresses(leading: Head, other: Head) -> bool:
    """Whether a pod whose address nobody knows yet is open, although either head closes it, by a block or to one.

    The leading head's blocks are prefixes, as they were written; those of the other one are addresses of the pods.
    """
    runs = _runs(leading)
    return any(each.peer.inside and not each.passes for each in other) or any(
        run[0].passes and one.peer.inside and not _is_denied(one, runs[place + 1 : place + 2])
        for place, run in enumerate(runs)
        for one in run
    )


def _runs(head: Head) -> list[list[Decision]]:
    return [list(run) for _, run in groupby(head, key=lambda each: each.passes)]
