"""CPU time and memory of processes, from /proc (Linux): on few cores the sum over all of them decides."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")

Seconds = Mapping[str, float]
"""CPU seconds by the name of a process."""


def cpu_seconds(pid: int) -> float:
    """CPU seconds of a process, of its children, and of children that have ended."""
    total = _own(pid, ended_children=True)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and _parent(int(entry.name)) == pid:
            total += _own(int(entry.name), ended_children=False)
    return total


def peak_megabytes(pid: int) -> float:
    """The most memory that the process had resident so far."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def used(before: Seconds, after: Seconds) -> dict[str, float]:
    """CPU seconds between two looks."""
    return {name: seconds - before.get(name, 0.0) for name, seconds in after.items()}


def _stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _parent(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[1]) if fields else 0


def _own(pid: int, *, ended_children: bool) -> float:
    fields = _stat(pid)[11 : 15 if ended_children else 13]
    return sum(int(field) for field in fields) / _TICKS
