"""The loop: positions from the store, nothing lost while a neighbour is away, fenced work dropped."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import msgspec
import pytest

from schemas.errors import BusMismatch, StoreUnavailable
from schemas.health import Health
from tests.translator.bus import FakeConsumer, Topic
from tests.translator.facts import SETTINGS, TOPIC, Publisher, begin, end, namespace, node, pod
from tests.translator.rows import MemoryBackend
from tests.translator.world import World
from translator.batch import Rules
from translator.consumer import Follower
from translator.memory import MemoryStore
from translator.settings import TranslatorSettings
from translator.store import Session

T = TypeVar("T")


class Troubled(MemoryStore):
    """A store that is away when told to: before the commit, or after it."""

    def __init__(self) -> None:
        super().__init__()
        self.away = 0
        self.lost_answers = 0
        self.runs = 0

    def run(self, work: Callable[[Session], T]) -> T:
        """Run, or be away."""
        self.runs += 1
        if self.away:
            self.away -= 1
            raise StoreUnavailable("the database does not answer")
        result = super().run(work)
        if self.lost_answers:
            self.lost_answers -= 1
            raise StoreUnavailable("no answer came; the commit may have happened")
        return result


class Scene:
    """A follower over a bus and a store in memory; `steps` run one after the other whenever the bus is idle."""

    def __init__(
        self,
        store: MemoryStore | None = None,
        *,
        rules: Rules | None = None,
        clock: Callable[[], float] = time.monotonic,
        **settings: object,
    ) -> None:
        self.backend = MemoryBackend()
        self.store = self.backend.store = store or Troubled()
        self.topic, self.publisher, self.health = Topic(), Publisher(), Health()
        self.consumers: list[FakeConsumer] = []
        self.rules = rules or Rules.of("translator", SETTINGS)
        self.follower = Follower(
            open_consumer=self.open,
            store=self.store,
            rules=self.rules,
            settings=TranslatorSettings(**{"linger": 0.0, **settings}),  # type: ignore[arg-type]
            clock=clock,
            health=self.health,
            longest_wait=0.001,
        )
        self._steps: Iterator[Callable[[], None]] = iter(())

    @property
    def consumer(self) -> FakeConsumer:
        """The consumer in use."""
        return self.consumers[-1]

    def open(self) -> FakeConsumer:
        """Open the bus."""
        self.consumers.append(FakeConsumer(self.topic, idle=self._idle))
        return self.consumer

    def publish(self, *events: object) -> None:
        """Publish events."""
        self.topic.publish(self.publisher.records(events))  # type: ignore[arg-type]

    def play(self, *steps: Callable[[], None]) -> None:
        """Follow until the bus is idle after the last step."""
        self._steps = iter(steps)
        self._quiet = 0
        self.follower.run()

    def _idle(self) -> None:
        # Assignments and seeks take a turn of the loop each: only lasting silence is idle.
        self._quiet += 1
        if self._quiet < 3:
            return
        self._quiet = 0
        step = next(self._steps, None)
        if step is None:
            self.follower.stop()
        else:
            step()

    def pods(self) -> set[str]:
        """Names of the pods stored."""
        return {key.rsplit("/", 1)[1] for key in self.backend.dump()["resources"] if key.startswith("Pod/")}


def test_records_are_stored_in_order_and_the_position_is_the_stores() -> None:
    scene = Scene()
    scene.publish(namespace(), *(pod(f"web-{n}", n + 2) for n in range(5)))
    scene.play(lambda: scene.publish(pod("late", 90)))
    assert scene.pods() == {"late", *(f"web-{n}" for n in range(5))}
    assert scene.health.why_not_ready() == {}
    assert scene.health.why_not_alive() == {}
    again = Scene(scene.store)
    again.topic, again.publisher = scene.topic, scene.publisher
    again.publish(pod("later", 91))
    diffs = len(scene.backend.dump()["diffs"])
    again.play()
    assert sorted(again.consumer.sought) == [(n, scene.topic.end(n) - (n == 2)) for n in range(4)]
    assert len(again.backend.dump()["diffs"]) == diffs + 4
    assert again.consumer.closed


def test_a_lone_record_is_not_kept_waiting_and_a_stream_shares_transactions() -> None:
    """Time is the number of polls: a record that comes two lingers after the last batch is lone."""
    for pause, transactions in ((50.0, 3), (0.0, 2)):
        now = {"at": 1000.0}
        scene = Scene(clock=lambda now=now: now["at"], linger=1.0)  # type: ignore[misc]
        scene.publish(namespace())

        def lone(scene: Scene = scene, now: dict[str, float] = now, pause: float = pause) -> None:
            now["at"] += pause
            scene.publish(pod("web-0", 2))
            scene.consumer.after_records = lambda: scene.publish(pod("web-1", 3))

        scene.play(lone)
        assert scene.pods() == {"web-0", "web-1"}
        assert isinstance(scene.store, Troubled) and scene.store.runs == 1 + transactions


def test_a_batch_is_never_larger_than_the_setting() -> None:
    scene = Scene(batch_records=3)
    scene.publish(namespace(), *(pod(f"web-{n}", n + 2) for n in range(10)))
    scene.play()
    assert len(scene.pods()) == 10
    assert isinstance(scene.store, Troubled) and scene.store.runs == 1 + 4


def test_a_store_that_is_away_costs_time_and_loses_nothing(caplog: pytest.LogCaptureFixture) -> None:
    store = Troubled()
    scene = Scene(store)
    reasons = []
    scene.publish(namespace(), pod("web-0", 2))

    def trouble() -> None:
        store.away = 5
        scene.publish(pod("web-1", 3))

    with caplog.at_level(logging.INFO):
        scene.play(trouble, lambda: reasons.append(scene.health.why_not_ready()))
    assert scene.pods() == {"web-0", "web-1"}
    assert reasons == [{}]
    said = [each.getMessage() for each in caplog.records if "store is" in each.getMessage()]
    assert said == ["store is away, trying again: the database does not answer", "store is back after 5 failed tries"]


def test_a_store_that_is_away_at_start_is_waited_for() -> None:
    store = Troubled()
    store.away = 4
    scene = Scene(store)
    scene.publish(namespace())
    scene.play()
    assert "Namespace//shop" in scene.backend.dump()["resources"]


def test_case_55_a_commit_whose_answer_was_lost_is_not_done_twice() -> None:
    store = Troubled()
    scene = Scene(store)
    scene.publish(namespace(), pod("web-0", 2))

    def trouble() -> None:
        store.lost_answers = 1
        scene.publish(pod("web-0", 3, phase="Failed"), pod("web-1", 4))

    scene.play(trouble, lambda: scene.publish(pod("web-2", 5)))
    assert scene.pods() == {"web-0", "web-1", "web-2"}
    generations = {generation for _, generation in scene.backend.dump()["diffs"]}
    assert generations == {1, 2}


def test_a_bus_that_is_away_is_polled_until_it_is_back() -> None:
    scene = Scene()
    scene.publish(namespace())

    def trouble() -> None:
        scene.consumer.failing = 3
        scene.publish(pod("web-0", 2))

    scene.play(trouble)
    assert scene.pods() == {"web-0"}
    assert len(scene.consumers) == 1


def test_a_bus_that_stays_away_is_opened_anew() -> None:
    scene = Scene()
    scene.publish(namespace())

    def trouble() -> None:
        scene.consumer.failing = 1000
        scene.publish(pod("web-0", 2))

    scene.play(trouble)
    assert scene.pods() == {"web-0"}
    assert len(scene.consumers) == 2 and scene.consumers[0].closed


def test_what_no_try_can_mend_ends_the_loop() -> None:
    scene = Scene()

    def refuse() -> FakeConsumer:
        raise BusMismatch("the topic has 3 partitions, 4 are set")

    scene.follower._open_consumer = refuse
    with pytest.raises(BusMismatch):
        scene.play()


def test_partitions_lost_in_a_rebalance_are_dropped_and_found_again() -> None:
    scene = Scene()
    scene.publish(namespace())
    partition = scene.publisher.record(pod("web-0", 2)).partition
    scene.publisher.offsets[partition] -= 1

    def lose() -> None:
        scene.consumer.assign(lost=[partition])
        scene.publish(pod("web-0", 2))

    held: list[set[str]] = []

    def regain() -> None:
        held.append(scene.pods())
        scene.consumer.assign(gained=[partition])

    scene.play(lose, regain)
    assert held == [set()]
    assert scene.pods() == {"web-0"}


def test_records_of_a_partition_that_is_lost_with_them_are_not_stored() -> None:
    scene = Scene()
    scene.publish(namespace())
    told = scene.publisher.records([pod("web-0", 2)])

    def lose() -> None:
        scene.consumer.lost_with_next = {told[0].partition}
        scene.topic.publish(told)

    scene.play(lose)
    assert scene.pods() == set()


def test_case_42_fenced_work_is_dropped_and_begun_again_where_the_store_is(caplog: pytest.LogCaptureFixture) -> None:
    scene = Scene()
    scene.publish(namespace())

    def another_instance_was_faster() -> None:
        told = scene.publisher.records([pod("web-0", 2), pod("web-1", 3)])
        other = World(scene.store)
        other.take(told[:1])
        scene.topic.publish(told)

    scene.play(another_instance_was_faster)
    assert scene.pods() == {"web-0", "web-1"}
    assert {generation for _, generation in scene.backend.dump()["diffs"]} == {1}
    assert "fenced" in caplog.text


def test_case_44_records_that_retention_has_passed_are_told_of_and_open_listings_are_not_trusted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    scene = Scene()
    scene.publish(namespace(), pod("web-0", 2), begin("Pod", 2))
    scene.play()
    partition = scene.publisher.record(pod("lost", 3)).partition
    scene.topic.forget(partition, scene.publisher.offsets[partition])
    scene.publish(end("Pod", 2), pod("web-1", 4, epoch=2))
    again = Scene(scene.store)
    again.topic, again.publisher = scene.topic, scene.publisher
    again.play(lambda: None)
    assert again.pods() == {"web-0", "web-1"}
    assert f"records lost topic={TOPIC} partition={partition}" in caplog.text
    healing = Scene(scene.store)
    healing.topic, healing.publisher = scene.topic, scene.publisher
    healing.publish(begin("Pod", 3), end("Pod", 3))
    healing.play()
    assert healing.pods() == set()


def test_a_topic_made_anew_is_read_from_its_start() -> None:
    scene = Scene()
    scene.publish(namespace(), *(pod(f"web-{n}", n + 2) for n in range(4)))
    scene.play()
    scene.topic.remake()
    again = Scene(scene.store)
    again.topic = scene.topic
    again.publish(pod("new", 1, epoch=2))
    again.play()
    assert "new" in again.pods()


def test_changed_rules_translate_a_partition_anew_before_it_goes_on() -> None:
    scene = Scene()
    scene.publish(namespace(), node(), *(pod(f"web-{n}", n + 2) for n in range(3)))
    scene.play()
    changed = Rules.of("translator", msgspec.structs.replace(SETTINGS, owner="netops"))
    again = Scene(scene.store, rules=changed)
    again.topic, again.publisher = scene.topic, scene.publisher
    again.play()
    owners = {
        pair["value"]
        for row in again.backend.dump()["objects"].values()
        if row[0] != "link"
        for pair in row[4]["properties"]["annotations"]["key_value_pair"]
        if pair["key"] == "owner"
    }
    assert owners == {"netops"}


@pytest.mark.slow
def test_a_sweep_of_several_transactions_comes_to_its_end() -> None:
    scene = Scene()
    scene.publish(namespace(), *(pod(f"web-{n}", n + 2) for n in range(2100)))
    scene.play(lambda: scene.publish(begin("Pod", 2), end("Pod", 2), pod("new", 9000, epoch=2)))
    assert scene.pods() == {"new"}


def test_dead_letters_are_told_of_but_not_without_end(caplog: pytest.LogCaptureFixture) -> None:
    scene = Scene()
    scene.topic.publish([scene.publisher.raw(b"garbage", 0) for _ in range(20)])
    scene.play()
    said = [each.getMessage() for each in caplog.records if each.getMessage().startswith("dead letter")]
    assert len(said) == 5
    assert "and 15 more dead letters of the same batch" in caplog.text
    assert len(scene.backend.dump()["letters"]) == 20
