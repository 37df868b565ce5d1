"""Which status is due, from what is served and what was written."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from watchers.feedback.addresses import Announcement, Forget, Write, Written, due
from watchers.feedback.announcing import Announcing
from watchers.feedback.bucket import Bucket
from watchers.feedback.store import Entry
from watchers.feedback.subject import Json, Subject, status_of
from watchers.feedback.writer import Reply, Verdict


class Undone:
    """A store whose service always lacks what was written last, as somebody takes it away each time."""

    def __init__(self) -> None:
        self.version = 1
        self.written: Written | None = None

    def announcements(self) -> list[Announcement]:
        self.version += 1
        return [Announcement(WEB.key, WEB, str(self.version), (), True, (A,), True, self.written)]

    def save(self, entries: Sequence[Entry], forgotten: Sequence[str] = ()) -> None:
        for each in entries:
            self.written = Written(each.uid, tuple(json.loads(each.value)), each.resource_version, each.held)


class Counting:
    """Takes every write."""

    writes = 0

    def apply(self, path: str, body: Json, *, part: str, force: bool = False) -> Reply:
        self.writes += 1
        return Reply(Verdict.DONE, "", "1")


WEB = Subject("Service", "shop", "web", "uid-1", "v1")
A, B = "203.0.113.1", "203.0.113.2"


def acts(**fields: Any) -> list[Write | Forget]:
    whole = {"resource_version": "20", "announced": (), "wanted": True, **fields}
    return list(due([Announcement(WEB.key, whole.pop("subject", WEB), **whole)]))


def addresses(**fields: Any) -> list[tuple[str, ...]]:
    return [act.addresses for act in acts(**fields) if isinstance(act, Write)]


def test_what_is_ready_and_was_not_written_is_written() -> None:
    assert addresses(ready=(A,)) == [(A,)]
    assert acts(ready=()) == [], "Contrail has not chosen yet"
    assert addresses(ready=(A,), written=Written("uid-1", (B,))) == [(A,)]
    assert acts(ready=(A,), announced=(A,), written=Written("uid-1", (A,), "10")) == []


def test_what_was_written_to_a_predecessor_does_not_count() -> None:
    assert addresses(ready=(A,), written=Written("uid-0", (A,))) == [(A,)]
    assert acts(wanted=False, written=Written("uid-0", (A,))) == [Forget(WEB.key)]


def test_it_is_taken_back_when_the_service_is_not_served_any_more() -> None:
    assert addresses(wanted=False, written=Written("uid-1", (A,))) == [()]
    assert acts(wanted=False) == []
    assert acts(subject=None, wanted=False, written=Written("uid-1", (A,))) == [Forget(WEB.key)]


def test_an_address_that_is_made_anew_stays_announced_meanwhile() -> None:
    written = Written("uid-1", (A, B))
    assert acts(ready=(), complete=False, written=written, announced=(A, B)) == []
    assert acts(ready=(A,), complete=False, written=written, announced=(A, B)) == []
    assert addresses(ready=(A,), complete=True, written=written, announced=(A, B)) == [(A,)]
    assert addresses(ready=(A,), complete=False) == [(A,)], "one that never comes does not keep the others back"


def test_what_somebody_undid_is_written_again_once_the_watchers_have_seen_it() -> None:
    written = Written("uid-1", (A,), "10")
    [again] = acts(ready=(A,), announced=(), written=written)
    assert isinstance(again, Write) and again.again
    assert acts(ready=(A,), announced=(), written=Written("uid-1", (A,), "20")) == [], "not seen yet"
    assert acts(ready=(A,), announced=None, written=written) == [], "nobody watches an ingress's status"
    assert acts(ready=(A,), announced=(), written=Written("uid-1", (A,), "")) == []


def test_what_another_controller_held_is_tried_again() -> None:
    [write] = acts(ready=(A,), announced=(B,), written=Written("uid-1", (A,), "", "metallb"))
    assert isinstance(write, Write) and write.again and not write.is_there
    [same] = acts(ready=(A, B), announced=(B, A))
    assert isinstance(same, Write) and same.is_there


def test_an_apply_names_the_field_the_uid_and_nothing_else() -> None:
    assert status_of(WEB, (A, B)) == {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "shop", "uid": "uid-1"},
        "status": {"loadBalancer": {"ingress": [{"ip": A}, {"ip": B}]}},
    }
    assert status_of(WEB, ())["status"] == {}
    assert Subject.of("Ingress/shop/front").path == "/apis/networking.k8s.io/v1/namespaces/shop/ingresses/front"
    assert Subject.of("Namespace//shop").path == "/api/v1/namespaces/shop"


def test_case_62_whoever_undoes_what_is_written_does_not_make_us_write_for_ever() -> None:
    writer, now = Counting(), 0.0
    announcing = Announcing(
        Undone(),  # type: ignore[arg-type]
        writer,  # type: ignore[arg-type]
        leads=lambda: True,
        pace=Bucket(1000.0, burst=1000.0),
        clock=lambda: now,
    )
    for _ in range(3600):
        now += 1.0
        announcing.round()
    assert 8 <= writer.writes <= 16, "in an hour"
