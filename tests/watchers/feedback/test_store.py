"""What feedback reads: a fixed number of statements, whatever the size, and all of it in the end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from schemas.health import Health
from tests.translator.facts import namespace, pod, service
from tests.translator.world import World
from translator.postgres import PostgresStore
from watchers.feedback.annotating import Annotating
from watchers.feedback.announcing import Announcing
from watchers.feedback.bucket import Bucket
from watchers.feedback.problem_store import ProblemStore
from watchers.feedback.reporting import Reporting
from watchers.feedback.settings import FeedbackSettings
from watchers.feedback.store import FeedbackStore
from watchers.feedback.subject import Json
from watchers.feedback.writer import Reply, Verdict

pytestmark = pytest.mark.postgres


class Recorder:
    """Takes every write."""

    def __init__(self) -> None:
        self.paths: list[str] = []

    def apply(self, path: str, body: Json, *, part: str, force: bool = False) -> Reply:
        return self.create(path, body, part=part)

    merge = apply

    def create(self, path: str, body: Json, *, part: str) -> Reply:
        self.paths.append(path)
        return Reply(Verdict.DONE, "", "7")


@pytest.fixture
def world(store_engine: Engine) -> Iterator[World]:
    store = PostgresStore(store_engine, "k8s")
    yield World(store, with_settings=True)
    store.close()


def fill(world: World, engine: Engine, count: int) -> None:
    """So many pods with addresses, and so many services that lack a pool."""
    world.tell(namespace())
    world.tell(*(pod(f"web-{n:04}", n + 2) for n in range(count)))
    fields: dict[str, Any] = {"type": "LoadBalancer", "cluster_ips": ("10.96.0.9",)}
    world.tell(*(service(f"lb-{n:04}", n + 2, **fields) for n in range(count)))
    with engine.begin() as connection:
        connection.execute(
            text("""
                INSERT INTO observed_object (uuid, type, body, digest)
                SELECT uuid, type, '{"address": "10.47.0.1"}', '' FROM desired_object
                WHERE type = 'instance-ip' AND fq_name LIKE 'web-%' ON CONFLICT DO NOTHING
            """)
        )


def parts(engine: Engine, writer: Recorder, *, rate: float = 10_000.0) -> list[Any]:
    store, pace, leads = FeedbackStore(engine, "k8s"), Bucket(rate, burst=rate), lambda: True
    settings = FeedbackSettings(settle_seconds=0.0, events_per_second=1000.0)
    return [
        Announcing(store, writer, leads=leads, pace=pace),  # type: ignore[arg-type]
        Reporting(
            ProblemStore(engine, "k8s"),
            writer,  # type: ignore[arg-type]
            leads=leads,
            settings=settings,
            instance="i",
            health=Health(),
        ),
        Annotating(store, writer, leads=leads, pace=pace, whose="all", resync=3600.0),  # type: ignore[arg-type]
    ]


def test_a_round_has_as_many_statements_over_many_objects_as_over_few(world: World, store_engine: Engine) -> None:
    counts = []
    sent: list[str] = []
    event.listen(store_engine, "before_cursor_execute", lambda c, cursor, statement, *rest: sent.append(statement))
    for size in (3, 300):
        fill(world, store_engine, size)
        writer = Recorder()
        every = parts(store_engine, writer)
        sent.clear()
        for each in every:
            each.round()
        counts.append((len(sent), len(writer.paths)))
    (few, six), (many, hundreds) = counts
    assert many == few, "the second time some were written already"
    assert six == 6 and hundreds >= 500
    sent.clear()
    again = Recorder()
    for each in parts(store_engine, again):
        each.round()
    assert again.paths == [], "a restart writes nothing twice"


def test_more_pods_than_the_pace_allows_are_written_round_by_round(world: World, store_engine: Engine) -> None:
    fill(world, store_engine, 40)
    writer = Recorder()
    _, _, annotating = parts(store_engine, writer, rate=15.0)
    rounds = 0
    while len(writer.paths) < 40:
        assert annotating.round() or len(writer.paths) == 40, "there is more"
        rounds += 1
        assert rounds < 1000
    assert len(set(writer.paths)) == 40 == len(writer.paths), "each once"


def test_new_addresses_are_found_without_looking_at_every_pod(world: World, store_engine: Engine) -> None:
    fill(world, store_engine, 3)
    writer = Recorder()
    _, _, annotating = parts(store_engine, writer)
    while annotating.round():
        pass
    writer.paths.clear()
    world.tell(pod("late", 99))
    annotating.round()
    assert writer.paths == []
    with store_engine.begin() as connection:
        connection.execute(
            text("""
                INSERT INTO observed_object (uuid, type, body, digest)
                SELECT uuid, type, :body, '' FROM desired_object WHERE type = 'instance-ip' AND fq_name LIKE 'late%'
            """),
            {"body": json.dumps({"address": "10.47.0.9"})},
        )
    annotating.round()
    assert writer.paths == ["/api/v1/namespaces/shop/pods/late"]
