"""One process of the rig: started, watched, killed, frozen; its log goes to a file. No Kubernetes in here."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
TAIL_LINES = 25


class ClusterFailed(RuntimeError):
    """A part of the rig did not come up or went down; the text ends with the tail of its log."""


class Component:
    """A component of the multi-call binary under its name and flags, restartable with the same ones.

    It ends with the process that started it, even if that is killed: it holds the reading end of a pipe
    whose writing end is ours. It runs in a session of its own, so that Ctrl-C reaches only us.
    """

    def __init__(self, name: str, flags: Sequence[str], *, binary: Path, directory: Path) -> None:
        self.name = name
        self.log = directory / f"{name}.log"
        self._command = [str(binary), name, *flags]
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether the process is there; a frozen one is."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process is not None and self.running else None

    def start(self) -> None:
        """Start it; does not wait until it serves."""
        assert not self.running, f"{self.name} runs already"
        environ = {"PATH": os.defpath, "HOME": str(self._directory), "KUBE_RIG_LIFELINE": "stdin"}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._directory,
                env=environ,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self._end(signal.SIGKILL, seconds=10)

    def stop(self, seconds: float = 5) -> None:
        """Ask it to end, and kill it when it has not after `seconds`."""
        self.thaw()
        try:
            self._end(signal.SIGTERM, seconds=seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def freeze(self) -> None:
        """Stop it from running without closing anything: its peers see silence."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen process go on."""
        self._signal(signal.SIGCONT)

    def tail(self) -> str:
        """The last lines of its log."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-TAIL_LINES:])

    def wait(self, probe: Callable[[], T | None], what: str, *, seconds: float) -> T:
        """The first answer of `probe` that is true; ClusterFailed when the process ends or time runs out."""
        deadline = time.monotonic() + seconds
        while True:
            if answer := probe():
                return answer
            if not self.running:
                raise ClusterFailed(f"{self.name} ended before {what}; its log {self.log}:\n{self.tail()}")
            if time.monotonic() > deadline:
                raise ClusterFailed(f"{self.name}: no {what} within {seconds} s; its log {self.log}:\n{self.tail()}")
            time.sleep(0.05)

    def _end(self, number: signal.Signals, *, seconds: float) -> None:
        if self._process is None:
            return
        self._signal(number)
        self._process.wait(seconds)
        if self._process.stdin is not None:
            self._process.stdin.close()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self.running:
            self._process.send_signal(number)
