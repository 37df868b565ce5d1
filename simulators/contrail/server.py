"""One simulated config API in a thread: started, used, stopped (shell).

Stopping and starting again keeps the state, as a restarted API keeps its database; `reset` loses it.
asyncio sets TCP_NODELAY on every connection, so answers do not wait for acknowledgements.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import Any, TypeVar

from aiohttp import web

from simulators.contrail.answers import Json
from simulators.contrail.faults import Fault, Faults
from simulators.contrail.http import LARGEST, Front
from simulators.contrail.rendering import View, whole
from simulators.contrail.seed import seed
from simulators.contrail.state import MakeUuid, State, random_uuid

logger = logging.getLogger(__name__)

T = TypeVar("T")
_STOP_SECONDS = 10.0


class ContrailSimulator:
    """A config API on `host` and `port` (0 picks a free one, which is kept over restarts).

    `latency` is in seconds, before each answer. `nodes` are virtual-routers that exist from the start, with
    their addresses. `faults` wait from the start. `make_uuid` makes uuids of what the server makes by itself.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        latency: float = 0.0,
        nodes: Mapping[str, str] | None = None,
        faults: Sequence[Fault] = (),
        verbose: bool = False,
        make_uuid: MakeUuid = random_uuid,
    ) -> None:
        self._host = host
        self._port = port
        self._nodes = dict(nodes or {})
        self.faults = Faults()
        for fault in faults:
            self.faults.add(fault)
        self._state = State(make_uuid=make_uuid)
        seed(self._state, self._nodes)
        self._front = Front(self._state, faults=self.faults, reset=self._reset, latency=latency, verbose=verbose)
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending: asyncio.Event | None = None

    @property
    def port(self) -> int:
        """Where it listens, or did last; 0 before the first start if none was asked for."""
        return self._port

    @property
    def url(self) -> str:
        """Address for clients, without a slash at the end."""
        return f"http://{self._host}:{self._port}"

    @property
    def counters(self) -> Counter[tuple[str, str]]:
        """Requests so far by (method, type or action): ('POST', 'virtual-machine'), ('POST', 'ref-update')."""
        return Counter(self._front.counters)

    def start(self) -> ContrailSimulator:
        """Begin to listen; raises OSError if the port is taken."""
        if self._thread is not None:
            raise RuntimeError(f"the simulator listens at {self.url} already")
        listener = socket.create_server((self._host, self._port), backlog=1024)
        self._port = int(listener.getsockname()[1])
        ready: Future[None] = Future()
        self._thread = threading.Thread(
            target=self._run, args=(listener, ready), name="contrail-simulator", daemon=True
        )
        self._thread.start()
        ready.result()
        return self

    def request_stop(self) -> None:
        """Begin to stop; safe in a signal handler, and when it has stopped."""
        if self._loop is not None and self._ending is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._ending.set)

    def stop(self) -> None:
        """Stop listening and cut all connections; the state stays. No error when it has stopped."""
        thread = self._thread
        if thread is None:
            return
        self.request_stop()
        thread.join(_STOP_SECONDS)
        self._thread = None

    def wait(self) -> None:
        """Block until stopped."""
        if self._thread is not None:
            self._thread.join()

    def __enter__(self) -> ContrailSimulator:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def reset(self) -> None:
        """Lose all data, as an API whose database was wiped; it answers on with what a first start makes."""
        self.ask(lambda _: self._reset())

    def snapshot(self) -> None:
        """Remember all data: what `restore` goes back to, and stale answers come from."""
        self.ask(lambda _: self._front.take_snapshot())

    def restore(self) -> None:
        """Go back to the last snapshot, as an API whose database was restored from a backup."""
        self.ask(lambda _: self._front.restore())

    def ask(self, question: Callable[[State], T]) -> T:
        """What `question` says about the state, asked between two requests; it may also change the state."""
        loop, thread = self._loop, self._thread
        if loop is None or thread is None or not thread.is_alive():
            return question(self._state)
        said: Future[T] = Future()

        def run() -> None:
            try:
                said.set_result(question(self._state))
            except BaseException as error:
                said.set_exception(error)

        loop.call_soon_threadsafe(run)
        return said.result(_STOP_SECONDS)

    def objects(self, type_: str) -> list[dict[str, Json]]:
        """All objects of a type, whole, as reads would give them."""
        view = View(base=None)
        return self.ask(lambda state: [whole(state, item, view) for item in state.of_type(type_)])

    def find(self, type_: str, *fq_name: str) -> dict[str, Json] | None:
        """The object of this type and fq_name, whole."""

        def read(state: State) -> dict[str, Any] | None:
            item = state.named(type_, fq_name)
            return None if item is None else whole(state, item, View(base=None))

        return self.ask(read)

    def count(self, type_: str) -> int:
        """Number of objects of a type."""
        return self.ask(lambda state: state.count(type_))

    def _reset(self) -> None:
        self._state.clear()
        seed(self._state, self._nodes)

    def _run(self, listener: socket.socket, ready: Future[None]) -> None:
        try:
            asyncio.run(self._serve(listener, ready))
        except BaseException as error:
            if not ready.done():
                ready.set_exception(error)
            else:
                logger.exception("the simulator ended")
        finally:
            listener.close()

    async def _serve(self, listener: socket.socket, ready: Future[None]) -> None:
        loop = asyncio.get_running_loop()
        self._loop, self._ending = loop, asyncio.Event()

        def make_request(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
            return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=LARGEST)

        server = web.Server(self._front.handle, request_factory=make_request, access_log=None)
        runner = web.ServerRunner(server, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.SockSite(runner, listener).start()
            ready.set_result(None)
            await self._ending.wait()
        finally:
            await runner.cleanup()
