"""The unix socket that the plugin asks: a bounded thread per connection, one request each (shell)."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import select
import socket
import threading
import time
from pathlib import Path

from cni.answers import error_answer
from cni.commands import Commands
from schemas.errors import AgentUnavailable, SettingsError
from schemas.health import Health

logger = logging.getLogger(__name__)

LARGEST = 1 << 20
"""Bytes of a request that are read; a GC list of a full node is about 50 kB."""
READ_LIMIT = 5.0
"""Seconds for a plugin to send its one line."""
_HANGUP = select.POLLHUP | select.POLLERR | select.POLLRDHUP


class Connection:
    """A plugin that waits for an answer; knows when it has gone, and when the agent stops."""

    def __init__(self, peer: socket.socket, stopping: int) -> None:
        self._stopping = stopping
        self._poll = select.poll()
        self._poll.register(peer.fileno(), _HANGUP)
        self._poll.register(stopping, select.POLLIN)

    def pause(self, seconds: float) -> None:
        """See Caller."""
        deadline = time.monotonic() + seconds
        while True:
            left = max(deadline - time.monotonic(), 0)
            for descriptor, _ in self._poll.poll(left * 1000):
                if descriptor == self._stopping:
                    raise AgentUnavailable("the CNI agent is stopping; another will start")
                raise AgentUnavailable("the runtime has given this request up")
            if time.monotonic() >= deadline:
                return


class Server:
    """Listens until stopped."""

    def __init__(self, path: Path, *, commands: Commands, max_requests: int, health: Health) -> None:
        self._path = path
        self._commands = commands
        self._slots = threading.BoundedSemaphore(max_requests)
        self._health = health
        self._stop_read, self._stop_write = os.pipe2(os.O_CLOEXEC)
        self._threads: set[threading.Thread] = set()
        self._mutex = threading.Lock()
        self._listener = _listen(path)

    def serve(self) -> None:
        """Accept until `stop` is called from another thread or a signal handler."""
        logger.info("listening socket=%s", self._path)
        waiting = select.poll()
        waiting.register(self._listener.fileno(), select.POLLIN)
        waiting.register(self._stop_read, select.POLLIN)
        while True:
            self._health.beat("server", within=30)
            ready = {descriptor for descriptor, _ in waiting.poll(5000)}
            if self._stop_read in ready:
                return
            if self._listener.fileno() in ready:
                self._accept()

    def stop(self) -> None:
        """Stop accepting, and end every wait; safe in a signal handler."""
        with contextlib.suppress(OSError):
            os.write(self._stop_write, b"x")

    def close(self, drain: float = 20.0) -> None:
        """Let running requests end, for at most `drain` seconds, and remove the socket."""
        self.stop()
        self._listener.close()
        self._path.unlink(missing_ok=True)
        deadline = time.monotonic() + drain
        with self._mutex:
            running = list(self._threads)
        for thread in running:
            thread.join(max(deadline - time.monotonic(), 0))
        left = sum(thread.is_alive() for thread in running)
        if left:
            # Their records are on the disk: the next start undoes what they had begun.
            logger.warning("stopped with requests unfinished count=%d", left)
        else:
            os.close(self._stop_read)
            os.close(self._stop_write)
        self._health.ended("server")

    def _accept(self) -> None:
        try:
            peer, _ = self._listener.accept()
        except OSError as error:
            logger.warning("connection lost before it was served error=%s", error)
            # Out of descriptors the listener stays readable: do not spin.
            time.sleep(0.05)
            return
        if not self._slots.acquire(blocking=False):
            logger.warning("too many requests at once: one told to try again")
            with peer:
                _send(peer, _line(AgentUnavailable("the CNI agent serves too many requests at once")))
            return
        thread = threading.Thread(target=self._run, args=(peer,), name="request", daemon=True)
        with self._mutex:
            self._threads.add(thread)
        thread.start()

    def _run(self, peer: socket.socket) -> None:
        try:
            with peer:
                line = _receive(peer)
                if line is not None:
                    _send(peer, self._commands.answer(line, Connection(peer, self._stop_read)))
        finally:
            self._slots.release()
            with self._mutex:
                self._threads.discard(threading.current_thread())


def _listen(path: Path) -> socket.socket:
    """Socket at the path, for root only from its first moment; takes the place of a dead agent's."""
    if len(os.fsencode(path)) > 107:
        raise SettingsError(f"CONTRAIL_KUBE_CNI_SOCKET={path}: longer than the 107 bytes of a unix socket's name")
    path.parent.mkdir(parents=True, exist_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        fresh = path.with_name(f"{path.name[:8]}.{os.getpid()}")
        fresh.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            listener.bind(str(fresh))
        finally:
            os.umask(before)
        listener.listen(256)
        listener.setblocking(False)
        # A rename leaves no moment without a socket, and connects nobody to one that does not listen yet.
        fresh.rename(path)
    except OSError as error:
        listener.close()
        raise SettingsError(f"CONTRAIL_KUBE_CNI_SOCKET={path}: cannot listen: {error.strerror}") from error
    return listener


def _receive(peer: socket.socket) -> bytes | None:
    """The one line of a request; None when it does not come, or never ends."""
    peer.settimeout(READ_LIMIT)
    received = b""
    try:
        while not received.endswith(b"\n"):
            part = peer.recv(65536)
            received += part
            if not part or len(received) > LARGEST:
                return None
    except OSError:
        return None
    return received


def _send(peer: socket.socket, line: bytes) -> None:
    try:
        peer.settimeout(READ_LIMIT)
        peer.sendall(line)
    except OSError as error:
        logger.info("answer not taken: the runtime has given the request up error=%s", error)


def _line(error: AgentUnavailable) -> bytes:
    return json.dumps(error_answer(error)).encode() + b"\n"
