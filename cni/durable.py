"""JSON files that survive a crash at any point, or were never there (shell)."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

Json = Any


def make_directory(path: Path) -> None:
    """Make the directory, for root only; no error if it is there."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)


def write(path: Path, content: Json) -> None:
    """Replace the file in one step (mode 0600); when this returns, the content is on the disk."""
    temporary = path.with_name(f".{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=1)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_directory(path.parent)


def remove(path: Path) -> None:
    """Remove the file; when this returns it stays removed. No error if it is not there."""
    path.unlink(missing_ok=True)
    _sync_directory(path.parent)


def read_all(directory: Path) -> dict[str, Json]:
    """Content of every file by name, None for one that is torn; clears what a crash left half-written."""
    found: dict[str, Json] = {}
    for path in sorted(directory.iterdir()):
        if path.name.startswith("."):
            if path.name.endswith(".new"):
                path.unlink(missing_ok=True)
        elif path.suffix == ".json":
            try:
                found[path.name] = json.loads(path.read_bytes())
            except (ValueError, RecursionError):
                found[path.name] = None
    return found


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
