"""Several translators at once over one PostgreSQL: nothing is lost, whoever wins.

The transactions are made to overlap: each waits, with its work done and before its commit, until the other is
as far. So every round is a race, and every round must end as if one had come after the other.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest
from sqlalchemy import Engine

from schemas.errors import Fenced
from schemas.events import ChangeEvent, Op
from tests.translator.facts import CLUSTER, PARTITIONS, TOPIC, namespace, node, pod
from tests.translator.rows import MemoryBackend, PostgresBackend
from tests.translator.world import World
from translator import metrics
from translator.batch import Summary, put_settings, take
from translator.intake import Batch
from translator.postgres import PostgresStore
from translator.replay import state_digest
from translator.store import Move, Session

pytestmark = pytest.mark.postgres

T = TypeVar("T")
DEADLINE = 20.0
ROUNDS = 40


class Racer:
    """One translator: a store with a connection of its own."""

    def __init__(self, engine: Engine) -> None:
        self.store = PostgresStore(engine, CLUSTER)

    def race(self, work: Callable[[Session], T], together: threading.Barrier) -> T:
        """Run the work; the first time, wait before the commit until all racers are as far."""
        runs = 0

        def held(session: Session) -> T:
            nonlocal runs
            runs += 1
            result = work(session)
            if runs == 1:
                together.wait(DEADLINE)
            return result

        return self.store.run(held)


@pytest.fixture
def racers(store_engine: Engine) -> Iterator[tuple[Racer, Racer]]:
    """Two translators."""
    pair = (Racer(store_engine), Racer(store_engine))
    yield pair
    for each in pair:
        each.store.close()


def both(racers: tuple[Racer, Racer], works: list[Callable[[Session], T]]) -> list[T]:
    """Run both works so that they overlap."""
    together = threading.Barrier(2)
    with ThreadPoolExecutor(2) as pool:
        running = [pool.submit(racer.race, work, together) for racer, work in zip(racers, works, strict=True)]
        return [each.result(DEADLINE) for each in running]


def taking(batch: Batch, world: World) -> Callable[[Session], Summary]:
    return lambda session: take(session, batch, world.rules)


def test_a_pod_and_its_node_that_arrive_at_once_find_each_other(
    racers: tuple[Racer, Racer], store_engine: Engine
) -> None:
    world = World(racers[0].store, with_settings=True)
    world.tell(namespace("shop"))
    races = metrics.RACES._value.get()
    for number in range(ROUNDS):
        told = _pod_and_node(world, number)
        both(racers, [taking(batch, world) for batch in told])
        world.at.update({part.partition: part.next_offset for batch in told for part in batch.slices})
    links = {
        row[4]["owner"]["fq_name"][1]: row[4]["owner"]["address"]
        for row in PostgresBackend(racers[0].store, store_engine).dump()["objects"].values()
        if row[0] == "link" and row[4]["owner"]["type"] == "virtual-router"
    }
    assert links == {_node_name(number): f"10.0.0.{number}" for number in range(ROUNDS)}
    assert metrics.RACES._value.get() - races >= ROUNDS / 4, "the races were not races"


def _node_name(number: int) -> str:
    return f"node-{number}"


def _pod_and_node(world: World, number: int) -> list[Batch]:
    """A pod and its node, new both, in two partitions."""
    name = _node_name(number)
    told = pod(f"web-{number}", 100 + number, node=name)
    partition = world.publisher.record(told).partition
    world.publisher.offsets = [world.at[n] for n in range(PARTITIONS)]
    other = (partition + 1 + number % (PARTITIONS - 1)) % PARTITIONS
    fact = node(name, 100 + number, address=f"10.0.0.{number}")
    return [
        world.batch([world.publisher.record(told, partition)]),
        world.batch([world.publisher.record(fact, other)]),
    ]


def test_an_object_that_one_gives_up_while_another_begins_to_want_it_stays(
    racers: tuple[Racer, Racer], store_engine: Engine
) -> None:
    """Namespace default goes while the settings come, and the other way round: the project is theirs both."""
    name = "default-domain:k8s-default"
    backend = PostgresBackend(racers[0].store, store_engine)
    for number in range(8):
        world = World(racers[0].store)
        world.tell(namespace("default", 10 * number + 1))
        records = world.publisher.records([namespace("default", 10 * number + 2, op=Op.DELETE)])
        goes = taking(world.batch(records), world)
        both(racers, [goes, lambda session, w=world: _settings(session, w)])  # type: ignore[misc]
        (project,) = [row for row in backend.dump()["objects"].values() if row[:2] == ("project", name)]
        assert project[7] is False
        assert {key for _, key in backend.dump()["sources"]} == {"Settings//k8s"}
        _forget_settings(store_engine)


def _settings(session: Session, world: World) -> None:
    put_settings(session, world.rules)


def _forget_settings(engine: Engine) -> None:
    with engine.begin() as connection:
        for table in ("desired_object", "object_diff", "k8s_resource", "resource_read"):
            connection.exec_driver_sql(f"DELETE FROM {table}")


def test_case_42_two_instances_with_one_partition_have_one_effect(
    racers: tuple[Racer, Racer], store_engine: Engine
) -> None:
    world = World(racers[0].store, with_settings=True)
    batch = world.batch(world.publisher.records([namespace(), pod("web-0", 2)]))
    outcomes: list[object] = []

    def run(racer: Racer) -> None:
        try:
            outcomes.append(racer.store.run(taking(batch, world)))
        except Fenced as error:
            outcomes.append(error)

    threads = [threading.Thread(target=run, args=(racer,)) for racer in racers]
    for each in threads:
        each.start()
    for each in threads:
        each.join(DEADLINE)
    assert sorted(type(each).__name__ for each in outcomes) == ["Fenced", "Summary"]
    dump = PostgresBackend(racers[0].store, store_engine).dump()
    assert {generation for _, generation in dump["diffs"]} == {1}


def test_case_54_a_deadlock_is_run_again(racers: tuple[Racer, Racer]) -> None:
    world = World(racers[0].store)
    races = metrics.RACES._value.get()

    def locking(first: int, second: int, between: threading.Barrier) -> Callable[[Session], bool]:
        state = {"runs": 0}

        def work(session: Session) -> bool:
            state["runs"] += 1
            for partition in (first, second):
                session.advance("translator", TOPIC, [Move(partition, 0, 0, world.rules.version)])
                if state["runs"] == 1 and partition == first:
                    between.wait(DEADLINE)
            return True

        return work

    between = threading.Barrier(2)
    with ThreadPoolExecutor(2) as pool:
        running = [
            pool.submit(racer.store.run, locking(*order, between))
            for racer, order in zip(racers, ((0, 1), (1, 0)), strict=True)
        ]
        assert [each.result(DEADLINE) for each in running] == [True, True]
    assert metrics.RACES._value.get() > races


def test_many_translators_end_where_one_would(store_engine: Engine) -> None:
    """Four at once, each with a partition, pods that share nodes and nodes that change: no lock-up, nothing lost."""
    events = _busy_cluster()
    alone = World(MemoryBackend().store, with_settings=True)
    alone.tell_each(events)
    stores = [PostgresStore(store_engine, CLUSTER) for _ in range(PARTITIONS)]
    World(stores[0], with_settings=True)
    records = World(MemoryBackend().store).publisher.records(events)

    def follow(partition: int) -> None:
        world = World(stores[partition])
        for each in (each for each in records if each.partition == partition):
            world.take([each])

    with ThreadPoolExecutor(PARTITIONS) as pool:
        for done in [pool.submit(follow, partition) for partition in range(PARTITIONS)]:
            done.result(120)
    assert state_digest(stores[0]) == state_digest(alone.store)
    for store in stores:
        store.close()


def _busy_cluster() -> list[ChangeEvent]:
    spaces = [f"team-{number}" for number in range(8)]
    events = [namespace(name, 1 + number) for number, name in enumerate(spaces)]
    version = 100
    for turn in range(12):
        for number, name in enumerate(spaces):
            version += 1
            events.append(pod(f"web-{turn}", version, namespace=name, node=f"n{(turn + number) % 5}"))
        version += 1
        events.append(node(f"n{turn % 5}", version, address=f"10.0.{turn}.1"))
    return events
