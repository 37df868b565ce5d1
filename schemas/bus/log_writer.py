"""The writing end of one partition of the log directory: repairs, appends, rolls and removes segments.

Not thread-safe: the producer holds a lock, and the topic's writer lock.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from dataclasses import dataclass
from itertools import pairwise

from schemas.bus.log_format import CODECS, Entry, encode_block
from schemas.bus.log_segment import SegmentReader, SegmentWriter
from schemas.bus.log_topic import LogTopic
from schemas.errors import BusMismatch

logger = logging.getLogger(__name__)


class SyncFailed(OSError):
    """The kernel could not write to disk, and will not say again which bytes: only reopening tells."""


@dataclass(frozen=True, slots=True)
class LogOptions:
    """How a log is written; what is written already stays as it is."""

    compression: str = "zstandard"
    """'zstandard' (checked by its own checksum), 'deflate' (every Avro tool has it) or 'null'."""
    level: int = 3
    """Level of the compression."""
    segment_bytes: int = 64 * 1024 * 1024
    """A segment that has grown to this many bytes is followed by another."""
    retention_ms: int | None = None
    """Records older than this may be removed, a segment at a time; None keeps everything."""

    def __post_init__(self) -> None:
        if self.compression not in CODECS:
            raise BusMismatch(f"log compression {self.compression!r}: accepted are {', '.join(CODECS)}")


class PartitionWriter:
    """Appends to the partition's last segment; `next_offset` is what the next record gets.

    `durable` is the end that was confirmed to readers before, None when nothing is known.
    """

    def __init__(self, topic: LogTopic, partition: int, options: LogOptions, durable: int | None) -> None:
        self._topic = topic
        self._partition = partition
        self._options = options
        self._segment: SegmentWriter | None = None
        self._began_ms = 0
        self._unsynced = False
        self.next_offset = 0
        for stray in topic.partition_path(partition).glob(".*"):
            stray.unlink()
        if segments := topic.segments(partition):
            self._resume(segments[-1], durable)
        if durable is not None and durable > self.next_offset:
            logger.error(
                "confirmed records are gone, their offsets are not used again topic=%s partition=%d offsets=%d..%d",
                *(topic.name, partition, self.next_offset, durable - 1),
            )
            self.close()
            self.next_offset = durable

    def append(self, entries: list[Entry]) -> None:
        """Write records, the first at `next_offset`, as one block; on OSError nothing was written."""
        now_ms = entries[0]["timestamp_ms"]
        if self._segment is not None and self._is_full(now_ms):
            self.sync()
            self.close()
        if self._segment is None:
            codec = self._options.compression
            self._segment = SegmentWriter.create(self._topic, self._partition, self.next_offset, codec)
            self._began_ms = now_ms
            self.remove_old(now_ms)
        header = self._segment.header
        self._segment.append(encode_block(entries, header.sync, header.codec, self._options.level))
        self.next_offset += len(entries)
        self._unsynced = True

    def sync(self) -> bool:
        """Make all that was appended survive a crash; whether there was any. Raises SyncFailed."""
        if self._segment is None or not self._unsynced:
            return False
        try:
            self._segment.sync()
        except OSError as error:
            raise SyncFailed(error.errno, error.strerror, str(self._segment.path)) from error
        self._unsynced = False
        return True

    def remove_old(self, now_ms: int) -> None:
        """Remove the segments whose records are all older than the retention; never the last one."""
        if self._options.retention_ms is None:
            return
        segments = self._topic.segments(self._partition)
        for first, following in pairwise(segments):
            # Times rise with offsets: what the following segment begins with is newer than all of this one.
            if self._first_time(following) >= now_ms - self._options.retention_ms:
                break
            self._topic.segment_path(self._partition, first).unlink()
            logger.info(
                "segment removed by retention topic=%s partition=%d offsets=%d..%d",
                *(self._topic.name, self._partition, first, following - 1),
            )

    def close(self) -> None:
        """Let go of the file, without syncing."""
        if self._segment is not None:
            self._segment.close()
            self._segment = None

    def _resume(self, first_offset: int, durable: int | None) -> None:
        """Go on behind the last whole block; what an interrupted writer left behind it is cut off."""
        path = self._topic.segment_path(self._partition, first_offset)
        reader = SegmentReader(path, first_offset)
        try:
            # What was confirmed is only counted. The rest is read: after a power failure a block can have
            # its full size and other bytes.
            while reader.skip(first_offset if durable is None else durable):
                pass
            with contextlib.suppress(BusMismatch):
                while reader.read():
                    pass
            self._segment = SegmentWriter(path, reader.header, reader.position)
            self.next_offset = reader.next_offset
            if torn := path.stat().st_size - reader.position:
                logger.warning(
                    "torn tail repaired topic=%s partition=%d next_offset=%d cut_bytes=%d file=%s",
                    *(self._topic.name, self._partition, self.next_offset, torn, path),
                )
                self._segment.truncate()
            self._unsynced = True
            self.sync()
            if not reader.header.is_current:
                self.close()
            elif self.next_offset > first_offset:
                self._began_ms = self._first_time(first_offset)
        finally:
            reader.close()

    def _is_full(self, now_ms: int) -> bool:
        assert self._segment is not None
        retention = self._options.retention_ms
        # A quarter of the retention: else a quiet partition would keep everything in its first segment.
        old = retention is not None and now_ms - self._began_ms > retention // 4
        return self._segment.size >= self._options.segment_bytes or old

    def _first_time(self, first_offset: int) -> int:
        reader = SegmentReader(self._topic.segment_path(self._partition, first_offset), first_offset)
        try:
            entries = reader.read()
            return int(entries[0]["timestamp_ms"]) if entries else sys.maxsize
        finally:
            reader.close()
