"""Who waits for an address or for quota is tried again when one is given back."""

from __future__ import annotations

from applier.rows import Result, Row, Status
from applier.scarcity import MOST, Scarcity


def address(name: str, network: str = "net", *, absent: bool = False) -> Row:
    return Row(name, 0, "instance-ip", name, {"references": [{"type": "virtual-network", "uuid": network}]}, 1, absent)


def port(name: str, project: str = "shop", *, absent: bool = False) -> Row:
    return Row(name, 0, "virtual-machine-interface", f"d:{project}:{name}", {"references": []}, 1, absent)


def full(row: Row) -> Result:
    return Result(row, Status.BLOCKED, full=True)


def gone(row: Row) -> Result:
    return Result(row, Status.APPLIED)


def test_one_is_tried_for_each_that_goes_who_waits_longest_first() -> None:
    waiting = Scarcity()
    assert waiting.next_in_turn([full(address(name)) for name in "abc"]) == []
    assert waiting.next_in_turn([gone(address("x", absent=True)), gone(address("y", absent=True))]) == ["a", "b"]
    assert waiting.next_in_turn([full(address("a")), full(address("b"))]) == []
    assert waiting.next_in_turn([gone(address("z", absent=True))]) == ["c"]
    assert len(waiting) == 2


def test_the_same_network_comes_first_and_another_may_share_its_addresses() -> None:
    waiting = Scarcity()
    waiting.next_in_turn([full(address("other", "far")), full(address("near"))])
    assert waiting.next_in_turn([gone(address("x", absent=True))]) == ["near"]
    assert waiting.next_in_turn([gone(address("y", absent=True))]) == ["other"]


def test_quota_of_a_project_is_given_back_by_its_children() -> None:
    waiting = Scarcity()
    waiting.next_in_turn([full(port("first", "far")), full(port("second")), full(address("third"))])
    assert waiting.next_in_turn([gone(port("x", absent=True))]) == ["second"]


def test_what_is_made_or_left_waits_no_more() -> None:
    waiting = Scarcity()
    waiting.next_in_turn([full(address("made")), full(address("left"))])
    assert waiting.next_in_turn([gone(address("made")), Result(address("left"), Status.FAILED, "no")]) == []
    assert waiting.next_in_turn([gone(address("x", absent=True))]) == []


def test_no_more_are_remembered_than_can_be() -> None:
    waiting = Scarcity()
    waiting.next_in_turn([full(address(f"a-{n}")) for n in range(MOST + 10)])
    assert len(waiting) == MOST


def test_who_was_refused_while_something_went_is_tried_again() -> None:
    waiting = Scarcity()
    assert waiting.next_in_turn([gone(address("x", absent=True)), full(address("a"))]) == ["a"]
    assert waiting.next_in_turn([full(address("a")), gone(address("y", absent=True))]) == ["a"]
    assert len(waiting) == 0
