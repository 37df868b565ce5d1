"""`contrail-kube up` as a person runs it, with a terminal or without, and the processes that it has."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

_STYLES = re.compile(r"\x1b\[[0-9;]*m")
ROOT = Path(__file__).parents[2]
SECONDS = 90.0
"""A run starts PostgreSQL and four Python processes; on two busy cores that takes its time."""


def environment(arguments: Sequence[str], more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a run: ours without settings, with a mark that all of its processes inherit."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CONTRAIL_KUBE_")}
    state = arguments[arguments.index("--state") + 1] if "--state" in arguments else ""
    screen = {"TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}
    return {**kept, "PYTHONPATH": str(ROOT), "RUN_MARK": state, **screen, **(more or {})}


def up(*arguments: str, environ: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run to the end without a terminal."""
    return subprocess.run(
        [sys.executable, "-m", "console", "up", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
        env=environment(arguments, environ),
    )


class LiveRun:
    """A run at a terminal of 80 by 24: what it wrote so far, and a keyboard."""

    def __init__(self, *arguments: str) -> None:
        self._terminal, theirs = pty.openpty()
        os.set_blocking(self._terminal, False)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "console", "up", *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment(arguments),
            start_new_session=True,
            preexec_fn=_take_terminal,
        )
        os.close(theirs)
        self.raw = b""
        self.output = ""

    def press(self, key: str) -> None:
        """Type one key; Ctrl-C is '\\x03'."""
        os.write(self._terminal, key.encode())

    def read(self) -> str:
        """Everything written so far, without styles."""
        try:
            while chunk := os.read(self._terminal, 65536):
                self.raw += chunk
        except OSError:  # nothing now, or the other side is gone
            pass
        self.output = _STYLES.sub("", self.raw.decode(errors="replace"))
        return self.output

    def wait_for(self, what: Callable[[], bool], name: str, *, seconds: float = SECONDS) -> None:
        """Poll until it holds."""
        deadline = time.monotonic() + seconds
        while not what():
            self.read()
            assert self.process.poll() is None, f"ended before {name}: {self.output[-2000:]}"
            assert time.monotonic() < deadline, f"{name}: not within {seconds:.0f} s: {self.output[-2000:]}"
            time.sleep(0.05)

    def wait_for_text(self, text: str) -> None:
        """Poll until the text was written after this call."""
        begin = len(self.read())
        self.wait_for(lambda: text in self.output[begin:], f"{text!r} on the screen")

    def wait(self, *, seconds: float = 60.0) -> int:
        """Its exit code, reading what it says meanwhile."""
        deadline = time.monotonic() + seconds
        while self.process.poll() is None:
            self.read()
            assert time.monotonic() < deadline, f"does not end: {self.output[-2000:]}"
            time.sleep(0.02)
        self.read()
        return int(self.process.returncode)

    def end(self) -> None:
        """Whatever it takes."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._terminal)


@contextmanager
def live(*arguments: str) -> Iterator[LiveRun]:
    """A run at a terminal that ends with the block."""
    run = LiveRun(*arguments)
    try:
        yield run
    finally:
        run.end()


def processes(state: Path) -> dict[int, str]:
    """Processes that belong to the run over a state directory: pid and command line."""
    mark, found = f"RUN_MARK={state}".encode(), {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
            marked = mark in (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if marked and command:
            found[int(folder.name)] = command.replace(b"\0", b" ").decode(errors="replace")
    return found


def pid_of(state: Path, module: str) -> int:
    """The process of one service of the run."""
    return next(pid for pid, command in processes(state).items() if f"-m {module}" in command)


def none_left(state: Path, *, seconds: float = 20.0) -> dict[int, str]:
    """Processes of the run that are left after waiting for them to go."""
    deadline = time.monotonic() + seconds
    while (left := processes(state)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def _take_terminal() -> None:
    # The session's own terminal, so that Ctrl-C becomes a signal.
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
