"""Wishes are made once of an outcome that stays the same, and anew of any other."""

from __future__ import annotations

import pytest

from schemas.contrail.objects import ContrailObject, Link
from tests.translator.golden import resource
from translator import outcomes
from translator.notice import Notice, Said
from translator.outcomes import Kept, wishes_of
from translator.resource import key_of

POD = resource("Pod", "shop", "web-0")
TAG = "11111111-0000-5000-8000-000000000000"


def tag(value: str) -> ContrailObject:
    properties = {"tag_type_name": "label", "tag_value": value}
    return ContrailObject("tag", (f"label={value}",), TAG, None, properties)


def test_the_same_parts_give_the_wishes_that_were_made_before() -> None:
    one, notice = tag("a"), Notice("NotReady", "not yet")
    made = wishes_of(POD, (one, notice))
    assert wishes_of(POD, (one, notice)) is made
    assert list(made.wanted) == [one.uuid] and made.desired == {one.uuid: one}
    assert made.digests == {one.uuid: made.wanted[one.uuid].digest}
    assert made.notices == {(POD.key, "NotReady"): Said("not yet")}


def test_another_outcome_gives_its_own_wishes() -> None:
    before, after = wishes_of(POD, (tag("a"),)), wishes_of(POD, (tag("b"),))
    assert b'"a"' in before.wanted[TAG].body and b'"b"' in after.wanted[TAG].body
    assert before.digests != after.digests
    assert wishes_of(POD, ()).wanted == {}


def test_an_outcome_that_shrinks_or_grows_is_another() -> None:
    one, notice = tag("a"), Notice("NotReady", "not yet")
    assert wishes_of(POD, (one, notice)).notices
    assert not wishes_of(POD, (one,)).notices
    assert wishes_of(POD, (one, notice)).notices


def test_one_outcome_of_two_resources_is_told_of_each() -> None:
    """Notices name their resource, and a link belongs to the namespace of whoever asks for it."""
    link = Link("virtual-network", ("d", "p", "n"), "network-policy", ("d", "p", "q"), TAG)
    both = (link, Notice("NotReady", "not yet"))
    here, there = wishes_of(POD, both), wishes_of(resource("Pod", "other", "web-0"), both)
    assert {row.namespace for row in here.wanted.values()} == {"shop"}
    assert {row.namespace for row in there.wanted.values()} == {"other"}
    assert list(there.notices) == [(key_of("Pod", "other", "web-0"), "NotReady")]


def test_what_has_been_as_it_is_for_longest_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcomes, "KEPT", Kept(4))
    pods = [resource("Pod", "shop", f"web-{number}") for number in range(3)]
    given = [(tag(str(number)),) for number in range(3)]
    made = [wishes_of(each, outcome) for each, outcome in zip(pods, given, strict=True)]
    assert wishes_of(pods[1], given[1]) is made[1] and wishes_of(pods[2], given[2]) is made[2]
    assert wishes_of(pods[0], given[0]) is not made[0]


def test_what_has_many_parts_takes_the_room_of_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """A namespace with thousands of rules is not kept at the price of a pod."""
    monkeypatch.setattr(outcomes, "KEPT", Kept(8))
    pods = [resource("Pod", "shop", f"web-{number}") for number in range(3)]
    small, large = [(tag(str(number)),) for number in range(3)], tuple(tag(str(number)) for number in range(4))
    first, second, third = (wishes_of(each, outcome) for each, outcome in zip(pods, small, strict=True))
    grown = wishes_of(pods[2], large)
    assert wishes_of(pods[1], small[1]) is second and wishes_of(pods[2], large) is grown
    assert wishes_of(pods[0], small[0]) is not first
    assert wishes_of(pods[2], small[2]) is not third, "what it was before takes no room"
    huge = large + large
    assert wishes_of(pods[0], huge) is not wishes_of(pods[0], huge), "what is larger than all room is not kept"


def test_what_asks_for_nothing_takes_room_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcomes, "KEPT", Kept(2))
    made = [wishes_of(resource("Pod", "shop", f"web-{number}"), ()) for number in range(3)]
    assert wishes_of(resource("Pod", "shop", "web-2"), ()) is made[2]
    assert (
        wishes_of(resource("Pod", "shop", "web-0"), ()) is not made[0]
        and wishes_of(resource("Pod", "shop", "web-1"), ()) is not made[1]
    )
