"""What the log may do to events on their way: repeat them, merge them, lose what was overtaken."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.bus.log import LogProducer
from schemas.errors import BusMismatch
from schemas.events import ChangeEvent, Op, Source, change, marker
from schemas.identity import ResourceKey, partition_of
from schemas.records import PodRecord
from tests.watchers.folded import Folded

SOURCE = Source(cluster="k8s")
Placed = tuple[int, ChangeEvent]

CHANGES = st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=15)
"""Names and whether they are deleted, in the order of the watch."""


def _stream(changes: list[tuple[str, bool]]) -> list[Placed]:
    """One snapshot of nothing, and then what the watch says: versions rise, every life has a uid of its own."""
    begin, end = (
        [(p, marker(op=op, epoch=1, kind="Pod", partition=p, source=SOURCE)) for p in range(4)]
        for op in (Op.SNAPSHOT_BEGIN, Op.SNAPSHOT_END)
    )
    living: dict[str, str] = {}
    events = []
    for version, (name, gone) in enumerate(changes, start=10):
        if gone and name not in living:
            continue
        uid = living.setdefault(name, f"{name}-{version}")
        if gone:
            del living[name]
        key = ResourceKey("Pod", "shop", name)
        body = None if gone else PodRecord(labels={"version": str(version)})
        event = change(
            op=Op.DELETE if gone else Op.UPSERT,
            epoch=1,
            key=key,
            uid=uid,
            resource_version=str(version),
            source=SOURCE,
            body=body,
        )
        events.append((partition_of(key, 4), event))
    return [*begin, *end, *events]


@pytest.mark.slow
@given(CHANGES, st.data())
@settings(max_examples=150, deadline=None)
def test_case_49_a_topic_merged_from_two_copies_folds_as_one(
    changes: list[tuple[str, bool]], data: st.DataObject
) -> None:
    stream = _stream(changes)
    left, right, merged = list(stream), list(stream), list[Placed]()
    while left or right:
        first = data.draw(st.booleans()) if left and right else bool(left)
        merged.append((left if first else right).pop(0))
    assert Folded().fold(merged).rows == Folded().fold(stream).rows


@given(CHANGES, st.data())
@settings(max_examples=150, deadline=None)
def test_case_49_a_stream_that_is_read_again_from_anywhere_folds_as_if_read_once(
    changes: list[tuple[str, bool]], data: st.DataObject
) -> None:
    stream = _stream(changes)
    again = data.draw(st.integers(0, len(stream)))
    until = data.draw(st.integers(again, len(stream)))
    repeated = [*stream[:until], *stream[again:]]
    assert Folded().fold(repeated).rows == Folded().fold(stream).rows


@given(CHANGES)
def test_case_45_values_that_newer_ones_have_overtaken_are_not_missed(changes: list[tuple[str, bool]]) -> None:
    """Coalescing while the bus is away does this, and compaction would, if a topic could have it."""
    stream = _stream(changes)
    last = {event.uid: number for number, (_, event) in enumerate(stream)}
    kept = [one for number, one in enumerate(stream) if not one[1].name or last[one[1].uid] == number]
    assert Folded().fold(kept).rows == Folded().fold(stream).rows


def test_case_48_a_topic_with_another_number_of_partitions_is_refused(tmp_path: Path) -> None:
    """One key must stay in one partition: so the number is fixed, and verified whenever a topic is opened."""
    LogProducer(tmp_path, "topic", 4).close()
    with pytest.raises(BusMismatch, match="found 4, wanted 8"):
        LogProducer(tmp_path, "topic", 8)
