"""The agent's socket: rights, bounds, hang-ups, and an end in order."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cni.patience import Caller
from cni.server import LARGEST, Server
from schemas.errors import AgentUnavailable, SettingsError
from schemas.health import Health
from tests.cni.nodes import wait_for

Json = Any


class Commands:
    """Answers with `answer`, which may wait on the caller."""

    def __init__(self) -> None:
        self.run: Callable[[bytes, Caller], bytes] = lambda line, caller: line
        self.entered = threading.Semaphore(0)
        self.ended: list[str] = []

    def answer(self, line: bytes, caller: Caller) -> bytes:
        """As cni.commands.Commands."""
        self.entered.release()
        return self.run(line, caller)

    def wait_long(self, line: bytes, caller: Caller) -> bytes:
        """Wait like an ADD whose rows do not come."""
        try:
            caller.pause(30)
        except AgentUnavailable as error:
            self.ended.append(str(error))
            return json.dumps({"error": {"code": 11, "msg": str(error)}}).encode() + b"\n"
        raise AssertionError("waited to the end")


@contextmanager
def _serving(path: Path, commands: Commands, max_requests: int = 8) -> Iterator[Server]:
    server = Server(path, commands=commands, max_requests=max_requests, health=Health())  # type: ignore[arg-type]
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join()
        server.close(5)


def _connect(path: Path) -> socket.socket:
    peer = socket.socket(socket.AF_UNIX)
    peer.settimeout(10)
    peer.connect(str(path))
    return peer


def _ask(path: Path, line: bytes = b'{"x": 1}\n') -> Json:
    with _connect(path) as peer, peer.makefile("rb") as answers:
        with contextlib.suppress(BrokenPipeError):
            peer.sendall(line)
        return json.loads(answers.readline() or b"null")


def test_a_request_is_answered_and_the_socket_is_for_root_only(tmp_path: Path) -> None:
    path = tmp_path / "run" / "cni.sock"
    with _serving(path, Commands()):
        assert _ask(path) == {"x": 1}
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()


def test_the_socket_of_a_killed_agent_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "cni.sock"
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(path))
    dead.close()
    with _serving(path, Commands()):
        assert _ask(path) == {"x": 1}


def test_a_caller_that_hangs_up_ends_its_wait(tmp_path: Path) -> None:
    commands = Commands()
    commands.run = commands.wait_long
    with _serving(tmp_path / "cni.sock", commands):
        peer = _connect(tmp_path / "cni.sock")
        peer.sendall(b"{}\n")
        assert commands.entered.acquire(timeout=5)
        peer.close()
        wait_for(lambda: commands.ended, "the end of the wait")
    assert commands.ended == ["the runtime has given this request up"]


def test_case_99_stopping_ends_waits_and_answers_them(tmp_path: Path) -> None:
    commands = Commands()
    commands.run = commands.wait_long
    with _serving(tmp_path / "cni.sock", commands) as server:
        peer = _connect(tmp_path / "cni.sock")
        peer.sendall(b"{}\n")
        assert commands.entered.acquire(timeout=5)
        server.stop()
        with peer, peer.makefile("rb") as answers:
            answer = json.loads(answers.readline())
    assert answer["error"]["code"] == 11 and "stopping" in answer["error"]["msg"]


def test_more_requests_than_fit_are_told_to_try_again(tmp_path: Path) -> None:
    commands = Commands()
    commands.run = commands.wait_long
    with _serving(tmp_path / "cni.sock", commands, max_requests=2):
        with contextlib.ExitStack() as waiting:
            for _ in range(2):
                waiting.enter_context(_connect(tmp_path / "cni.sock")).sendall(b"{}\n")
                assert commands.entered.acquire(timeout=5)
            assert _ask(tmp_path / "cni.sock")["error"]["code"] == 11
        commands.run = lambda line, caller: line
        wait_for(lambda: len(commands.ended) == 2, "the freed places")
        wait_for(lambda: _ask(tmp_path / "cni.sock") == {"x": 1}, "an answer")


@pytest.mark.parametrize("line", [b"", b'{"half', b"x" * (LARGEST + 10)])
def test_a_request_that_never_ends_is_dropped(tmp_path: Path, line: bytes) -> None:
    commands = Commands()
    with _serving(tmp_path / "cni.sock", commands):
        with _connect(tmp_path / "cni.sock") as peer:
            try:
                peer.sendall(line)
                peer.shutdown(socket.SHUT_WR)
                assert peer.recv(10) == b""
            except (BrokenPipeError, ConnectionResetError):
                pass
        assert _ask(tmp_path / "cni.sock") == {"x": 1}


def test_a_path_that_no_socket_can_have_is_a_settings_error(tmp_path: Path) -> None:
    for path in (tmp_path / ("x" * 120), Path(os.devnull) / "cni.sock"):
        with pytest.raises((SettingsError, OSError)):
            Server(path, commands=Commands(), max_requests=1, health=Health())  # type: ignore[arg-type]
