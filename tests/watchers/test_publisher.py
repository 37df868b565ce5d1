"""From events to durable records, with a bus that goes away, comes back, and loses what it took."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from prometheus_client import REGISTRY

from schemas.events import ChangeEvent, Op, Source, change
from schemas.health import Health
from schemas.identity import ResourceKey, partition_of
from schemas.records import PodRecord
from tests.watchers.memory_bus import MemoryBus
from tests.watchers.patience import eventually
from watchers.publisher import Publisher

pytestmark = pytest.mark.process

SOURCE = Source(cluster="k8s")


def _event(name: str, version: int = 1, op: Op = Op.UPSERT) -> ChangeEvent:
    key = ResourceKey("Pod", "shop", name)
    body = None if op is Op.DELETE else PodRecord()
    return change(op=op, epoch=1, key=key, uid=name, resource_version=str(version), source=SOURCE, body=body)


class _Running:
    def __init__(self, bus: MemoryBus, *, room: int) -> None:
        self.bus, self.health, self.losses = bus, Health(), 0
        self.publisher = Publisher(bus.open(), reopen=bus.open, health=self.health, lost=self._lost, room=room)
        self.thread = threading.Thread(target=self.publisher.run)
        self.thread.start()

    def _lost(self) -> None:
        self.losses += 1

    def offer(self, name: str, version: int = 1, *, patience: Callable[[], bool] = lambda: True) -> bool:
        return self.publisher.offer(_event(name, version), patience=patience)

    def mark(self, op: Op, epoch: int) -> None:
        self.publisher.mark(op, epoch=epoch, kind="Pod", api_version="v1", source=SOURCE)

    def told(self) -> list[str]:
        return [f"{e.op} {e.name} {e.resource_version}".strip() for e in self.bus.events]


@contextmanager
def _running(*, room: int = 10_000) -> Iterator[_Running]:
    running = _Running(MemoryBus(), room=room)
    try:
        yield running
    finally:
        running.publisher.close(within=5, thread=running.thread)
        assert not running.thread.is_alive()


def test_an_event_becomes_a_record_with_key_partition_and_headers() -> None:
    with _running() as running:
        running.offer("web-0")
        eventually(lambda: running.bus.records)
    partition, key, _, headers = running.bus.records[0]
    assert partition == partition_of(ResourceKey("Pod", "shop", "web-0"), 4)
    assert key == b"Pod/shop/web-0"
    names = dict(headers)
    assert (names["kind"], names["op"]) == (b"Pod", b"upsert")
    assert re.fullmatch(rb"00-[0-9a-f]{32}-[0-9a-f]{16}-01", names["traceparent"])


def test_a_marker_goes_to_every_partition() -> None:
    with _running() as running:
        running.mark(Op.SNAPSHOT_BEGIN, 5)
        eventually(lambda: len(running.bus.records) == 4)
    assert [partition for partition, *_ in running.bus.records] == [0, 1, 2, 3]
    assert len({event.event_id for event in running.bus.events}) == 4
    assert {event.epoch for event in running.bus.events} == {5}


def test_a_lone_event_is_durable_within_milliseconds() -> None:
    with _running() as running:
        delays = []
        for number in range(20):
            began = time.monotonic()
            running.offer("a", number + 1)
            eventually(lambda n=number: len(running.bus.records) > n, every=0.0002)  # type: ignore[misc]
            delays.append(time.monotonic() - began)
    # Two milliseconds where nothing else runs; what must not be there is a pause that waits for company.
    assert sorted(delays)[10] < 0.050


def test_case_43_while_the_bus_is_away_events_are_coalesced_and_none_is_lost() -> None:
    with _running() as running:
        running.bus.away.set()
        running.offer("first")
        eventually(lambda: "bus" in running.health.why_not_ready())
        for version in range(1, 2001):
            running.offer("a", version)
        running.offer("b")
        running.bus.away.clear()
        eventually(lambda: len(running.bus.records) >= 3)
        assert running.told() == ["upsert first 1", "upsert a 2000", "upsert b 1"]
        assert running.health.why_not_ready() == {}


def test_case_43_a_full_buffer_holds_up_new_objects_but_not_known_ones() -> None:
    with _running(room=2) as running:
        running.bus.away.set()
        running.offer("gone")
        eventually(lambda: "bus" in running.health.why_not_ready())
        running.offer("a")
        running.offer("b")
        assert running.offer("a", 2, patience=lambda: False)
        assert not running.offer("c", patience=lambda: False)
        assert REGISTRY.get_sample_value("contrail_kube_watchers_pending") == 3.0, "one of them is on its way"
        blocked = threading.Thread(target=lambda: running.offer("c"))
        blocked.start()
        assert blocked.is_alive()
        running.bus.away.clear()
        blocked.join(5)
        assert not blocked.is_alive()
        eventually(lambda: len(running.bus.records) == 4)
        assert running.told() == ["upsert gone 1", "upsert b 1", "upsert a 2", "upsert c 1"]


def test_closing_sends_what_waits() -> None:
    bus = MemoryBus()
    running = _Running(bus, room=10_000)
    for number in range(3000):
        running.offer(f"pod-{number}")
    assert running.publisher.close(within=10, thread=running.thread) == 0
    assert len(bus.records) == 3000
    assert bus.producer.closed


def test_closing_while_the_bus_is_away_ends_in_time_and_says_how_much_was_not_sent() -> None:
    bus = MemoryBus()
    running = _Running(bus, room=10_000)
    bus.away.set()
    for number in range(1500):
        running.offer(f"pod-{number}")
    began = time.monotonic()
    assert running.publisher.close(within=0.3, thread=running.thread) == 1500
    assert time.monotonic() - began < 5
    assert not running.thread.is_alive()


def test_what_a_producer_lost_is_listed_again_and_its_snapshot_is_never_ended() -> None:
    with _running() as running:
        running.mark(Op.SNAPSHOT_BEGIN, 5)
        eventually(lambda: len(running.bus.records) == 4)
        running.bus.producer.lose()
        running.offer("a")
        eventually(lambda: running.losses == 1)
        # The reads that came before the loss are gone: an end would sweep what they named.
        running.offer("b")
        running.mark(Op.SNAPSHOT_END, 5)
        running.mark(Op.SNAPSHOT_BEGIN, 6)
        running.offer("a")
        running.mark(Op.SNAPSHOT_END, 6)
        eventually(lambda: len(running.bus.records) == 13)
        assert running.bus.opened == 2
        assert [f"{e.op} {e.epoch}" for e in running.bus.events[4:]] == (
            ["snapshot_begin 6"] * 4 + ["upsert 1"] + ["snapshot_end 6"] * 4
        )


def test_a_record_that_the_bus_refuses_again_and_again_is_not_listed_in_a_busy_loop() -> None:
    with _running() as running:
        stop = threading.Event()

        def refuse() -> None:
            while not stop.wait(0.01):
                running.bus.producer.lose()
                running.mark(Op.SNAPSHOT_BEGIN, 1)

        thread = threading.Thread(target=refuse)
        thread.start()
        time.sleep(1.5)
        stop.set()
        thread.join()
        assert 2 <= running.losses <= 6


def test_another_producer_is_opened_when_the_bus_is_back() -> None:
    with _running() as running:
        running.bus.producer.lose()
        running.bus.away.set()
        running.offer("a")
        eventually(lambda: "bus" in running.health.why_not_ready())
        assert running.losses == 0
        running.bus.away.clear()
        eventually(lambda: running.losses == 1)


def test_an_error_that_trying_again_does_not_mend_ends_the_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    bus = MemoryBus()
    publisher = Publisher(bus.open(), reopen=bus.open, health=Health(), lost=lambda: None)
    errors: list[BaseException] = []

    def run() -> None:
        try:
            publisher.run()
        except ValueError as error:
            errors.append(error)

    monkeypatch.setattr(bus.producer, "publish", lambda *_: (_ for _ in ()).throw(ValueError("broken")))
    thread = threading.Thread(target=run)
    thread.start()
    publisher.offer(_event("a"), patience=lambda: True)
    thread.join(5)
    assert [str(error) for error in errors] == ["broken"]
    publisher.close(within=1, thread=thread)
