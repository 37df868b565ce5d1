"""A recording in one file: an Avro object container file of one partition, as a segment of a log directory is.

Every Avro tool reads it. Each flush ends a block, so a file whose writer was killed is whole up to the last one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from schemas.bus.log_format import Entry, decode_header, encode_block, encode_header, entry_of
from schemas.bus.log_segment import SegmentReader, SegmentWriter
from schemas.bus.log_topic import replacing, unwritable
from schemas.bus.port import Record, check_size
from schemas.errors import BusMismatch, BusUnavailable

CODEC, LEVEL = "zstandard", 9


class FileProducer:
    """A Producer (see `port`) of a new file; raises BusMismatch when there is one already."""

    partitions = 1

    def __init__(self, path: Path, topic: str, *, clock: Callable[[], float] = time.time) -> None:
        self.topic = topic
        self.path = path
        self._clock = clock
        self._pending: list[Entry] = []
        self._next = 0
        if path.exists():
            raise BusMismatch(f"{path} exists already: a recording is never written over another")
        try:
            header = encode_header(topic, CODEC)
            with replacing(path) as file:
                file.write(header)
            self._segment: SegmentWriter | None = SegmentWriter(path, decode_header(header), len(header))
        except OSError as error:
            raise unwritable(path, error) from error

    @property
    def size(self) -> int:
        """Bytes written."""
        return self._segment.size if self._segment else 0

    @property
    def records(self) -> int:
        """Records written."""
        return self._next

    def publish(
        self, partition: int, key: bytes, value: bytes | None, headers: Sequence[tuple[str, bytes]] = ()
    ) -> None:
        """Take one record."""
        check_size(self.topic, key, value, headers)
        if partition:
            raise BusMismatch(f"{self.path} has one partition, none is number {partition}")
        self._pending.append(entry_of(self._next + len(self._pending), key, value, headers, int(self._clock() * 1000)))

    def flush(self, timeout: float) -> None:
        """Write what was published, as a block; raises BusUnavailable."""
        if self._segment is None:
            raise BusMismatch(f"the recording {self.path} is closed")
        if not self._pending:
            return
        try:
            header = self._segment.header
            self._segment.append(encode_block(self._pending, header.sync, header.codec, LEVEL))
        except OSError as error:
            raise unwritable(self.path, error) from error
        self._next += len(self._pending)
        self._pending = []

    def close(self) -> None:
        """Write the rest, and let go of the file."""
        if self._segment is not None:
            self.flush(0)
            self._segment.sync()
            self._segment.close()
            self._segment = None


class FileConsumer:
    """A Consumer (see `port`) of a recording in one file."""

    def __init__(self, path: Path) -> None:
        self.topic = path.stem
        self._path = path
        self._gained = frozenset({0})
        self._left: list[Entry] = []
        self._open()

    def poll(self, timeout: float, max_records: int = 500) -> list[Record]:
        """Up to `max_records` next records; [] at the end, at once: nobody writes a recording any more."""
        while not self._left and (entries := self._reader.read()):
            self._left = entries
        taken, self._left = self._left[:max_records], self._left[max_records:]
        return [
            Record(
                topic=self.topic,
                partition=0,
                offset=entry["offset"],
                key=entry["key"],
                value=entry["value"],
                headers=tuple((each["name"], each["value"]) for each in entry["headers"]),
                timestamp_ms=entry["timestamp_ms"],
            )
            for entry in taken
        ]

    def take_assignment(self) -> tuple[frozenset[int], frozenset[int]]:
        """The one partition at the first call, nothing later."""
        gained, self._gained = self._gained, frozenset()
        return gained, frozenset()

    def seek(self, partition: int, offset: int) -> None:
        """Continue at `offset`."""
        if partition:
            raise BusMismatch(f"{self._path} has one partition, none is number {partition}")
        self._reader.close()
        self._open()
        self._reader.skip_to(offset)
        self._left = [entry for entry in self._reader.read() if entry["offset"] >= offset]

    def begin_offsets(self) -> dict[int, int]:
        """A recording begins at 0."""
        return {0: 0}

    def end_offsets(self) -> dict[int, int]:
        """Offset after the last whole block."""
        reader = SegmentReader(self._path, 0)
        try:
            while reader.skip():
                pass
            return {0: reader.next_offset}
        finally:
            reader.close()

    def close(self) -> None:
        """Let go of the file."""
        self._reader.close()

    def _open(self) -> None:
        try:
            self._reader = SegmentReader(self._path, 0)
        except OSError as error:
            raise BusUnavailable(f"{self._path} cannot be read: {error.strerror}") from error
