"""Starting a process that ends with us, however we end, and stopping it within a bound."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


def spawn(arguments: Sequence[str], *, environment: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    """Start a process of our own whose output is appended to `log`.

    The kernel sends it SIGKILL when the *thread* that called this ends, so call it from the main thread.
    It has a session of its own: a Ctrl-C at the terminal reaches us alone, and we decide the order of ends.
    """
    parent = os.getpid()

    def die_with_parent() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # we were killed between fork and prctl
            os._exit(1)

    with log.open("ab") as output:
        return subprocess.Popen(
            list(arguments),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(environment),
            start_new_session=True,
            preexec_fn=die_with_parent,
        )


def stop(
    processes: Iterable[subprocess.Popen[bytes]], *, within: float, hurry: Callable[[], bool] = lambda: False
) -> list[int]:
    """SIGTERM to all at once, SIGKILL to those that are left after `within` seconds; returns the latter's pids.

    As soon as `hurry` says so, the bound is over.
    """
    running = [each for each in processes if each.poll() is None]
    for process in running:
        process.terminate()
    deadline = time.monotonic() + within
    while (left := [each for each in running if each.poll() is None]) and time.monotonic() < deadline and not hurry():
        time.sleep(0.02)
    for process in left:
        process.kill()
        process.wait()
    return [each.pid for each in left]
