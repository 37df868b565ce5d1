"""An HTTP server in a thread (shell): started, used, stopped, and started again on the same port.

asyncio sets TCP_NODELAY on every connection, so answers do not wait for acknowledgements.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from aiohttp import web

logger = logging.getLogger(__name__)

LARGEST = 64 * 1024 * 1024
"""Bytes of the largest request that is read."""
STOP_SECONDS = 10.0
Handle = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
T = TypeVar("T")


class HttpThread:
    """Serves requests with `handle` on `host` and `port` (0 picks a free one, which is kept over restarts).

    `tls` makes it an https server.
    """

    def __init__(
        self, handle: Handle, *, name: str, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
    ) -> None:
        self._handle = handle
        self._name = name
        self._host = host
        self._tls = tls
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending: asyncio.Event | None = None
        self.port = port
        """Where it listens, or did last; 0 before the first start if none was asked for."""

    @property
    def url(self) -> str:
        """Address for clients, without a slash at the end."""
        return f"{'https' if self._tls else 'http'}://{self._host}:{self.port}"

    def start(self) -> None:
        """Begin to listen; raises OSError if the port is taken, or is none."""
        if self._thread is not None:
            raise RuntimeError(f"the {self._name} listens at {self.url} already")
        if not 0 <= self.port <= 65535:  # the socket's own answer to it is no OSError
            raise OSError(errno.EINVAL, "a port is 0 to 65535")
        listener = socket.create_server((self._host, self.port), backlog=1024)
        self.port = int(listener.getsockname()[1])
        ready: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, args=(listener, ready), name=self._name, daemon=True)
        self._thread.start()
        ready.result()

    def request_stop(self) -> None:
        """Begin to stop; safe in a signal handler, and when it has stopped."""
        if self._loop is not None and self._ending is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._ending.set)

    def stop(self) -> None:
        """Stop listening and cut all connections. No error when it has stopped."""
        thread = self._thread
        if thread is None:
            return
        self.request_stop()
        thread.join(STOP_SECONDS)
        self._thread = None

    def wait(self) -> None:
        """Block until stopped."""
        if self._thread is not None:
            self._thread.join()

    def ask(self, question: Callable[[], T]) -> T:
        """What `question` says, asked between two requests; asked right here while nothing is served."""
        loop, thread = self._loop, self._thread
        if loop is None or thread is None or not thread.is_alive():
            return question()
        said: Future[T] = Future()

        def run() -> None:
            try:
                said.set_result(question())
            except BaseException as error:
                said.set_exception(error)

        loop.call_soon_threadsafe(run)
        return said.result(STOP_SECONDS)

    def _run(self, listener: socket.socket, ready: Future[None]) -> None:
        try:
            asyncio.run(self._serve(listener, ready))
        except BaseException as error:
            if not ready.done():
                ready.set_exception(error)
            else:
                logger.exception("the %s ended", self._name)
        finally:
            listener.close()

    async def _serve(self, listener: socket.socket, ready: Future[None]) -> None:
        loop = asyncio.get_running_loop()
        self._loop, self._ending = loop, asyncio.Event()

        def make_request(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
            return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=LARGEST)

        server = web.Server(self._handle, request_factory=make_request, access_log=None)
        runner = web.ServerRunner(server, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.SockSite(runner, listener, ssl_context=self._tls).start()
            ready.set_result(None)
            await self._ending.wait()
        finally:
            await runner.cleanup()
            await _abort_handshakes(loop)


async def _abort_handshakes(loop: asyncio.AbstractEventLoop) -> None:
    """Cut connections that are still in their TLS handshake: nobody but the loop itself knows of them."""
    for transport in list(getattr(loop, "_transports", {}).values()):
        transport.abort()
    for _ in range(3):  # the loop closes them in its next rounds
        await asyncio.sleep(0)
