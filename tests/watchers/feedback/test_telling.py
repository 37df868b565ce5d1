"""Which Events are due: once, again after long, in new words, and over once."""

from __future__ import annotations

from dataclasses import replace

from watchers.feedback.bucket import Bucket
from watchers.feedback.event import body_of, collection, name_of, series_of
from watchers.feedback.lasting import Lasting
from watchers.feedback.patience import FIRST, LONGEST, MOST, Patience
from watchers.feedback.problems import Problem
from watchers.feedback.subject import Subject
from watchers.feedback.telling import QUIET, Act, Told, due_after, due_for

PROBLEM = Problem("Pod/shop/web-0", "QuotaExceeded", "no quota", "Apply")
NOW, REPEAT = 10_000.0, 1800.0


def told(**fields: object) -> Told:
    whole = Told("Pod/shop/web-0", "QuotaExceeded", "uid", "no quota", "abc", count=1, since=NOW, told_at=NOW)
    return replace(whole, **fields)  # type: ignore[arg-type]


def acts(row: Told | None, now: float = NOW, problem: Problem = PROBLEM, uid: str = "uid") -> list[Act]:
    due = due_for(problem, uid, row, now=now, repeat=REPEAT)
    return [] if due is None else [due.act]


def test_a_problem_is_told_once_and_again_after_long() -> None:
    assert acts(None) == [Act.SAY]
    assert acts(told()) == []
    assert acts(told(), NOW + REPEAT - 1) == []
    assert acts(told(), NOW + REPEAT) == [Act.REPEAT]


def test_what_was_on_record_and_not_sent_is_sent_under_its_name() -> None:
    due = due_for(PROBLEM, "uid", told(count=0, told_at=0.0), now=NOW, repeat=REPEAT)
    assert due is not None and (due.act, due.told.event) == (Act.SAY, "abc")


def test_new_words_are_another_event_after_a_while() -> None:
    other = replace(PROBLEM, message="still no quota")
    assert acts(told(), NOW + 1, other) == []
    due = due_for(other, "uid", told(), now=NOW + QUIET, repeat=REPEAT)
    assert due is not None and due.act is Act.SAY
    assert (due.told.message, due.told.count) == ("still no quota", 0) and due.told.event != "abc"


def test_a_successor_of_the_name_has_events_of_its_own() -> None:
    due = due_for(PROBLEM, "other", told(), now=NOW, repeat=REPEAT)
    assert due is not None and (due.act, due.told.uid, due.told.count) == (Act.SAY, "other", 0)


def test_a_problem_that_comes_back_while_its_end_is_told_is_a_new_one() -> None:
    due = due_for(PROBLEM, "uid", told(over=True), now=NOW, repeat=REPEAT)
    assert due is not None and (due.act, due.told.over) == (Act.SAY, False) and due.told.event != "abc"


def test_the_end_is_told_of_what_was_wrong_was_told_and_is_there() -> None:
    over = due_after(told(), "uid")
    assert (over.act, over.told.over) == (Act.SAY_OVER, True)
    assert due_after(told(), "other").act is Act.FORGET
    assert due_after(told(), None).act is Act.FORGET
    assert due_after(told(count=0), "uid").act is Act.FORGET
    assert due_after(told(normal=True), "uid").act is Act.FORGET


def test_an_event_says_what_why_and_about_whom() -> None:
    pod = Subject("Pod", "shop", "web-0", "uid", "v1")
    event = body_of(pod, told(), action="Apply", instance="host-1", now=1_700_000_000.25)
    assert event["metadata"] == {"name": "web-0.abc", "namespace": "shop"}
    assert (event["type"], event["reason"], event["note"]) == ("Warning", "QuotaExceeded", "no quota")
    assert event["regarding"] == {
        "kind": "Pod", "name": "web-0", "namespace": "shop", "uid": "uid", "apiVersion": "v1"
    }  # fmt: skip
    assert event["eventTime"] == "2023-11-14T22:13:20.250000Z" and "series" not in event
    over = body_of(pod, told(over=True), action="Apply", instance="i" * 200, now=0.0)
    assert (over["type"], over["reason"], over["note"]) == ("Normal", "Recovered", "QuotaExceeded is over: no quota")
    assert over["metadata"]["name"] == "web-0.abc-over" and len(over["reportingInstance"]) == 128
    again = body_of(pod, told(count=3), action="Apply", instance="i", now=0.0)
    assert (
        again["series"]
        == series_of(3, 0.0)["series"]
        == {"count": 3, "lastObservedTime": "1970-01-01T00:00:00.000000Z"}
    )


def test_names_fit_and_objects_of_the_cluster_have_their_events_in_default() -> None:
    long = Subject("Service", "shop", "x" * 253, "u", "v1")
    assert len(name_of(long, told())) == 253 and name_of(long, told()).endswith(".abc")
    assert collection(Subject("Namespace", "", "shop")) == "/apis/events.k8s.io/v1/namespaces/default/events"
    assert collection(long) == "/apis/events.k8s.io/v1/namespaces/shop/events"


def test_only_what_lasts_counts() -> None:
    lasting: Lasting[str] = Lasting()
    assert lasting.those({"a": 5.0, "b": 0.0}, 10.0) == ["b"]
    assert lasting.those({"a": 5.0}, 14.0) == []
    assert lasting.those({"a": 5.0}, 15.0) == ["a"]
    assert lasting.those({}, 16.0) == [] == lasting.those({"a": 5.0}, 17.0), "it went in between"


def test_a_bucket_gives_what_has_come_in_and_takes_back_what_was_not_used() -> None:
    bucket = Bucket(2.0, burst=4.0)
    assert (bucket.take(10, 0.0), bucket.take(1, 0.0), bucket.take(10, 1.0)) == (4, 0, 2)
    bucket.give(2)
    assert (bucket.take(10, 1.0), bucket.take(10, 100.0)) == (2, 4)
    assert bucket.take(1, 50.0) == 0, "a clock that goes back gives nothing"


def test_patience_grows_with_each_failure_and_is_forgotten_with_success() -> None:
    patience = Patience()
    waits, now = [], 0.0
    for _ in range(12):
        patience.failed("a", now)
        wait = next(s for s in (FIRST * 2**n for n in range(12)) if patience.may("a", now + s) or s >= LONGEST)
        waits.append(min(wait, LONGEST))
    assert waits[0] == FIRST and waits == sorted(waits) and waits[-1] == LONGEST
    assert not patience.may("a", now) and patience.may("b", now)
    patience.well("a")
    assert patience.may("a", now)
    for number in range(MOST + 5):
        patience.failed(str(number), now)
    assert patience.may("0", now) and not patience.may(str(MOST), now)
