"""The register in a local file: for a single watcher that may not write to the cluster, such as an embedded one."""

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
from watchers.register import Wish, raised

PARTS = ("epoch", "known", "wish", "held")
Content = dict[str, dict[str, Any]]


class RegisterFile:
    """A Register for the watchers of one machine: a lock file beside it lets one of them at it at a time."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with self._changing():
                pass
        except (OSError, ValueError) as error:
            raise SettingsError(
                f"epoch file {path} cannot be kept: {error}; CONTRAIL_KUBE_WATCHERS_EPOCH_FILE names one that can"
            ) from error

    def next(self, kind: str) -> int:
        """An epoch above every earlier one of the kind; on disk before it is returned."""
        with self._changing() as content:
            epoch = raised(content["epoch"].get(kind, 0), now=self._clock())
            content["epoch"][kind] = epoch
            content["held"].pop(kind, None)
        return epoch

    def known(self, kind: str) -> int:
        """What was last remembered."""
        return int(self._read()["known"].get(kind, 0))

    def remember(self, kind: str, count: int, *, granted: Wish | None = None) -> None:
        """Remember how many objects there are."""
        with self._changing() as content:
            content["known"][kind] = count
            content["held"].pop(kind, None)
            if granted is not None and content["wish"].get(kind) == str(granted):
                del content["wish"][kind]

    def hold(self, kind: str, reason: str) -> None:
        """Tell people why the last snapshot is not believed."""
        with self._changing() as content:
            content["held"][kind] = reason

    def wishes(self) -> dict[str, Wish]:
        """As of now."""
        return {kind: Wish.parse(text) for kind, text in self._read()["wish"].items()}

    def epoch(self, kind: str) -> int:
        """The newest epoch of the kind; 0 before the first."""
        return int(self._read()["epoch"].get(kind, 0))

    def held(self, kind: str) -> str:
        """Why the last snapshot of the kind is not believed; '' if it is."""
        return str(self._read()["held"].get(kind, ""))

    def wish(self, kind: str, wish: Wish | None) -> None:
        """Write a person's wish down, or take it back."""
        with self._changing() as content:
            content["wish"].pop(kind, None)
            if wish is not None:
                content["wish"][kind] = str(wish)

    @contextmanager
    def _changing(self) -> Iterator[Content]:
        with self._path.with_name(self._path.name + ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # of this opening, so threads exclude each other too
            content = self._read()
            yield content
            self._write(content)

    def _read(self) -> Content:
        try:
            content: Any = json.loads(self._path.read_text())
        except FileNotFoundError:
            content = {"epoch": {}}
        if not isinstance(content, dict) or "epoch" not in content or not content.keys() <= set(PARTS):
            raise ValueError("it is not an epoch file")
        return {part: dict(content.get(part, {})) for part in PARTS}

    def _write(self, content: Content) -> None:
        """Whole or not at all: a crash leaves the old file."""
        fresh = self._path.with_name(self._path.name + ".new")
        with fresh.open("w") as file:
            json.dump(content, file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)
