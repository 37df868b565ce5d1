"""One simulated vrouter agent in a thread: started, used, stopped (shell)."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

from aiohttp import web

from simulators.vrouter.agent import Agent
from simulators.vrouter.config import ConfigSource
from simulators.vrouter.files import PortFiles
from simulators.vrouter.forwarder import Forwarder
from simulators.vrouter.namespace import enter, listener
from simulators.vrouter.ports import NovaPort, VmPort
from simulators.vrouter.rest import application


class VrouterSimulator:
    """The agent of one node.

    `netns` is the path of the node's network namespace (None: this process's): there it listens and forwards,
    while `config` is asked from the namespace that `start` is called in. Without `forward` it only speaks, which
    needs no privileges. `port` 0 picks a free one; a real agent always has 9091.
    """

    def __init__(
        self,
        *,
        config: ConfigSource,
        netns: str | None = None,
        host: str = "127.0.0.1",
        port: int = 9091,
        ports_dir: Path | None = None,
        forward: bool = True,
        fabric: str | None = None,
    ) -> None:
        self._config = config
        self._netns = netns
        self._host = host
        self._wanted_port = port
        self._ports_dir = ports_dir
        self._forwarder = Forwarder(fabric) if forward else None
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="vrouter-simulator", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending: asyncio.Event | None = None
        self._agent: Agent | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """Where it listens, as seen from its namespace."""
        return f"http://{self._host}:{self.port}"

    @property
    def announced(self) -> tuple[VmPort | NovaPort, ...]:
        """Announced ports."""
        return self._agent.announced if self._agent else ()

    def start(self) -> VrouterSimulator:
        """Begin to listen; raises what kept it from doing so (OSError: port taken, no such namespace, no rights)."""
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure
        return self

    def request_stop(self) -> None:
        """Begin to stop; safe in a signal handler, and when it has stopped."""
        if self._loop is not None and self._ending is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._ending.set)

    def stop(self) -> None:
        """Stop, and remove bridges and tunnels; no error when it has stopped."""
        self.request_stop()
        if self._thread.ident is not None:
            self._thread.join(30)

    def wait(self) -> None:
        """Block until stopped."""
        self._thread.join()

    def __enter__(self) -> VrouterSimulator:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._failure = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop, self._ending = asyncio.get_running_loop(), asyncio.Event()
        with ThreadPoolExecutor(1, "vrouter-inside") as inside, ThreadPoolExecutor(4, "vrouter-config") as outside:
            await self._loop.run_in_executor(inside, enter, self._netns)
            files = PortFiles(self._ports_dir) if self._ports_dir else None
            agent = Agent(
                config=self._config,
                config_thread=outside,
                forwarder=self._forwarder,
                forwarder_thread=inside,
                files=files,
            )
            socket = await self._loop.run_in_executor(inside, listener, self._host, self._wanted_port)
            self.port = int(socket.getsockname()[1])
            runner = web.AppRunner(application(agent), access_log=None)
            await runner.setup()
            follower: asyncio.Task[None] | None = None
            try:
                await agent.start()
                follower = asyncio.create_task(agent.follow())
                await web.SockSite(runner, socket).start()
                self._agent = agent
                self._ready.set()
                await self._ending.wait()
            finally:
                if follower is not None:
                    follower.cancel()
                    await asyncio.gather(follower, return_exceptions=True)
                await runner.cleanup()
                socket.close()
                await agent.stop()
