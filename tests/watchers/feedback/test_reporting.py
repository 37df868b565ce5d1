"""Events where the API server takes none: others are told all the same, and these are not tried without end."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from schemas.health import Health
from watchers.feedback.problem_store import Known
from watchers.feedback.problems import Problem
from watchers.feedback.reporting import Reporting
from watchers.feedback.settings import FeedbackSettings
from watchers.feedback.subject import Json, Subject
from watchers.feedback.telling import Place, Told
from watchers.feedback.writer import Reply, Verdict


class Store:
    """Problems of pods, and what was told of them; `uids` by key where it is not the key itself."""

    def __init__(self, *pods: str) -> None:
        self.pods = pods
        self.uids: dict[str, str] = {}
        self.rows: dict[Place, Told] = {}

    def problems(self, limit: int) -> tuple[list[Problem], bool]:
        return [Problem(f"Pod/{name}", "AttachmentMissing", "there is none", "Serve") for name in self.pods], False

    def told(self) -> list[Told]:
        return list(self.rows.values())

    def known(self, keys: Collection[str]) -> dict[str, Known]:
        return {key: Known(Subject.of(key, uid=self.uids.get(key, key), api_version="v1")) for key in keys}

    def record(self, rows: Sequence[Told], forgotten: Sequence[Told] = ()) -> None:
        self.rows.update({row.place: row for row in rows})
        for row in forgotten:
            self.rows.pop(row.place, None)


class Server:
    """Takes Events, but none in a namespace that is going."""

    def __init__(self) -> None:
        self.created: list[str] = []
        self.is_going = True

    def create(self, path: str, body: Json, *, part: str) -> Reply:
        self.created.append(f"{body['regarding']['namespace']}/{body['regarding']['name']}")
        gone = self.is_going and "/namespaces/going/" in path
        return Reply(Verdict.GONE if gone else Verdict.DONE)


class Term:
    """A feedback of Events by a clock of our own, with a look each two seconds."""

    def __init__(self, store: Store) -> None:
        self.now, self.server = 1_000_000.0, Server()
        self._reporting = Reporting(
            store,  # type: ignore[arg-type]
            self.server,  # type: ignore[arg-type]
            leads=lambda: True,
            settings=FeedbackSettings(settle_seconds=0.0, events_per_second=1.0),
            instance="i",
            health=Health(),
            clock=lambda: self.now,
        )

    def look(self, seconds: float) -> list[str]:
        """What was created in so many seconds."""
        before = len(self.server.created)
        until = self.now + seconds
        while self.now < until:
            self._reporting._rests_until = 0.0
            self._reporting.round()
            self.now += 2.0
        return self.server.created[before:]


def test_what_no_event_can_be_told_of_is_tried_less_and_less() -> None:
    term = Term(Store("going/a"))
    assert len(term.look(600.0)) <= 10
    assert len(term.look(3600.0)) <= 7


def test_a_namespace_that_is_going_keeps_nobody_else_from_being_told() -> None:
    """Events are at a pace, in the order of names."""
    term = Term(Store(*(f"going/{number:02}" for number in range(30)), "shop/a"))
    assert "shop/a" in term.look(60.0)


def test_a_namesake_is_told_of_at_once_when_the_namespace_is_made_again() -> None:
    store = Store("going/a")
    term = Term(store)
    term.look(600.0)
    term.server.is_going, store.uids = False, {"Pod/going/a": "another"}
    assert term.look(4.0) == ["going/a"]
    assert [row.count for row in store.told()] == [1]


def test_it_is_told_in_the_end_where_the_namespace_stays() -> None:
    store = Store("going/a")
    term = Term(store)
    term.look(60.0)
    term.server.is_going = False
    assert term.look(120.0) == ["going/a"]
