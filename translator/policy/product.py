"""Two heads, one of each direction, to the one list that decides both at once (pure).

The vrouter takes the first rule that matches a flow, and asks one list for both ends. Of a flow between two pods of the
namespace both heads have a say, and it passes only if both let it: the product decides those flows that both heads
decide, and stands first. What only one head decides is left to that head, behind it. docs/network-policy.md proves it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Protocol

from translator.policy.model import (
    ANY_SERVICE,
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
    """The list: product, ingress, egress, pass. Equal rules are there once, where they first stand."""
    every = (
        *_product(egress, ingress, own),
        *(_rule(each.peer.endpoint, own(each.own), each.service, passes=each.passes) for each in ingress),
        *(_rule(own(each.own), each.peer.endpoint, each.service, passes=each.passes) for each in egress),
        Rule(EVERYTHING, EVERYTHING, ANY_SERVICE, True),
    )
    return tuple(dict.fromkeys(rule for rule in every if rule is not None))


def _rule(source: Endpoint | None, target: Endpoint | None, service: Service, *, passes: bool) -> Rule | None:
    return None if source is None or target is None else Rule(source, target, service, passes)


def _product(egress: Head, ingress: Head, own: OwnEndpoint) -> Iterator[Rule | None]:
    """Every egress decision with every ingress decision that it can meet, in an order that lets the first of each win.

    Decisions of a run do the same, so inside a run no order means anything. Where egress denies, ingress is only asked
    whether it decides at all: its widest decisions say so.
    """
    inward = _runs(tuple(each for each in ingress if each.peer.here is not None))
    outward = _runs(tuple(each for each in egress if each.peer.here is not None))
    widest = _widest([each for run in inward for each in run])
    for place, run in enumerate(outward):
        if not run[0].passes:
            yield from _meetings(_widest(run), widest, own, passes=False)
            continue
        following = outward[place + 1] if place + 1 < len(outward) else []
        for number, part in enumerate(inward):
            # What the last ingress run denies of this run, the egress run behind it denies anyhow where it covers it.
            is_last_denial = number == len(inward) - 1 and not part[0].passes
            left = _not_covered(run, following) if is_last_denial else run
            yield from _meetings(left, part, own, passes=part[0].passes)


def _meetings(
    outward: list[Decision], inward: list[Decision], own: OwnEndpoint, *, passes: bool
) -> Iterator[Rule | None]:
    for out in outward:
        for into in inward:
            assert out.peer.here is not None and into.peer.here is not None
            source = both(out.own, into.peer.here)
            target = both(into.own, out.peer.here)
            service = meet(out.service, into.service)
            if source is not None and target is not None and service is not None:
                ends = own(source, into.peer.inside), own(target, out.peer.inside)
                yield _rule(*ends, service, passes=passes)


def _runs(head: Head) -> list[list[Decision]]:
    return [list(run) for _, run in groupby(head, key=lambda each: each.passes)]


def _widest(decisions: list[Decision]) -> list[Decision]:
    """Those that no other one covers; of equal ones the first."""
    kept: list[Decision] = []
    for each in dict.fromkeys(decisions):
        if not any(covers(wide, each) for wide in kept):
            kept = [other for other in kept if not covers(each, other)] + [each]
    return kept


def _not_covered(run: list[Decision], following: list[Decision]) -> list[Decision]:
    return [each for each in run if not any(covers(wide, each) for wide in following)]
