"""The agent behind the REST API: what was announced, what the controller says, and what is forwarded (shell).

Runs in one event loop; the configuration source and the forwarder block, so each has its own thread.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

from simulators.vrouter.config import ConfigSource, InterfaceConfig
from simulators.vrouter.files import PortFiles
from simulators.vrouter.forwarder import Forwarder
from simulators.vrouter.ports import NIL, NovaPort, VmPort, configured, operational

logger = logging.getLogger(__name__)

Json = Any
_FOLLOW_EVERY = 0.1
"""Seconds between two looks at ports whose tap or configuration was not there yet."""


@dataclass(slots=True)
class _Port:
    """An announced port: is its tap forwarded, is its gateway answered, is somebody at work on one of both."""

    port: VmPort | NovaPort
    forwarded: bool = False
    served: bool = False
    busy: bool = False


class Agent:
    """State of one vrouter agent."""

    def __init__(
        self,
        *,
        config: ConfigSource,
        config_thread: Executor,
        forwarder: Forwarder | None,
        forwarder_thread: Executor,
        files: PortFiles | None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._config = config
        self._config_thread = config_thread
        self._forwarder = forwarder
        self._forwarder_thread = forwarder_thread
        self._files = files
        self._clock = clock
        self._ports: dict[str, _Port] = {}

    @property
    def announced(self) -> tuple[VmPort | NovaPort, ...]:
        """Announced ports, sorted by interface uuid."""
        return tuple(self._ports[uuid].port for uuid in sorted(self._ports))

    async def start(self) -> None:
        """Clear what a killed predecessor left, and take up the ports of its files."""
        if self._forwarder is not None:
            await self._forward(self._forwarder.clear)
        for port in self._files.load() if self._files else ():
            await self._add(port)

    async def stop(self) -> None:
        """Remove everything that was put into the kernel; files stay, as the agent's do."""
        if self._forwarder is not None:
            await self._forward(self._forwarder.clear)

    async def follow(self) -> None:
        """Until cancelled, complete ports whose tap or configuration comes later."""
        while True:
            for port in list(self._ports.values()):
                if not port.served and not port.busy:
                    await self._complete(port)
            await asyncio.sleep(_FOLLOW_EVERY)

    async def announce(self, port: VmPort) -> None:
        """POST /vm; raises OSError when the file cannot be written."""
        if self._files is not None:
            self._files.write(port, self._now())
        await self._add(port)

    async def announce_nova(self, port: NovaPort) -> None:
        """POST /port."""
        await self._add(port)

    async def withdraw(self, machine_uuid: str) -> None:
        """DELETE /vm: all ports of the machine; nothing happens when it has none."""
        for uuid in [u for u, p in self._ports.items() if p.port.machine_uuid == machine_uuid]:
            await self.withdraw_port(uuid)
        if self._files is not None:
            self._files.withdraw(machine_uuid)

    async def withdraw_port(self, interface_uuid: str) -> None:
        """DELETE /port; nothing happens when there is none."""
        gone = self._ports.pop(interface_uuid, None)
        if gone is not None and self._forwarder is not None:
            await self._forward(self._forwarder.detach, gone.port.tap)

    async def configured(self, machine_name: str) -> list[Json] | None:
        """GET /vm-cfg: elements, or None for not found."""
        uuid = await self._ask(self._config.machine_named, machine_name)
        if uuid is None:
            return None
        return [configured(interface) for interface in await self._ask(self._config.interfaces, uuid)] or None

    async def machine(self, machine_uuid: str) -> list[Json] | None:
        """GET /vm: elements, or None unless every interface of the machine is announced and complete."""
        interfaces = await self._ask(self._config.interfaces, machine_uuid)
        elements = [self._operational(interface) for interface in interfaces]
        return elements if elements and None not in elements else None

    async def interface(self, interface_uuid: str, machine_uuid: str = "") -> Json | None:
        """GET /vm/<machine>/<interface> and GET /port: element, or None for not found."""
        port = self._ports.get(interface_uuid)
        if port is None and not machine_uuid:
            return None
        interfaces = await self._ask(self._config.interfaces, port.port.machine_uuid if port else machine_uuid)
        return next((self._operational(i) for i in interfaces if i.uuid == interface_uuid), None)

    def _operational(self, interface: InterfaceConfig) -> Json | None:
        port = self._ports.get(interface.uuid)
        if interface.vlan is not None:
            # Sub-interfaces are made from the configuration alone: nobody announces them.
            return operational(interface, "", self._now())
        return None if port is None else operational(interface, port.port.tap, self._now())

    async def _add(self, port: VmPort | NovaPort) -> None:
        if port.interface_uuid == NIL:
            return
        known = self._ports.get(port.interface_uuid)
        if known is not None and known.port.tap != port.tap:
            await self.withdraw_port(port.interface_uuid)
        self._ports[port.interface_uuid] = entry = _Port(port)
        await self._complete(entry)

    async def _complete(self, entry: _Port) -> None:
        """Forward the port's tap once it exists, and answer for its gateway once that is known."""
        port = entry.port
        if self._forwarder is None:
            entry.served = True
            return
        entry.busy = True
        try:
            if not entry.forwarded:
                await self._forward(self._forwarder.attach, port.tap, port.network_uuid)
                entry.forwarded = True
            interfaces = await self._ask(self._config.interfaces, port.machine_uuid)
            mine = next((i for i in interfaces if i.uuid == port.interface_uuid), None)
            # It may have been withdrawn while we asked.
            if mine is not None and mine.assignments and self._ports.get(port.interface_uuid) is entry:
                await self._forward(self._forwarder.serve, port.tap, mine.assignments)
                entry.served = True
        except OSError as error:
            logger.debug("port not forwarded yet tap=%s error=%s", port.tap, error)
        finally:
            entry.busy = False

    async def _ask(self, question: Callable[..., Any], *arguments: object) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._config_thread, question, *arguments)

    async def _forward(self, work: Callable[..., Any], *arguments: object) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._forwarder_thread, work, *arguments)

    def _now(self) -> str:
        return time.strftime("%Y-%b-%d %H:%M:%S", time.gmtime(self._clock()))
