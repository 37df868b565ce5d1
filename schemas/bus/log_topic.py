"""A topic of the log directory on disk: its description, its writer's lock, its durable ends, its segments.

    <dir>/<topic>/topic.json                                  format version, topic, partitions, created
    <dir>/<topic>/lock                                        held by the writer, names it
    <dir>/<topic>/durable                                     end offset per partition that survives a crash
    <dir>/<topic>/<partition>/<first offset, 20 digits>.avro  segments

A recording has neither `lock` nor `durable`; reading needs no right to write.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from schemas.errors import BusMismatch, BusUnavailable

FORMAT = 1
SUFFIX = ".avro"
_NAME = re.compile(r"[A-Za-z0-9._-]{1,249}")
_SLOT = struct.Struct(">QQ")
_ALL_ONES = 2**64 - 1


@dataclass(frozen=True, slots=True)
class LogTopic:
    """A topic that exists: `path` is its directory, `created` an ISO 8601 time.

    `identity` (inode and change time of topic.json) tells it from a later topic of the same name.
    """

    path: Path
    name: str
    partitions: int
    created: str
    identity: tuple[int, int]

    def check(self) -> None:
        """Raise BusUnavailable when the directory went away, or another topic of the same name took its place."""
        try:
            status = (self.path / "topic.json").stat()
        except OSError as error:
            raise BusUnavailable(f"topic {self.name} went away: {self.path}: {error.strerror}") from error
        if (status.st_ino, status.st_mtime_ns) != self.identity:
            raise BusUnavailable(f"{self.path} was replaced by another topic of that name: open it again")

    def partition_path(self, partition: int) -> Path:
        """Directory of a partition's segments."""
        return self.path / str(partition)

    def segment_path(self, partition: int, first_offset: int) -> Path:
        """Segment that begins with `first_offset`."""
        return self.partition_path(partition) / f"{first_offset:020d}{SUFFIX}"

    def segments(self, partition: int) -> list[int]:
        """First offsets of the partition's segments, rising."""
        names = os.listdir(self.partition_path(partition))
        return sorted(int(name[: -len(SUFFIX)]) for name in names if name.endswith(SUFFIX))


def create_topic(directory: Path, topic: str, partitions: int, *, clock: Callable[[], float] = time.time) -> LogTopic:
    """The topic, made if there is none; raises BusMismatch when there is one with another number of partitions."""
    if _NAME.fullmatch(topic) is None or topic in (".", ".."):
        raise BusMismatch(f"{topic!r} is no topic name: letters, digits, '.', '_' and '-', at most 249")
    if partitions < 1:
        raise BusMismatch(f"topic {topic}: {partitions} partitions, at least 1 is needed")
    path = directory / topic
    try:
        if not (path / "topic.json").exists():
            for partition in range(partitions):
                (path / str(partition)).mkdir(parents=True, exist_ok=True)
            write_description(path, topic, partitions, _iso(clock()))
            sync_directory(directory)
    except OSError as error:
        raise unwritable(path, error) from error
    return open_topic(directory, topic, partitions)


def open_topic(directory: Path, topic: str, partitions: int | None = None) -> LogTopic:
    """The topic as it is on disk.

    Raises BusUnavailable when there is none (yet), BusMismatch when it has another number of partitions
    than asked for or a layout that this version does not know.
    """
    path = directory / topic
    try:
        with (path / "topic.json").open("rb") as file:
            status = os.fstat(file.fileno())
            found = json.load(file)
        layout, count, created = found["format"], int(found["partitions"]), str(found["created"])
    except FileNotFoundError as error:
        raise BusUnavailable(f"{directory} holds no topic {topic} (yet): its writer makes it") from error
    except OSError as error:
        raise BusUnavailable(f"{path}/topic.json cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise BusMismatch(f"{path}/topic.json does not describe a topic: {error}") from error
    if layout != FORMAT:
        raise BusMismatch(
            f"{path} has layout {layout}, this version reads layout {FORMAT}: use the version that wrote it"
        )
    if partitions is not None and count != partitions:
        raise BusMismatch(
            f"topic {topic} in {directory}: partitions: found {count}, wanted {partitions};"
            " the number is fixed for a topic's life: change the setting back, or begin another topic"
        )
    return LogTopic(path, topic, count, created, (status.st_ino, status.st_mtime_ns))


def write_description(path: Path, topic: str, partitions: int, created: str) -> None:
    """Write topic.json, whole or not at all."""
    text = {"format": FORMAT, "topic": topic, "partitions": partitions, "created": created}
    with replacing(path / "topic.json") as file:
        file.write(json.dumps(text, indent=2).encode() + b"\n")


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that appears under `path` whole and durable when the block ends well, and not at all when not."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with fresh.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        sync_directory(path.parent)
    finally:
        fresh.unlink(missing_ok=True)


class WriterLock:
    """One writer per topic: the kernel lets go of the lock when its holder ends, however it ends."""

    def __init__(self, topic: LogTopic, *, clock: Callable[[], float] = time.time) -> None:
        path = topic.path / "lock"
        try:
            self._file = path.open("a+")
        except OSError as error:
            raise unwritable(topic.path, error) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.seek(0)
            holder = self._file.read().strip() or "an unknown process"
            self._file.close()
            raise BusUnavailable(
                f"topic {topic.name} in {topic.path.parent} has a writer already: {holder};"
                " stop it, or give one of the two another directory"
            ) from error
        self._file.truncate(0)
        self._file.write(
            f"process {os.getpid()} on {socket.gethostname()} since {_iso(clock())}: {' '.join(sys.argv)[:200]}\n"
        )
        self._file.flush()

    def release(self) -> None:
        """Let the next writer in."""
        self._file.truncate(0)
        self._file.close()


class DurableEnds:
    """End offset per partition up to which records survive a crash; readers stop there.

    Without it a reader could be ahead of what a power failure leaves, and would then miss the records that
    take the lost offsets. Each slot holds the offset and its complement, so that a torn read is noticed.
    """

    def __init__(self, topic: LogTopic, *, writable: bool = False) -> None:
        self._path = topic.path / "durable"
        self._partitions = topic.partitions
        self._writable = writable
        self._descriptor: int | None = None

    def read(self) -> tuple[int | None, ...]:
        """Durable end per partition; None where nothing is known: then every whole block counts."""
        unknown = (None,) * self._partitions
        if self._descriptor is None:
            try:
                flags = os.O_RDWR | os.O_CREAT if self._writable else os.O_RDONLY
                self._descriptor = os.open(self._path, flags | os.O_CLOEXEC, 0o644)
            except FileNotFoundError:
                return unknown
        for _ in range(3):
            data = os.pread(self._descriptor, _SLOT.size * self._partitions, 0)
            if len(data) < _SLOT.size * self._partitions:
                return unknown
            slots = list(_SLOT.iter_unpack(data))
            if all(end ^ check == _ALL_ONES for end, check in slots):
                return tuple(end for end, _ in slots)
        return tuple(end if end ^ check == _ALL_ONES else None for end, check in slots)

    def write(self, partition: int, end: int) -> None:
        """Tell readers; only after the records were synced."""
        assert self._descriptor is not None, "read() opens the file"
        os.pwrite(self._descriptor, _SLOT.pack(end, end ^ _ALL_ONES), partition * _SLOT.size)

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def sync_directory(path: Path) -> None:
    """Make names in the directory survive a crash."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def unwritable(path: Path, error: OSError) -> BusUnavailable | BusMismatch:
    """The right error for a write that the operating system refused."""
    if isinstance(error, PermissionError) or error.errno == errno.EROFS:
        return BusMismatch(
            f"{path} cannot be written ({error.strerror}): if it is a recording, read or export it instead"
        )
    return BusUnavailable(f"{path} cannot be written: {error.strerror}")


def _iso(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
