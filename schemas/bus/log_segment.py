"""One segment file, for its reader and for its writer.

Offsets are dense inside a segment, so that counts of records tell where an offset is without reading it.
"""

from __future__ import annotations

import os
from pathlib import Path

from schemas.bus.log_format import (
    BLOCK_HEAD_BYTES,
    Damaged,
    Entry,
    Header,
    Incomplete,
    decode_block,
    decode_block_head,
    decode_header,
    encode_header,
)
from schemas.bus.log_topic import LogTopic, replacing
from schemas.errors import BusMismatch

_HEADER_READ = 64 * 1024
_WINDOW = 16 * 1024
"""Read at once: a small block takes one call, a large one two."""


class SegmentReader:
    """A cursor over the whole blocks of a segment that may still grow.

    `next_offset` is the offset of the first record of the next block, `position` the byte where it begins.
    Bytes are read anew each time: behind the last whole block they can change under a reader.
    """

    def __init__(self, path: Path, first_offset: int) -> None:
        self.path = path
        self.first_offset = first_offset
        self.next_offset = first_offset
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self.header: Header = decode_header(os.pread(self._descriptor, _HEADER_READ, 0))
        except Damaged as error:
            self.close()
            raise BusMismatch(f"{path} is no segment of this version: {error}") from error
        self.position = self.header.size

    def skip(self, limit: int | None = None) -> bool:
        """Step over the next block; False when there is none (yet), or none before offset `limit`."""
        return self._next_block(limit, decoded=False) is not None

    def skip_to(self, offset: int, limit: int | None = None) -> None:
        """Step over the blocks that end at or before `offset`, and before `limit`."""
        while self.next_offset < offset:
            position, first = self.position, self.next_offset
            if not self.skip():
                return
            if self.next_offset > offset:
                self.position, self.next_offset = position, first
                return

    def read(self, limit: int | None = None) -> list[Entry]:
        """Records of the next block; [] when there is none (yet), or none before offset `limit`."""
        return self._next_block(limit, decoded=True) or []

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)

    def _next_block(self, limit: int | None, *, decoded: bool) -> list[Entry] | None:
        if limit is not None and self.next_offset >= limit:
            return None
        window = os.pread(self._descriptor, _WINDOW if decoded else BLOCK_HEAD_BYTES, self.position)
        try:
            head = decode_block_head(window)
            if limit is not None and self.next_offset + head.count > limit:
                return None
            if not decoded:
                last = os.pread(self._descriptor, 1, self.position + head.size - 1)
                entries: list[Entry] | None = [] if last else None
            else:
                whole = len(window) >= head.size
                data = window[: head.size] if whole else os.pread(self._descriptor, head.size, self.position)
                entries = decode_block(data, self.header)
        except Incomplete:
            return None
        except Damaged as error:
            raise BusMismatch(f"{self.path} is damaged at byte {self.position}: {error}") from error
        if entries is not None:
            self.position += head.size
            self.next_offset += head.count
        return entries


class SegmentWriter:
    """Appends whole blocks to a segment; a block that could not be written leaves no trace."""

    def __init__(self, path: Path, header: Header, size: int) -> None:
        self.path = path
        self.header = header
        self.size = size
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)

    @classmethod
    def create(cls, topic: LogTopic, partition: int, first_offset: int, codec: str) -> SegmentWriter:
        """A new, empty segment; it appears with its header whole."""
        path = topic.segment_path(partition, first_offset)
        header = encode_header(f"{topic.name}/{partition}/{first_offset}", codec)
        with replacing(path) as file:
            file.write(header)
        return cls(path, decode_header(header), len(header))

    def append(self, block: bytes) -> None:
        """Write one block; raises OSError."""
        view = memoryview(block)
        try:
            while view:
                view = view[os.pwrite(self._descriptor, view, self.size + len(block) - len(view)) :]
        except OSError:
            os.ftruncate(self._descriptor, self.size)
            raise
        self.size += len(block)

    def truncate(self) -> None:
        """Cut off what is behind the last whole block."""
        os.ftruncate(self._descriptor, self.size)
        self.sync()

    def sync(self) -> None:
        """Make what was appended survive a crash; raises OSError."""
        os.fdatasync(self._descriptor)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)
