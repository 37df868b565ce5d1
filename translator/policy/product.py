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
            for number, part in enumerate(inward):
                is_last = number == len(inward) - 1 and not part[0].passes
                yield from _meetings(run, part, runs[place + 1 : place + 2] if is_last else [], own)
        for each in run:
            yield _rule(own(each.own), each.peer.endpoint, each.service, passes=each.passes)


def _meetings(
    outward: list[Decision], inward: list[Decision], behind: list[list[Decision]], own: OwnEndpoint
) -> Iterator[Rule | None]:
    """What ingress says of flows that egress passes; `behind` is the run that follows, where ingress denies at last."""
    for out in outward:
        if out.peer.here is None:
            continue
        inside = () if out.peer.inside and _is_denied(out, behind) else out.peer.inside
        for into in inward:
            assert into.peer.here is not None
            source, target = both(out.own, into.peer.here), both(into.own, out.peer.here)
            service = meet(out.service, into.service)
            if source is not None and target is not None and service is not None:
                ends = own(source, into.peer.inside), own(target, inside)
                yield _rule(*ends, service, passes=into.passes)


def _is_denied(out: Decision, behind: list[list[Decision]]) -> bool:
    """Whether the run behind denies to everyone what this one passes to some.

    Then a last denial of ingress need not ask which of its pods are in a block: a pod whose address nobody knows yet
    must not be open for that. What else it denies, the run behind would.
    """
    return any(wide.peer == ANYONE and covers(wide, out) for run in behind for wide in run)


def _runs(head: Head) -> list[list[Decision]]:
    return [list(run) for _, run in groupby(head, key=lambda each: each.passes)]
