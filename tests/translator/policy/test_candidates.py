"""Candidates to meet a decision: never one too few, in their order, and far from all where labels differ."""

from __future__ import annotations

import random

from translator.policy.candidates import Candidates
from translator.policy.model import ANY_SERVICE, EVERYTHING, Decision, Peer, Tags, both


def decision(own: Tags, here: Tags | None) -> Decision:
    return Decision(own, Peer(EVERYTHING, here), ANY_SERVICE, passes=True)


def tags(**labels: str) -> Tags:
    return Tags(tuple(sorted((f"pod.{key}", value) for key, value in labels.items())))


def meet(one: Decision, other: Decision) -> bool:
    if one.peer.here is None or other.peer.here is None:
        return False
    return both(one.own, other.peer.here) is not None and both(other.own, one.peer.here) is not None


def test_whoever_can_meet_is_a_candidate_in_its_place() -> None:
    draw = random.Random(3)

    def some() -> Tags:
        keys = draw.sample("abc", draw.randint(0, 2))
        return tags(**{key: draw.choice("123") for key in keys})

    for _ in range(300):
        run = [decision(some(), some() if draw.random() < 0.8 else None) for _ in range(draw.randint(0, 12))]
        one = decision(some(), some())
        found = list(Candidates(run).of(one))
        assert [each for each in found if meet(one, each)] == [each for each in run if meet(one, each)]
        assert found == [each for each in run if each in found]


def test_others_of_the_same_label_are_not_asked() -> None:
    run = [decision(tags(app=f"a{number}"), tags(app=f"a{number - 1}")) for number in range(100)]
    assert list(Candidates(run).of(decision(tags(app="a6"), tags(app="a7")))) == [run[7]]
    assert len(list(Candidates(run).of(decision(tags(tier="x"), Tags())))) == 100
