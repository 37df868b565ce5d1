"""Two heads, one of each direction, to the one list that decides both at once (pure).

The vrouter takes the first rule that matches a flow, and asks one list for both ends. Of a flow between two pods of the
namespace both heads have a say, and it passes only if both let it. So each egress decision that passes stands behind
its meetings with the ingress decisions, and one that denies stands alone; behind all of them the ingress head decides
what egress leaves undecided. docs/network-policy.md proves it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Protocol

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


class OwnEndpoint(Protocol):
    """The endpoint of the own pods that carry these tags; of their addresses in `inside`, where that is not empty."""

    def __call__(self, wanted: Tags, inside: tuple[str, ...] = ()) -> Endpoint | None:
        """None where there is no such address."""


def rules_of(egress: Head, ingress: Head, own: OwnEndpoint) -> tuple[Rule, ...]:
    """The list: egress with what it meets of ingress, ingress, pass. Equal rules are there once, where first."""
    every = (
        *_outward(egress, ingress, own),
        *(_rule(each.peer.endpoint, own(each.own), each.service, passes=each.passes) for each in ingress),
        Rule(EVERYTHING, EVERYTHING, ANY_SERVICE, True),
    )
    return tuple(dict.fromkeys(rule for rule in every if rule is not None))


def _rule(source: Endpoint | None, target: Endpoint | None, service: Service, *, passes: bool) -> Rule | None:
    return None if source is None or target is None else Rule(source, target, service, passes)


def _outward(egress: Head, ingress: Head, own: OwnEndpoint) -> Iterator[Rule | None]:
    """Decisions of a run do the same, so inside a run of either head no order means anything."""
    inward, runs = _runs(tuple(each for each in ingress if each.peer.here is not None)), _runs(egress)
    for place, run in enumerate(runs):
        if run[0].passes:
            for part in inward:
                yield from _meetings(run, part, own)
            if inward and not inward[-1][0].passes and place + 1 < len(runs):
                yield from _unseen(run, inward[-1], runs[place + 1], own)
        for each in run:
            yield _rule(own(each.own), each.peer.endpoint, each.service, passes=each.passes)


def _meetings(outward: list[Decision], inward: list[Decision], own: OwnEndpoint) -> Iterator[Rule | None]:
    """What ingress says of flows that egress passes."""
    for out in outward:
        if out.peer.here is None:
            continue
        for into in inward:
            assert into.peer.here is not None
            source, target = both(out.own, into.peer.here), both(into.own, out.peer.here)
            service = meet(out.service, into.service)
            if source is not None and target is not None and service is not None:
                ends = own(source, into.peer.inside), own(target, out.peer.inside)
                yield _rule(*ends, service, passes=into.passes)


def _unseen(
    run: list[Decision], denials: list[Decision], following: list[Decision], own: OwnEndpoint
) -> Iterator[Rule | None]:
    """Own pods in other networks, whose addresses nobody asked for, may be in a block that passes: they stay denied.

    Nothing else is denied by it: what is not passed yet would be by the run that follows, as far as that denies all.
    """
    for out in run:
        rest = (wide for wide in following if wide.peer == ANYONE and covers(wide, out))
        if out.peer.here is None and out.peer.endpoint.prefixes and any(rest):
            for into in denials:
                yield _rule(own(out.own), own(into.own), out.service, passes=False)


def _runs(head: Head) -> list[list[Decision]]:
    return [list(run) for _, run in groupby(head, key=lambda each: each.passes)]
