"""When the addresses of new instance-ips are read."""

from __future__ import annotations

from applier.observe import CHUNK
from applier.rows import Row
from applier.unread import Unread


def row(name: str) -> Row:
    return Row(name, 0, "instance-ip", name, {}, 1)


def names(rows: list[Row]) -> list[str]:
    return [found.uuid for found in rows]


def test_nothing_is_read_while_there_is_nothing() -> None:
    unread = Unread()
    assert unread.due_at == float("inf")
    assert unread.take(0.0, more_may_come=False) == []


def test_a_row_waits_for_others_until_it_is_due() -> None:
    unread = Unread()
    unread.add(row("a"), read_by=5.0)
    unread.add(row("b"), read_by=9.0)
    assert unread.due_at == 5.0
    assert unread.take(4.9, more_may_come=True) == []
    assert names(unread.take(5.0, more_may_come=True)) == ["a", "b"]
    assert unread.due_at == float("inf")


def test_nobody_is_waited_for_if_nobody_can_come() -> None:
    unread = Unread()
    unread.add(row("a"), read_by=5.0)
    assert names(unread.take(1.0, more_may_come=False)) == ["a"]


def test_a_late_row_may_hurry() -> None:
    unread = Unread()
    unread.add(row("a"), read_by=5.0)
    unread.add(row("b"), read_by=2.0)
    assert unread.due_at == 2.0


def test_one_call_reads_so_many_and_the_rest_does_not_wait_again() -> None:
    unread = Unread()
    for number in range(CHUNK + 1):
        unread.add(row(str(number)), read_by=5.0)
    assert unread.is_full
    assert len(unread.take(1.0, more_may_come=True)) == CHUNK
    assert unread.due_at == 1.0
    assert names(unread.take(1.0, more_may_come=True)) == [str(CHUNK)]
