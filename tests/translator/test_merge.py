"""Several resources that want one object."""

from __future__ import annotations

import itertools

from schemas.contrail.objects import ContrailObject
from translator.diff import StoredObject, Wanted, wanted
from translator.merge import Stored, merge, moved
from translator.resource import NOWHERE, Cause, Key

A, B, S = Key("Pod/a/p"), Key("Pod/b/p"), Key("Settings//k8s")
CAUSES = dict.fromkeys((A, B, S), Cause(NOWHERE))
UUID = "11111111-1111-5111-8111-111111111111"


def tag(value: str) -> Wanted:
    return wanted(ContrailObject("tag", ("label=x",), UUID, None, {"tag_value": value}), "")


def row(wish: Wanted, generation: int = 1, *, absent: bool = False) -> StoredObject:
    return StoredObject(UUID, "tag", wish.fq_name, "", wish.body, wish.digest, generation, absent)


def test_only_wishes_that_changed_are_touched() -> None:
    same, new = tag("same"), tag("new")
    before = {A: {UUID: same.digest}, B: {"gone": b""}}
    assert moved({A: {UUID: same}}, before) == {}
    assert moved({A: {UUID: new}, B: {}}, before) == {UUID: {A}, "gone": {B}}


def test_the_second_wish_for_the_same_changes_nothing() -> None:
    stored = Stored({UUID: row(tag("x"))}, {UUID: {A: tag("x").digest}}, {})
    merged = merge({B: {UUID: tag("x")}}, {UUID: {B}}, CAUSES, stored)
    assert merged.changes == [] and merged.needed == set()


def test_the_last_wish_that_goes_takes_the_object_along() -> None:
    stored = Stored({UUID: row(tag("x"), 3)}, {UUID: {A: tag("x").digest, B: tag("x").digest}}, {})
    assert merge({A: {}}, {UUID: {A}}, CAUSES, stored).changes == []
    (change,) = merge({A: {}, B: {}}, {UUID: {A, B}}, CAUSES, stored).changes
    assert (change.op, change.row.generation, change.resource) == ("delete", 4, A)


def test_the_smaller_key_counts_and_settings_count_last() -> None:
    for first, second in itertools.permutations((A, B, S), 2):
        merged = merge(
            {first: {UUID: tag(first)}, second: {UUID: tag(second)}},
            {UUID: {first, second}},
            CAUSES,
            Stored({}, {}, {}),
        )
        (change,) = merged.changes
        assert change.row.digest == tag(min(first, second, key=lambda key: (key == S, key))).digest


def test_a_wish_that_begins_to_count_is_asked_for_before_anything_changes() -> None:
    stored = Stored({UUID: row(tag("a"))}, {UUID: {A: tag("a").digest, B: tag("b").digest}}, {})
    merged = merge({A: {}}, {UUID: {A}}, CAUSES, stored)
    assert merged.needed == {B} and merged.changes == []
    merged = merge({A: {}, B: {UUID: tag("b")}}, {UUID: {A}}, CAUSES, stored)
    assert [(each.op, each.row.digest) for each in merged.changes] == [("update", tag("b").digest)]


def test_a_wish_that_cannot_be_told_anew_leaves_what_is_stored() -> None:
    stored = Stored({UUID: row(tag("a"))}, {UUID: {A: tag("a").digest, B: tag("b").digest}}, {})
    merged = merge({A: {}}, {UUID: {A}}, CAUSES, stored, frozenset({B}))
    assert merged.changes == [] and merged.needed == set()
    assert merged.held == [(UUID, B, tag("a").digest)], "so that any other wish of it is news"


def test_generations_rise_above_everything_ever_told() -> None:
    wishes, touched = {A: {UUID: tag("x")}}, {UUID: {A}}
    fresh = merge(wishes, touched, CAUSES, Stored({}, {}, {UUID: 7})).changes[0]
    back = merge(wishes, touched, CAUSES, Stored({UUID: row(tag("x"), 9, absent=True)}, {}, {})).changes[0]
    assert (fresh.op, fresh.row.generation, back.op, back.row.generation) == ("create", 8, "create", 10)
