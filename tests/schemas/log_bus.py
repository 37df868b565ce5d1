"""The log-directory adapter under test, and short ways to write and read a log."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

from schemas.bus.log import (
    LogConsumer,
    LogOptions,
    LogProducer,
    open_topic,
)
from schemas.bus.port import Consumer, Producer, Record
from tests.schemas.bus_contract import publish


class LogBus:
    """Topics below one directory; a segment per flush, so that retention has something to take."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._opened: list[Producer | Consumer] = []

    def producer(self, topic: str, partitions: int = 2) -> Producer:
        self._opened.append(
            producer := LogProducer(self.directory, topic, partitions, options=LogOptions(segment_bytes=1))
        )
        return producer

    def consumer(self, topic: str) -> Consumer:
        self._opened.append(consumer := LogConsumer(self.directory, topic))
        return consumer

    def forget(self, topic: str, partition: int, offset: int) -> None:
        found = open_topic(self.directory, topic)
        for first in found.segments(partition):
            if first < offset:
                found.segment_path(partition, first).unlink()

    def close(self) -> None:
        for each in self._opened:
            each.close()


def read_all(directory: Path, topic: str = "t") -> list[Record]:
    """Every record that a consumer of its own sees now."""
    consumer = LogConsumer(directory, topic)
    try:
        for partition, first in consumer.begin_offsets().items():
            consumer.seek(partition, first)
        records: list[Record] = []
        while found := consumer.poll(0):
            records += found
        return records
    finally:
        consumer.close()


def write(directory: Path, names: range, *, options: LogOptions | None = None) -> None:
    """Publish names to partition 0 of topic t, one flush each, and close."""
    producer = LogProducer(directory, "t", 1, options=options)
    try:
        for name in names:
            publish(producer, 0, [str(name)])
    finally:
        producer.close()


def only_segment(directory: Path) -> Path:
    [path] = (directory / "t" / "0").glob("*.avro")
    return path


def spawn(script: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", textwrap.dedent(script), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
