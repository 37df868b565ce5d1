"""Processes of ours end with us, and within their bound."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from console.child import spawn, stop

PATIENT = "import time; print('up', flush=True); time.sleep(600)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {PATIENT}"
PARENT = """
import os, sys, time
from pathlib import Path
from console.child import spawn
child = spawn([sys.executable, "-c", sys.argv[1]], environment=os.environ, log=Path(sys.argv[2]))
print(child.pid, flush=True)
time.sleep(600)
"""


def _start(code: str, log: Path) -> subprocess.Popen[bytes]:
    process = spawn([sys.executable, "-c", code], environment=os.environ, log=log)
    _wait_for_text(log)
    return process


def _wait_for_text(log: Path) -> None:
    deadline = time.monotonic() + 20
    while not (log.exists() and log.read_text()):
        assert time.monotonic() < deadline, f"nothing was written to {log}"
        time.sleep(0.01)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.process
def test_a_process_ends_when_it_is_asked(tmp_path: Path) -> None:
    process = _start(PATIENT, tmp_path / "log")
    assert stop([process], within=10) == []
    assert process.returncode == -signal.SIGTERM


@pytest.mark.process
def test_a_process_that_does_not_listen_is_killed_at_the_bound(tmp_path: Path) -> None:
    process = _start(STUBBORN, tmp_path / "log")
    assert stop([process], within=0.2) == [process.pid]
    assert process.returncode == -signal.SIGKILL


@pytest.mark.process
def test_hurry_ends_the_bound(tmp_path: Path) -> None:
    process = _start(STUBBORN, tmp_path / "log")
    began = time.monotonic()
    assert stop([process], within=60, hurry=lambda: True) == [process.pid]
    assert time.monotonic() - began < 30


@pytest.mark.process
def test_a_child_does_not_outlive_a_parent_that_was_killed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    parent = subprocess.Popen([sys.executable, "-c", PARENT, PATIENT, str(log)], stdout=subprocess.PIPE, text=True)
    try:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        _wait_for_text(log)
        assert _alive(child)
    finally:
        parent.kill()
        parent.communicate()
    deadline = time.monotonic() + 10
    while _alive(child):
        assert time.monotonic() < deadline, "the child still runs"
        time.sleep(0.01)
