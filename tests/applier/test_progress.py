"""Progress of long work: a bar on a terminal, a line now and then elsewhere, nothing without a stream."""

from __future__ import annotations

import io

from applier.progress import SILENT, Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_pipe_gets_a_line_now_and_then() -> None:
    stream, clock = io.StringIO(), Clock()
    with Progress(stream, every=10.0, clock=clock) as progress:
        progress.begin("virtual-machines", 300)
        for _ in range(3):
            clock.now += 6.0
            progress.advance(100)
        progress.begin("links")
        clock.now += 11.0
        progress.advance(7)
    assert stream.getvalue() == "virtual-machines: 200 of about 300\nlinks: 7\n"


def test_a_terminal_gets_a_bar_that_is_gone_at_the_end() -> None:
    stream = Terminal()
    with Progress(stream) as progress:
        progress.begin("virtual-machines", 300)
        progress.advance(300)
        progress.begin("links")
        progress.advance(1)
    assert "virtual-machines" in stream.getvalue() or "links" in stream.getvalue()


def test_without_a_stream_nothing_is_shown_and_nothing_fails() -> None:
    with SILENT as progress:
        progress.begin("virtual-machines", 3)
        progress.advance(3)
