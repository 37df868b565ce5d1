"""Epochs in a local file: for runs that may not write to the cluster, such as embedded ones and recordings."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from schemas.errors import SettingsError
from watchers.epochs import raised

FORMAT: dict[str, dict[str, int]] = {"epoch": {}, "known": {}}


class EpochFile:
    """An EpochSource for the watchers of one machine: a lock file beside it lets one of them at it at a time."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with self._locked() as content:
                self._write(content)
        except (OSError, ValueError) as error:
            raise SettingsError(
                f"epoch file {path} cannot be kept: {error}; CONTRAIL_KUBE_WATCHERS_EPOCH_FILE names one that can"
            ) from error

    def next(self, kind: str) -> int:
        """An epoch above every earlier one of the kind; on disk before it is returned."""
        with self._locked() as content:
            epoch = raised(content["epoch"].get(kind, 0), now=self._clock())
            content["epoch"][kind] = epoch
            self._write(content)
        return epoch

    def known(self, kind: str) -> int:
        """What was last remembered."""
        with self._locked() as content:
            return content["known"].get(kind, 0)

    def remember(self, kind: str, count: int) -> None:
        """Remember how many objects there are."""
        with self._locked() as content:
            content["known"][kind] = count
            self._write(content)

    @contextmanager
    def _locked(self) -> Iterator[dict[str, dict[str, int]]]:
        with self._path.with_name(self._path.name + ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # of this opening, so threads exclude each other too
            yield self._read()

    def _read(self) -> dict[str, dict[str, int]]:
        try:
            content: Any = json.loads(self._path.read_text())
        except FileNotFoundError:
            return {part: dict(values) for part, values in FORMAT.items()}
        if not isinstance(content, dict) or content.keys() != FORMAT.keys():
            raise ValueError("it is not an epoch file")
        return content

    def _write(self, content: dict[str, dict[str, int]]) -> None:
        """Whole or not at all: a crash leaves the old file."""
        fresh = self._path.with_name(self._path.name + ".new")
        with fresh.open("w") as file:
            json.dump(content, file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)
