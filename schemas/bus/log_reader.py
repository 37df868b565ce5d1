"""A position in one partition of the log directory: finds offsets, follows segments as they come and go.

Every method takes the partition's `durable` end: records from it on are not delivered yet, because a power
failure could take them away again. It is None for a recording, where every whole block counts.
"""

from __future__ import annotations

import logging
from collections import deque

from schemas.bus.log_format import Entry
from schemas.bus.log_segment import SegmentReader
from schemas.bus.log_topic import LogTopic
from schemas.bus.port import Record
from schemas.errors import BusMismatch

logger = logging.getLogger(__name__)


class PartitionReader:
    """Delivers nothing before the first `seek`."""

    def __init__(self, topic: LogTopic, partition: int) -> None:
        self._topic = topic
        self._partition = partition
        self._wanted = 0
        self._segment: SegmentReader | None = None
        self._ahead: deque[Entry] = deque()
        self._tail: SegmentReader | None = None

    def seek(self, offset: int) -> None:
        """Continue at `offset`; whether it is kept is seen at the next read."""
        self._wanted = offset
        self._ahead.clear()
        self._leave()

    def begin(self, durable: int | None) -> int:
        """Oldest offset kept."""
        segments = self._topic.segments(self._partition)
        return segments[0] if segments else durable or 0

    def end(self, durable: int | None) -> int:
        """Offset after the last record that may be delivered; counts only blocks not counted before."""
        segments = self._topic.segments(self._partition)
        if not segments:
            return durable or 0
        if self._tail is None or self._tail.first_offset != segments[-1]:
            if self._tail is not None:
                self._tail.close()
            self._tail = self._open(segments[-1])
        while self._tail.skip(durable):
            pass
        return self._tail.next_offset if durable is None else min(durable, self._tail.next_offset)

    def read(self, durable: int | None, max_records: int) -> list[Record]:
        """Up to `max_records` next records."""
        records: list[Record] = []
        while len(records) < max_records and (self._ahead or self._load(durable)):
            records.append(self._record(self._ahead.popleft()))
        return records

    def close(self) -> None:
        """Let go of the files."""
        self._leave()
        if self._tail is not None:
            self._tail.close()
            self._tail = None

    def _load(self, durable: int | None) -> bool:
        """Fill `_ahead` from the next block; False when there is none (yet)."""
        try:
            if self._segment is None and not self._enter(durable):
                return False
            while self._segment is not None:
                # The successor is looked up before the second read: what was appended before it was made counts.
                entries = self._segment.read(durable)
                if not entries and (successor := self._successor(durable)) is not None:
                    entries = self._segment.read(durable)
                    if not entries:
                        self._move(successor)
                        continue
                self._ahead.extend(each for each in entries if each["offset"] >= self._wanted)
                self._wanted = max(self._wanted, self._segment.next_offset)
                if self._ahead or not entries:
                    break
        except FileNotFoundError:
            # Retention removed a segment between looking and opening: look again at the next call.
            self._leave()
        return bool(self._ahead)

    def _enter(self, durable: int | None) -> bool:
        """Open the segment that holds the wanted offset; False while there is none."""
        self._topic.check()
        oldest = self.begin(durable)
        if not self._is_kept(self._wanted, oldest, durable):
            logger.warning(
                "offset is not kept, continuing at the oldest record topic=%s partition=%d offset=%d oldest=%d",
                *(self._topic.name, self._partition, self._wanted, oldest),
            )
            self._wanted = oldest
        before = [each for each in self._topic.segments(self._partition) if each <= self._wanted]
        if not before:
            return False
        self._segment = self._open(before[-1])
        self._segment.skip_to(self._wanted, durable)
        return True

    def _is_kept(self, offset: int, oldest: int, durable: int | None) -> bool:
        if offset <= self.end(durable) or self._tail is None:
            return oldest <= offset <= self.end(durable)
        # A power failure can take the durable end back a little: then the records are there, and only wait
        # for the writer to confirm them.
        probe = self._open(self._tail.first_offset)
        try:
            probe.skip_to(offset, None)
            return offset <= probe.next_offset or probe.skip()
        except BusMismatch:
            return False
        finally:
            probe.close()

    def _successor(self, durable: int | None) -> int | None:
        """First offset of the segment after the open one."""
        assert self._segment is not None
        if durable is not None and self._segment.next_offset >= durable:
            return None
        later = [each for each in self._topic.segments(self._partition) if each > self._segment.first_offset]
        return later[0] if later else None

    def _move(self, successor: int) -> None:
        assert self._segment is not None
        if successor != self._segment.next_offset:
            logger.warning(
                "records are missing topic=%s partition=%d offsets=%d..%d",
                *(self._topic.name, self._partition, self._segment.next_offset, successor - 1),
            )
        self._leave()
        self._topic.check()
        self._segment = self._open(successor)

    def _leave(self) -> None:
        if self._segment is not None:
            self._segment.close()
            self._segment = None

    def _open(self, first_offset: int) -> SegmentReader:
        return SegmentReader(self._topic.segment_path(self._partition, first_offset), first_offset)

    def _record(self, entry: Entry) -> Record:
        return Record(
            self._topic.name,
            self._partition,
            entry["offset"],
            entry["key"],
            entry["value"],
            tuple((each["name"], each["value"]) for each in entry["headers"]),
            entry["timestamp_ms"],
        )
