"""How far a long piece of work is (shell): a bar on a terminal, a line now and then where there is none."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar


class Progress:
    """Shows steps, one after the other, while its `with` block lasts; used by one thread.

    Without a stream it shows nothing. `every` is in seconds, between two lines where the stream is no terminal.
    """

    def __init__(
        self, stream: TextIO | None = None, *, every: float = 10.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = stream
        self._every = every
        self._clock = clock
        self._bar: Bar | None = None
        self._what, self._total, self._done = "", 0, 0
        self._said_at = clock()

    def begin(self, what: str, total: int = 0) -> None:
        """The next step: `what` in a few words, and how many there are to do, 0 if nobody knows."""
        self._what, self._total, self._done = what, total, 0
        if self._bar is not None:
            for task in self._bar.task_ids:
                self._bar.remove_task(task)
            self._bar.add_task(what, total=total or None)

    def advance(self, count: int = 1) -> None:
        """So many more are done."""
        self._done += count
        if self._bar is not None:
            self._bar.advance(self._bar.task_ids[-1], count)
        elif self._stream is not None and self._clock() - self._said_at >= self._every:
            self._said_at = self._clock()
            of = f" of about {self._total}" if self._total else ""
            self._stream.write(f"{self._what}: {self._done}{of}\n")
            self._stream.flush()

    def __enter__(self) -> Progress:
        if self._stream is not None and self._stream.isatty():
            columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
            console = Console(file=self._stream)
            self._bar = Bar(*columns, TimeElapsedColumn(), console=console, transient=True)
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


SILENT = Progress()
"""Shows nothing."""
