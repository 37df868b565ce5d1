"""Following a service's log file: what it said last, and what went wrong last."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

READ_BYTES = 256 * 1024
"""At most this much is read per look; what a flood leaves behind is skipped."""
ROTATE_BYTES = 32 * 1024 * 1024
_PROBLEMS = frozenset({"WARNING", "ERROR", "CRITICAL"})


@dataclass(frozen=True, slots=True)
class Problem:
    """The last warning or error of a service; `at` is our clock when it was seen."""

    text: str
    at: float


class LogFile:
    """One service's log, read as it grows; bounded on disk by one older copy."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self._clock = clock
        self._offset = path.stat().st_size if path.exists() else 0
        self.last_line = ""
        self.problem: Problem | None = None

    def look(self) -> None:
        """Take in what was written since the last look."""
        try:
            size = self.path.stat().st_size
            with self.path.open("rb") as file:
                file.seek(max(self._offset, size - READ_BYTES))
                data = file.read(READ_BYTES)
                whole = data[: data.rfind(b"\n") + 1]
                self._offset = file.tell() - len(data) + len(whole)
        except OSError:
            return
        for line in whole.decode(errors="replace").splitlines():
            self._take(line)
        if size > ROTATE_BYTES:
            self._rotate()

    def _take(self, line: str) -> None:
        if not line.strip():
            return
        self.last_line = line
        level, message = _parsed(line)
        if level in _PROBLEMS:
            self.problem = Problem(message, self._clock())

    def _rotate(self) -> None:
        # The service appends to the open file: keep the file, move its content. What is written between the
        # copy and the cut is lost, which for a log of this size is no harm.
        older = self.path.with_suffix(".log.1")
        older.write_bytes(self.path.read_bytes())
        os.truncate(self.path, 0)
        self._offset = 0


def _parsed(line: str) -> tuple[str, str]:
    """(level, message) of one line; a line that is no JSON of ours is its own message without a level."""
    try:
        entry = json.loads(line)
        return str(entry["level"]), str(entry["message"])
    except (ValueError, KeyError, TypeError):
        return "", line
