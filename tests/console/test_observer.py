"""When a run counts as settled, and how fast it says it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TypeVar

import pytest

from console.observer import QUIET_SECONDS, Look, Observer, Sources
from console.snapshot import WATCHED, Counts, Reading, Snapshot
from schemas.errors import BusUnavailable, StoreUnavailable

T = TypeVar("T")
BLOCKED_SECONDS = 12.0
DONE = Snapshot(counts=Counts({}, {"applied": 10}, {"applied": 2}), reading=Reading({0: 7, 1: 3}))


class World:
    """What an observer sees, changed by the test; `error` is raised by the source of that name."""

    def __init__(self) -> None:
        self.now = 0.0
        self.snapshot = DONE
        self.ends: Mapping[int, int] | None = {0: 7, 1: 3}
        self.waiting: dict[str, str] = {}
        self.listed = True
        self.error: dict[str, Exception] = {}

    def observer(self) -> Observer:
        sources = Sources(
            snapshot=lambda first, rows: self._give("snapshot", self.snapshot),
            ends=lambda: self._give("ends", self.ends),
            waiting=lambda: self.waiting,
            listed=lambda snapshot: self.listed,
        )
        return Observer(sources, blocked_seconds=BLOCKED_SECONDS, clock=lambda: self.now)

    def look_for(self, seconds: float, observer: Observer) -> Look:
        """Looks twice, so many seconds apart."""
        observer.look()
        self.now += seconds
        return observer.look()

    def _give(self, name: str, value: T) -> T:
        if name in self.error:
            raise self.error[name]
        return value


@pytest.fixture
def world() -> World:
    return World()


def _counts(**objects: int) -> Snapshot:
    return dataclasses.replace(DONE, counts=Counts({}, objects, {}))


def test_a_run_is_settled_when_all_is_read_and_applied_and_nothing_moves(world: World) -> None:
    assert not world.observer().look().settled, "one look cannot know that nothing moves"
    assert world.look_for(QUIET_SECONDS, world.observer()).settled


@pytest.mark.parametrize("status", ["pending", "failed"])
def test_a_run_with_work_left_is_not_settled(world: World, status: str) -> None:
    world.snapshot = _counts(applied=3, **{status: 1})
    assert not world.look_for(60, world.observer()).settled


def test_a_run_is_not_settled_before_the_log_is_at_its_end(world: World) -> None:
    world.ends = {0: 7, 1: 4}
    assert not world.look_for(60, world.observer()).settled
    world.ends = {0: 7, 1: 3, 2: 1}
    assert not world.look_for(60, world.observer()).settled, "a partition that nobody began to read"
    world.ends = None
    assert not world.look_for(60, world.observer()).settled, "the end is not known"


def test_a_run_is_not_settled_while_a_service_is_not_ready_or_the_cluster_not_listed(world: World) -> None:
    world.waiting = {"applier": "starting"}
    assert not world.look_for(60, world.observer()).settled
    world.waiting, world.listed = {}, False
    assert not world.look_for(60, world.observer()).settled


def test_blocked_objects_are_given_time_for_what_they_wait_for(world: World) -> None:
    world.snapshot = _counts(applied=3, blocked=1)
    assert not world.look_for(BLOCKED_SECONDS - 1, world.observer()).settled
    assert world.look_for(BLOCKED_SECONDS, world.observer()).settled


def test_dead_objects_are_nothing_to_wait_for(world: World) -> None:
    world.snapshot = _counts(applied=3, dead=1)
    assert world.look_for(QUIET_SECONDS, world.observer()).settled


def test_movement_begins_the_wait_anew(world: World) -> None:
    observer = world.observer()
    observer.look()
    world.now += QUIET_SECONDS
    world.snapshot = _counts(applied=11)
    assert not observer.look().settled
    world.now += QUIET_SECONDS
    assert observer.look().settled


def test_a_store_that_is_away_is_a_problem_and_keeps_the_last_picture(world: World) -> None:
    observer = world.observer()
    observer.look()
    world.error["snapshot"] = StoreUnavailable("the store is away")
    look = world.look_for(60, observer)
    assert (look.problem, look.snapshot, look.settled) == ("the store is away", DONE, False)


def test_a_bus_that_is_away_is_a_problem_and_the_store_is_still_read(world: World) -> None:
    world.error["ends"] = BusUnavailable("no broker")
    look = world.look_for(60, world.observer())
    assert (look.problem, look.ends, look.snapshot, look.settled) == ("no broker", None, DONE, False)


def test_the_rate_of_events_is_taken_over_the_last_seconds(world: World) -> None:
    observer, rates = world.observer(), []
    for second in range(6):
        world.now, world.snapshot = float(second), dataclasses.replace(DONE, reading=Reading({0: 100 * min(second, 3)}))
        rates.append(observer.look().events_lately)
    assert rates[0] == 0.0
    assert rates[3] == pytest.approx(100.0)
    assert rates[5] == pytest.approx(0.0)


def test_there_is_a_first_look_when_it_has_started(world: World) -> None:
    observer = world.observer().start()
    observer.stop()
    assert observer.latest.snapshot == DONE


def test_a_cluster_counts_as_read_once_every_kind_that_was_begun_is_listed() -> None:
    """Those that every cluster has must be begun, too; those that a CRD brings may never be."""
    done = {kind: {0: "streaming"} for kind in WATCHED}
    assert Reading({}, done).listed(1)
    assert not Reading({}, {kind: state for kind, state in done.items() if kind != "Service"}).listed(1)
    assert not Reading({}, {**done, "ServiceChain": {0: "listing"}}).listed(1)
    assert not Reading({}, done).listed(2)
