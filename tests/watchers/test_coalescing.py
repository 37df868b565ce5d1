"""What waits for the bus."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from schemas.events import ChangeEvent, Op, Source, change, marker
from schemas.identity import ResourceKey
from watchers.coalescing import Entry, Pending

SOURCE = Source(cluster="k8s")


def _entry(name: str, version: int, op: Op = Op.UPSERT, *, uid: str = "", kind: str = "Pod", epoch: int = 1) -> Entry:
    key = ResourceKey(kind, "shop", name)
    event = change(op=op, epoch=epoch, key=key, uid=uid or name, resource_version=str(version), source=SOURCE)
    return Entry(0, event, 0.0)


def _marker(op: Op, epoch: int, kind: str = "Pod", partition: int = 0) -> Entry:
    return Entry(partition, marker(op=op, epoch=epoch, kind=kind, partition=partition, source=SOURCE), 0.0)


def _told(entries: list[Entry]) -> list[tuple[str, str, str]]:
    return [(e.event.op.value, e.event.name, e.event.resource_version) for e in entries]


def test_a_newer_event_about_the_same_object_takes_the_place_of_the_older() -> None:
    pending = Pending()
    for version in range(1, 1001):
        pending.add(_entry("a", version))
    assert len(pending) == 1
    assert _told(pending.take()) == [("upsert", "a", "1000")]
    assert len(pending) == 0


def test_versions_rise_although_events_are_replaced() -> None:
    pending = Pending()
    for entry in (_entry("a", 1), _entry("b", 2), _entry("a", 3)):
        pending.add(entry)
    assert _told(pending.take()) == [("upsert", "b", "2"), ("upsert", "a", "3")]


def test_a_delete_takes_the_place_of_what_was_to_be_told_before() -> None:
    pending = Pending()
    pending.add(_entry("a", 1))
    pending.add(_entry("a", 2, Op.DELETE))
    assert _told(pending.take()) == [("delete", "a", "2")]


def test_case_5_the_delete_of_an_old_uid_goes_out_before_its_successor() -> None:
    pending = Pending()
    for entry in (_entry("a", 2, Op.DELETE, uid="old"), _entry("a", 3, uid="new"), _entry("a", 4, uid="new")):
        pending.add(entry)
    assert [(e.event.op, e.event.uid) for e in pending.take()] == [(Op.DELETE, "old"), (Op.UPSERT, "new")]


def test_nothing_passes_a_marker_of_its_kind() -> None:
    pending = Pending()
    pending.add(_entry("a", 1))
    pending.add_marker(_marker(Op.SNAPSHOT_BEGIN, 2))
    pending.add_marker(_marker(Op.SNAPSHOT_BEGIN, 2, partition=1))
    pending.add(_entry("a", 1, Op.READ, epoch=2))
    pending.add_marker(_marker(Op.SNAPSHOT_END, 2))
    pending.add(_entry("a", 5, epoch=2))
    ops = [e.event.op.value for e in pending.take()]
    assert ops == ["upsert", "snapshot_begin", "snapshot_begin", "read", "snapshot_end", "upsert"]


def test_a_marker_of_one_kind_does_not_part_the_events_of_another() -> None:
    pending = Pending()
    pending.add(_entry("n", 1, kind="Node"))
    pending.add_marker(_marker(Op.SNAPSHOT_BEGIN, 2))
    assert pending.replaces(_entry("n", 2, kind="Node").event)
    assert not pending.replaces(_entry("n", 2, kind="Pod").event)


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.sampled_from(["1", "2"]), st.booleans()), max_size=60))
def test_the_last_word_about_every_object_is_told_in_the_order_of_versions(
    history: list[tuple[str, str, bool]],
) -> None:
    pending, last = Pending(), {}
    for version, (name, uid, deleted) in enumerate(history, 1):
        entry = _entry(name, version, Op.DELETE if deleted else Op.UPSERT, uid=name + uid)
        pending.add(entry)
        last[name + uid] = entry.event
    told: list[ChangeEvent] = [entry.event for entry in pending.take()]
    assert {event.uid: event for event in told} == last
    versions = [int(event.resource_version) for event in told]
    assert versions == sorted(versions)
    assert len(told) == len(last)
