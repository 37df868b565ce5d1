"""Recordings: a log written anew, in large blocks and well compressed, to be shipped, replayed and compared.

Equal records give equal bytes. Offsets stay as they were, so that a recording shows what was recorded.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from schemas.bus.log_consumer import LogConsumer
from schemas.bus.log_format import Entry, encode_block, entry_of
from schemas.bus.log_segment import SegmentWriter
from schemas.bus.log_topic import LogTopic, open_topic, unwritable, write_description
from schemas.bus.log_writer import LogOptions
from schemas.bus.port import Record
from schemas.errors import BusMismatch

BLOCK_BYTES = 1024 * 1024
SMALL = LogOptions(level=19, segment_bytes=1 << 40)
"""Slow to write and quick to read; one file per partition."""


def export_topic(
    source: Path,
    topic: str,
    target: Path,
    *,
    options: LogOptions = SMALL,
    begin: Mapping[int, int] | None = None,
    end: Mapping[int, int] | None = None,
) -> int:
    """Write the topic's durable records to `<target>/<topic>`, which must not exist; their number.

    `begin` and `end` cut partitions to offsets from `begin` up to, not including, `end`. A writer may be
    at work; what it adds meanwhile is left out.
    """
    found = open_topic(source, topic)
    consumer = LogConsumer(source, topic)
    try:
        ends = consumer.end_offsets() | dict(end or {})
        begins = consumer.begin_offsets() | dict(begin or {})
        for partition, first in begins.items():
            consumer.seek(partition, first)
        records = _until(consumer, begins, ends)
        return write_recording(records, target, topic, found.partitions, created=found.created, options=options)
    finally:
        consumer.close()


def write_recording(
    records: Iterable[Record],
    target: Path,
    topic: str,
    partitions: int,
    *,
    created: str,
    options: LogOptions = SMALL,
) -> int:
    """Write records, in order of offset inside each partition, to `<target>/<topic>`; their number.

    The directory appears whole or not at all. Raises BusMismatch when it exists already.
    """
    final = target / topic
    fresh = target / f".{topic}.recording"
    if final.exists():
        raise BusMismatch(f"{final} exists already: a recording is never written over another")
    try:
        shutil.rmtree(fresh, ignore_errors=True)
        unfinished = LogTopic(fresh, topic, partitions, created, (0, 0))
        count = _write(records, unfinished, options)
        write_description(fresh, topic, partitions, created)
        fresh.rename(final)
        return count
    except OSError as error:
        raise unwritable(final, error) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _write(records: Iterable[Record], topic: LogTopic, options: LogOptions) -> int:
    outputs = [_Output(topic, partition, options) for partition in range(topic.partitions)]
    for output in outputs:
        topic.partition_path(output.partition).mkdir(parents=True)
    with contextlib.ExitStack() as stack:
        for output in outputs:
            stack.callback(output.close)
        for record in records:
            outputs[record.partition].add(record)
        for output in outputs:
            output.write()
    return sum(output.count for output in outputs)


class _Output:
    """One partition of a recording; another segment begins at its size and at every gap in the offsets."""

    def __init__(self, topic: LogTopic, partition: int, options: LogOptions) -> None:
        self.partition = partition
        self.count = 0
        self._topic = topic
        self._options = options
        self._segment: SegmentWriter | None = None
        self._entries: list[Entry] = []
        self._bytes = 0
        self._next_offset = 0

    def add(self, record: Record) -> None:
        if record.offset != self._next_offset or self._bytes >= BLOCK_BYTES:
            self.write()
        if record.offset != self._next_offset:
            self.close()
        entry = entry_of(record.offset, record.key, record.value, record.headers, record.timestamp_ms)
        self._entries.append(entry)
        self._bytes += len(record.key or b"") + len(record.value or b"") + 100
        self._next_offset = record.offset + 1
        self.count += 1

    def write(self) -> None:
        if not self._entries:
            return
        if self._segment is not None and self._segment.size >= self._options.segment_bytes:
            self.close()
        if self._segment is None:
            codec = self._options.compression
            self._segment = SegmentWriter.create(self._topic, self.partition, self._entries[0]["offset"], codec)
        header = self._segment.header
        self._segment.append(encode_block(self._entries, header.sync, header.codec, self._options.level))
        self._entries, self._bytes = [], 0

    def close(self) -> None:
        if self._segment is not None:
            self._segment.sync()
            self._segment.close()
            self._segment = None


def _until(consumer: LogConsumer, begins: Mapping[int, int], ends: Mapping[int, int]) -> Iterator[Record]:
    """Records below the ends of their partitions, whatever a writer adds meanwhile."""
    unfinished = {partition for partition, end in ends.items() if begins[partition] < end}
    while unfinished and (records := consumer.poll(0)):
        yield from (each for each in records if each.offset < ends[each.partition])
        unfinished -= {each.partition for each in records if each.offset + 1 >= ends[each.partition]}
