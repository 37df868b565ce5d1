"""Producer of the log directory: the one writer of a topic.

Records are gathered into blocks, and readers see them at the `flush` that made them durable. A write that
fails (a full disk) keeps its records for the next try; a sync that fails ends the producer.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from schemas.bus.log_format import Entry, entry_of
from schemas.bus.log_topic import DurableEnds, WriterLock, create_topic, unwritable
from schemas.bus.log_writer import LogOptions, PartitionWriter, SyncFailed
from schemas.bus.port import check_size
from schemas.errors import BusLost, BusMismatch, BusUnavailable, ContrailKubeError

logger = logging.getLogger(__name__)

BLOCK_BYTES = 256 * 1024
"""Records that are not flushed become a block at this size: it bounds the memory of each partition."""
CLOSE_SECONDS = 5.0


class LogProducer:
    """A Producer (see `port`) that makes `<directory>/<topic>` if there is none, and repairs it if it must."""

    def __init__(
        self,
        directory: Path,
        topic: str,
        partitions: int,
        *,
        options: LogOptions | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._topic = create_topic(directory, topic, partitions, clock=clock)
        self._clock = clock
        self._mutex = threading.Lock()
        self._ended: str | None = None
        self._pending: list[list[Entry]] = [[] for _ in range(partitions)]
        self._sizes = [0] * partitions
        self._writers: list[PartitionWriter] = []
        self._writer_lock = WriterLock(self._topic, clock=clock)
        self._ends = DurableEnds(self._topic, writable=True)
        try:
            self._open(options or LogOptions())
        except OSError as error:
            self._release()
            raise unwritable(self._topic.path, error) from error
        except ContrailKubeError:
            self._release()
            raise

    @property
    def topic(self) -> str:
        """Name of the topic."""
        return self._topic.name

    @property
    def partitions(self) -> int:
        """Number of partitions of the topic."""
        return self._topic.partitions

    def publish(
        self, partition: int, key: bytes, value: bytes | None, headers: Sequence[tuple[str, bytes]] = ()
    ) -> None:
        """Take one record; raises BusUnavailable, and then has not taken it, when a full buffer cannot be written."""
        size = check_size(self.topic, key, value, headers)
        if not 0 <= partition < self.partitions:
            raise BusMismatch(f"topic {self.topic} has {self.partitions} partitions, none is number {partition}")
        with self._mutex, self._writing():
            if self._sizes[partition] >= BLOCK_BYTES:
                self._write(partition)
            pending = self._pending[partition]
            offset = self._writers[partition].next_offset + len(pending)
            entry = entry_of(offset, key, value, headers, int(self._clock() * 1000))
            pending.append(entry)
            self._sizes[partition] += size

    def flush(self, timeout: float) -> None:
        """Write and sync all that was published; raises BusUnavailable."""
        if not self._mutex.acquire(timeout=timeout):
            raise BusUnavailable(f"{self._topic.path}: another thread did not end its write within {timeout} s")
        try:
            with self._writing():
                for partition in range(self.partitions):
                    self._write(partition)
                self._confirm()
        finally:
            self._mutex.release()

    def close(self) -> None:
        """Flush, and let the next writer in."""
        if self._ended != "is closed":
            try:
                if self._ended is None:
                    self.flush(CLOSE_SECONDS)
            except BusUnavailable as error:
                lost = sum(len(pending) for pending in self._pending)
                logger.error("closed with records not written topic=%s records=%d: %s", self.topic, lost, error)
            self._ended = "is closed"
            self._release()

    def _open(self, options: LogOptions) -> None:
        known = self._ends.read()
        for partition in range(self.partitions):
            writer = PartitionWriter(self._topic, partition, options, known[partition])
            self._writers.append(writer)
            self._ends.write(partition, writer.next_offset)
            writer.remove_old(int(self._clock() * 1000))

    def _write(self, partition: int) -> None:
        if self._pending[partition]:
            self._writers[partition].append(self._pending[partition])
            self._pending[partition] = []
            self._sizes[partition] = 0

    def _confirm(self) -> None:
        for partition, writer in enumerate(self._writers):
            if writer.sync():
                self._ends.write(partition, writer.next_offset)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        if self._ended is not None:
            raise BusLost(f"the producer of {self._topic.path} {self._ended}")
        try:
            yield
        except SyncFailed as error:
            self._ended = f"ended, because its records may not be on disk ({error}): open another, and list again"
            raise BusLost(f"the producer of {self._topic.path} {self._ended}") from error
        except OSError as error:
            raise unwritable(self._topic.path, error) from error

    def _release(self) -> None:
        for writer in self._writers:
            writer.close()
        self._ends.close()
        self._writer_lock.release()
