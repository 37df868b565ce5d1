"""The rules of the fold, one by one."""

from __future__ import annotations

from schemas.events import ChangeEvent, Op
from tests.translator.facts import SOURCE, begin, end, gone, pod, uid
from translator.fold import Action, Epoch, after_gap, fold, revision_of
from translator.resource import Head


def head(version: int, *, epoch: int = 1, of: str = "Pod/shop/web-0") -> Head:
    return Head(uid(of), str(version), epoch, b"", 0)


def action(event: ChangeEvent, current: Head | None, known: Epoch | None) -> Action:
    return fold(event, current, known)[0]


def test_an_event_of_an_older_epoch_is_dropped_and_changes_no_epoch() -> None:
    known = Epoch(3, listing=True)
    for event in (pod("web-0", 9, epoch=2), gone("web-0", 9, epoch=2), begin("Pod", 2), end("Pod", 2)):
        assert fold(event, head(1, epoch=1), known) == (Action.STALE, known)


def test_a_newer_begin_opens_a_listing_and_its_end_sweeps() -> None:
    opened = fold(begin("Pod", 4), None, Epoch(3, revision=7))
    assert opened == (Action.BEGIN, Epoch(4, listing=True, listed_at=SOURCE.observed_at))
    assert fold(end("Pod", 4), None, opened[1]) == (Action.SWEEP, Epoch(4, listed_at=SOURCE.observed_at))


def test_an_end_without_its_begin_sweeps_nothing() -> None:
    assert fold(end("Pod", 4), None, Epoch(3)) == (Action.INCOMPLETE, Epoch(4))
    assert action(end("Pod", 4), None, None) is Action.INCOMPLETE
    assert action(end("Pod", 3), None, Epoch(3)) is Action.INCOMPLETE


def test_a_listing_with_a_gap_in_it_sweeps_nothing() -> None:
    assert action(end("Pod", 3), None, after_gap(Epoch(3, listing=True, revision=5))) is Action.INCOMPLETE


def test_a_repeated_begin_does_not_open_the_listing_again() -> None:
    assert fold(begin("Pod", 3), None, Epoch(3, revision=9)) == (Action.REPEATED, Epoch(3, revision=9))


def test_a_newer_epoch_without_begin_is_followed_but_not_trusted_for_a_sweep() -> None:
    assert fold(pod("web-0", 5, epoch=4), None, Epoch(3)) == (Action.PUT, Epoch(4, revision=5))


def test_revisions_rise_within_an_epoch() -> None:
    assert action(pod("web-0", 6), head(5), Epoch(1)) is Action.PUT
    assert action(pod("web-0", 5), head(5), Epoch(1)) is Action.REPEATED
    assert action(pod("web-0", 4), head(5), Epoch(1)) is Action.REPEATED
    assert action(pod("web-0", 4, of="earlier uid"), head(5), Epoch(1)) is Action.REPEATED


def test_a_new_epoch_may_show_an_older_revision() -> None:
    """The API server was restored from a backup: what it lists now is the truth."""
    assert action(pod("web-0", 4, op=Op.READ, epoch=2), head(9, epoch=1), Epoch(2, listing=True)) is Action.PUT


def test_a_recreated_pod_replaces_the_one_before_it() -> None:
    assert action(pod("web-0", 9, of="second"), head(5), Epoch(1)) is Action.PUT


def test_a_delete_holds_for_its_own_uid_only() -> None:
    assert action(gone("web-0", 9), head(5), Epoch(1)) is Action.REMOVE
    assert action(gone("web-0", 9, of="first"), head(5), Epoch(1)) is Action.LATE
    assert action(gone("web-0", 9), None, Epoch(1)) is Action.UNKNOWN


def test_a_delete_holds_even_with_the_last_known_revision() -> None:
    assert action(gone("web-0", 5), head(5), Epoch(1)) is Action.REMOVE


def test_a_repeated_event_does_not_bring_a_deleted_object_back() -> None:
    _, epoch = fold(gone("web-0", 8), head(5), Epoch(1))
    assert epoch.revision == 8
    assert action(pod("web-0", 5), None, epoch) is Action.REPEATED
    assert action(pod("web-0", 5, op=Op.READ), None, epoch) is Action.REPEATED
    assert action(pod("web-0", 9, of="second"), None, epoch) is Action.PUT


def test_what_is_no_number_is_not_compared() -> None:
    assert revision_of("12") == 12
    assert [revision_of(text) for text in ("", "abc", "-1", "1.5", "٣", "9" * 5000)] == [0] * 6
    unordered = pod("web-0", 1)
    for version in ("abc", "9" * 5000):
        each = ChangeEvent(
            **{**{f: getattr(unordered, f) for f in unordered.__struct_fields__}, "resource_version": version}
        )
        assert action(each, head(5), Epoch(1)) is Action.PUT


def test_an_epoch_remembers_when_its_listing_began_unless_records_are_missing() -> None:
    opened = fold(begin("Pod", 4), None, None)[1]
    assert opened.listed_at == SOURCE.observed_at > 0
    _, streamed = fold(pod("web-0", 5, epoch=4), None, opened)
    _, swept = fold(end("Pod", 4), None, streamed)
    assert swept == Epoch(4, revision=5, listed_at=opened.listed_at)
    assert after_gap(streamed).listed_at == 0
