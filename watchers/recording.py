"""The command `record`: the events of a cluster into one Avro file, with a line that says how it goes."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import TextIO

from schemas.bus.log_file import FileProducer

TERMINAL_SECONDS, PLAIN_SECONDS = 0.5, 10.0
"""Between two lines: on a terminal one is written over the last."""


def report(
    producer: FileProducer, waiting: Callable[[], dict[str, str]], stop: threading.Event, out: TextIO = sys.stderr
) -> None:
    """Say how the recording goes, until `stop`."""
    terminal = out.isatty()
    began = time.monotonic()
    while not stop.wait(TERMINAL_SECONDS if terminal else PLAIN_SECONDS):
        line = _line(producer, waiting(), time.monotonic() - began)
        out.write(f"\r\033[K{line}" if terminal else f"{line}\n")
        out.flush()
    if terminal:
        out.write("\r\033[K")


def _line(producer: FileProducer, waiting: dict[str, str], seconds: float) -> str:
    line = f"recording: {producer.records:,} records, {producer.size / 1024:,.0f} KiB, {seconds:,.0f} s"
    if waiting:
        part, reason = next(iter(sorted(waiting.items())))
        line += f"; waiting for {len(waiting)}: {part}: {reason[:80]}"
    return line
