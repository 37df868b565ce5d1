"""What one core makes of objects: decoded, normalized and compared, per kind; encoded; handed to Kafka.

Part of `python -m benchmarks.watch`. Nothing is read from a network; only the producer's figure needs a broker.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from schemas.bus.kafka import KafkaProducer
from schemas.bus.port import Producer
from schemas.codec import decode, encode
from schemas.events import ChangeEvent, Op, Source, change
from schemas.settings import KafkaSettings
from watchers.decoding import Change, Decoding
from watchers.inventory import Inventory
from watchers.kinds import Kind

TOPIC = "benchmark.changes"
PARTITIONS = 4
FIELDS = ("unchanged", "changed", "encoded", "decoded")
FLUSH_EVERY = 1000
"""Events per flush, as the publisher does it."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Events per CPU second of one kind."""

    size: int
    unchanged: float
    changed: float
    encoded: float
    decoded: float


@dataclass(frozen=True, slots=True)
class Rate:
    """Events per second of the clock, and per CPU second."""

    clock: float
    cpu: float


def line(thing: dict[str, Any]) -> bytes:
    """A watch line with the object."""
    return json.dumps({"type": "MODIFIED", "object": thing}, separators=(",", ":")).encode() + b"\n"


def measure(kind: Kind, make: Callable[[int, str], dict[str, Any]], count: int) -> Rates:
    """Rates of a kind; `make` gives the object of a number with something of its own in it, '' for nothing."""
    old, same, new = ([line(make(i, mark)) for i in range(count)] for mark in ("", "", "x"))
    work, inventory = Decoding(kind), Inventory()
    assert sum(_put(work, inventory, data) for data in old) == count
    unchanged = _rate(lambda: sum(_put(work, inventory, data) for data in same), count, expected=0)
    changed = _rate(lambda: sum(_put(work, inventory, data) for data in new), count, expected=count)
    events = [_event(kind, work, data) for data in new]
    values: list[bytes] = []
    encoded = _rate(lambda: values.extend(map(encode, events)), count)
    decoded = _rate(lambda: sum(decode(value) is not None for value in values), count, expected=count)
    return Rates(len(old[0]), unchanged, changed, encoded, decoded)


def produced(servers: tuple[str, ...], kind: Kind, make: Callable[[int, str], dict[str, Any]], count: int) -> Rate:
    """Events encoded and made durable by kafka-python, per second of the clock and of this process's CPU."""
    settings = KafkaSettings(bootstrap_servers=servers)
    producer: Producer = KafkaProducer(settings, TOPIC, PARTITIONS, client="benchmark")
    work = Decoding(kind)
    events = [_event(kind, work, line(make(i, "x"))) for i in range(count)]
    clock, spent = time.monotonic(), time.process_time()
    for number, event in enumerate(events, start=1):
        producer.publish(number % PARTITIONS, str(event.key).encode(), encode(event), [("kind", kind.name.encode())])
        if number % FLUSH_EVERY == 0:
            producer.flush(30)
    producer.flush(30)
    rate = Rate(count / (time.monotonic() - clock), count / (time.process_time() - spent))
    producer.close()
    return rate


def _rate(work: Callable[[], int | None], count: int, *, expected: int | None = None) -> float:
    began = time.process_time()
    got = work()
    seconds = time.process_time() - began
    assert got == expected, (got, expected)
    return count / seconds


def _put(work: Decoding, inventory: Inventory, data: bytes) -> bool:
    event = work.line(data)
    assert isinstance(event, Change), event
    return inventory.put(event.observed)


def _event(kind: Kind, work: Decoding, data: bytes) -> ChangeEvent:
    event = work.line(data)
    assert isinstance(event, Change), event
    seen = event.observed
    return change(
        op=Op.UPSERT,
        epoch=1,
        key=seen.key,
        uid=seen.uid,
        resource_version=seen.resource_version,
        source=Source(cluster="k8s"),
        body=seen.record,
        api_version=kind.api_version,
    )
