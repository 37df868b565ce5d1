"""Steps of administrators around the decisions of NetworkPolicies, as one head (pure).

Allow and Deny decide. Pass leaves a flow to what is behind the tier, and skips the rest of it: so in its place stands
what is behind, as far as it concerns the flows of the step, and that the rest of these pass. A step that nothing later
in the tier would take from what is behind is left out instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from translator.policy.admin import ALLOW, PASS, Step
from translator.policy.census import Census
from translator.policy.meeting import can_meet, peer_of_both
from translator.policy.model import Decision, Head, both, meet
from translator.policy.room import once


def before(steps: Sequence[Step], behind: Head, census: Census) -> Head:
    """The head of the steps with `behind` behind them; raises TooLong."""
    return once(chain(_decisions(steps, behind, census), behind))


def as_decisions(steps: Sequence[Step]) -> Head:
    """Steps of which none passes on."""
    return tuple(Decision(each.own, each.peer, each.service, each.action == ALLOW) for each in steps)


def _decisions(steps: Sequence[Step], behind: Head, census: Census) -> Iterator[Decision]:
    for place, step in enumerate(steps):
        if step.action != PASS:
            yield from as_decisions((step,))
        elif any(each.action != PASS and _can_meet(step, each) for each in steps[place + 1 :]):
            yield from _of(step, behind, census)
            yield Decision(step.own, step.peer, step.service, True)


def _can_meet(step: Step, other: Step) -> bool:
    return (
        both(step.own, other.own) is not None
        and meet(step.service, other.service) is not None
        and can_meet(step.peer, other.peer)
    )


def _of(step: Step, behind: Head, census: Census) -> Iterator[Decision]:
    """What is behind, of the flows of the step."""
    for each in behind:
        own, service = both(each.own, step.own), meet(each.service, step.service)
        if own is None or service is None:
            continue
        peer = peer_of_both(each.peer, step.peer, census)
        if peer is not None:
            yield Decision(own, peer, service, each.passes)
