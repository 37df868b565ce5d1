"""Held records and what is stored next."""

from __future__ import annotations

from collections.abc import Mapping

from tests.translator.facts import record
from translator.backlog import FIRST, Backlog, Run


def never() -> Mapping[int, int]:
    raise AssertionError("the bus need not be asked")


def backlog(*offsets: int, stored: int = 5) -> Backlog:
    held = Backlog(1000)
    held.place(0, stored)
    held.add(record(b"", 0, offset) for offset in offsets)
    return held


def told(runs: list[Run]) -> list[tuple[int, list[int], bool]]:
    return [(run.expected, [each.offset for each in run.records], run.gap) for run in runs]


def test_records_that_follow_ask_nobody() -> None:
    held = backlog(5, 6, 7)
    runs = held.runs(never, never)
    assert told(runs) == [(5, [5, 6, 7], False)]
    held.done(runs)
    assert len(held) == 0 and held.stored == {0: 8}


def test_a_hole_in_the_offsets_is_no_loss_as_long_as_the_bus_keeps_them() -> None:
    assert told(backlog(7).runs(lambda: {0: 2}, never)) == [(5, [7], False)]
    assert told(backlog(7).runs(lambda: {0: 7}, never)) == [(5, [7], True)]


def test_records_that_are_stored_already_are_left_out() -> None:
    assert told(backlog(3, 4, 5, 6).runs(never, lambda: {0: 7})) == [(5, [5, 6], False)]
    assert told(backlog(3, 4).runs(never, lambda: {0: 5})) == []


def test_a_log_that_is_shorter_than_what_was_read_of_it_was_made_anew() -> None:
    held = backlog(0, 1)
    runs = held.runs(never, lambda: {0: 2})
    assert told(runs) == [(5, [0, 1], True)]
    held.done(runs)
    assert held.stored == {0: 2}


def test_records_of_partitions_that_are_not_placed_are_not_ours() -> None:
    held = backlog(5)
    held.add([record(b"", 1, 0)])
    assert len(held) == 1
    held.lose([0])
    held.add([record(b"", 0, 6)])
    assert len(held) == 0 and not held.stored


def test_placing_again_drops_what_was_held() -> None:
    held = backlog(5, 6)
    held.place(0, 9)
    assert len(held) == 0 and held.stored == {0: 9}


def stored(held: Backlog, count: int) -> None:
    """Store so many records."""
    at = held.stored[0]
    held.add(record(b"", 0, offset) for offset in range(at, at + count))
    held.done(held.runs(never, never))


def test_a_batch_takes_twice_as_many_as_the_last_one_between_the_first_and_the_most() -> None:
    held = Backlog(3 * FIRST)
    held.place(0, 0)
    rooms = []
    for count in (FIRST, 2 * FIRST, 3 * FIRST, 2 * FIRST, FIRST - 1, 1, FIRST):
        rooms.append(held.room)
        stored(held, count)
    assert rooms == [FIRST, 2 * FIRST, 3 * FIRST, 3 * FIRST, 3 * FIRST, 2 * FIRST - 2, FIRST]
    assert held.room == 2 * FIRST


def test_what_is_held_takes_its_part_of_the_room_and_more_than_that_leaves_none() -> None:
    held = backlog(5, 6)
    assert held.room == FIRST - 2
    held.add(record(b"", 0, offset) for offset in range(7, 9 + FIRST))
    assert held.room == 0


def test_no_batch_is_larger_than_the_most_even_where_that_is_less_than_a_first_one() -> None:
    held = Backlog(3)
    held.place(0, 0)
    for _ in range(3):
        assert held.room == 3
        stored(held, 3)
