"""The vrouter agent of this node: its port REST API, and the files that it leaves behind (shell).

One short connection per call, each with a time limit. The agent writes a file per announced port and reads them
all when it starts, but removes the directory of the wrong name when a machine is withdrawn: the file of a port
that is gone would bring the port back, so `PortFiles` removes it.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from cni.interface import Interface
from cni.requests import Attachment
from schemas.errors import AgentRefused, AgentUnavailable

logger = logging.getLogger(__name__)

Json = Any
_LARGEST = 1 << 20
_AT_ONCE = 4
"""Calls under way at once: the agent serves them one by one, and a call's time shall not be spent in its queue."""


_NO_TAG = 65535


@dataclass(frozen=True, slots=True)
class PortState:
    """An operational port as the agent tells it; `address` is None where it has no IPv4 one, `vlan` without a tag."""

    interface_uuid: str
    tap: str
    mac: str
    address: str | None
    vlan: int | None = None

    def __str__(self) -> str:
        return f"{self.tap if self.vlan is None else f'VLAN {self.vlan}'} with MAC {self.mac}"

    def serves(self, interface: Interface) -> bool:
        """Whether it is the port of this interface. A sub-interface has a tag, and no tap that we know of."""
        if interface.vlan is None and self.tap != interface.tap:
            return False
        return self.mac == interface.mac and self.vlan == interface.vlan


class PortAgent(Protocol):
    """What ADD, DEL, CHECK and STATUS need of the vrouter agent; each call may raise AgentUnavailable.

    `wait` is how many seconds a call may wait for its turn.
    """

    def announce(self, interface: Interface, attachment: Attachment, netns: str, *, wait: float) -> None:
        """Tell of a port; raises AgentRefused when the agent does not take it."""

    def port(self, machine_uuid: str, interface_uuid: str, *, wait: float) -> PortState | None:
        """The port of one interface; None while it is unknown or not operational."""

    def withdraw(self, machine_uuid: str) -> None:
        """Forget all ports of the machine; no error when it has none."""

    def check(self) -> None:
        """Raise unless the agent answers."""


def port_message(interface: Interface, attachment: Attachment, netns: str) -> dict[str, str]:
    """Body of POST /vm."""
    return {
        "vm-id": attachment.container,
        "vm-uuid": interface.machine_uuid,
        "vm-name": interface.machine_name,
        "host-ifname": interface.tap,
        "vm-ifname": interface.ifname,
        "vm-namespace": netns,
        "vn-uuid": interface.network_uuid,
        "vmi-uuid": interface.interface_uuid,
    }


class VrouterAgent:
    """The agent at an address; thread-safe. A call takes at most `timeout` seconds from its turn on."""

    def __init__(self, host: str, port: int, *, timeout: float) -> None:
        self._host = host
        self._port = port
        self._timeout = timeout
        self._turns = threading.BoundedSemaphore(_AT_ONCE)

    def announce(self, interface: Interface, attachment: Attachment, netns: str, *, wait: float) -> None:
        """POST /vm."""
        status, text = self._call("POST", "/vm", port_message(interface, attachment, netns), wait=wait)
        if status != 200:
            raise self._refused(f"port {interface.interface_uuid} ({interface.tap})", status, text)

    def port(self, machine_uuid: str, interface_uuid: str, *, wait: float) -> PortState | None:
        """GET /vm/<machine>/<interface>: the machine's other interfaces may be announced later, or never."""
        status, text = self._call("GET", f"/vm/{machine_uuid}/{interface_uuid}", wait=wait)
        if status == 404:
            return None
        if status != 200:
            raise self._refused(f"a question for machine {machine_uuid}", status, text)
        try:
            found = [_port(element) for element in json.loads(text)]
            return next((port for port in found if port.interface_uuid == interface_uuid), None)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise AgentRefused(f"vrouter agent at {self._place}: GET /vm answered what we cannot read") from error

    def withdraw(self, machine_uuid: str) -> None:
        """DELETE /vm/<machine>."""
        status, text = self._call("DELETE", f"/vm/{machine_uuid}")
        if status not in (200, 404):
            raise self._refused(f"the withdrawal of machine {machine_uuid}", status, text)

    def check(self) -> None:
        """Ask for the configuration of a machine that cannot exist: 404 is the answer of a healthy agent."""
        status, text = self._call("GET", "/vm-cfg/-")
        if status not in (200, 404):
            raise self._refused("a question", status, text)

    @property
    def _place(self) -> str:
        return f"{self._host}:{self._port}"

    def _call(self, method: str, path: str, body: Json = None, *, wait: float | None = None) -> tuple[int, str]:
        if not self._turns.acquire(timeout=2 * self._timeout if wait is None else wait):
            raise AgentUnavailable(
                f"vrouter agent at {self._place}: it does not keep up with {method} {path} and others"
            )
        try:
            return self._exchange(method, path, body)
        finally:
            self._turns.release()

    def _exchange(self, method: str, path: str, body: Json) -> tuple[int, str]:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, path, content, {"Content-Type": "application/json", "Connection": "close"})
            response = connection.getresponse()
            return response.status, response.read(_LARGEST).decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise AgentUnavailable(f"vrouter agent at {self._place}: {method} {path}: {reason}") from error
        finally:
            connection.close()

    def _refused(self, what: str, status: int, text: str) -> AgentRefused:
        try:
            said = str(json.loads(text)["error"])
        except (ValueError, TypeError, KeyError):
            said = text
        return AgentRefused(f"vrouter agent at {self._place} refused {what}: {status} {said[:200].strip(' {}')}")


def _port(element: Json) -> PortState:
    return PortState(
        interface_uuid=str(element["id"]),
        tap=str(element["system-name"]),
        mac=str(element["mac-address"]).lower(),
        address=element.get("ip-address"),
        vlan=None if element.get("rx-vlan-id", _NO_TAG) in (0, _NO_TAG) else int(element["rx-vlan-id"]),
    )


class ConfiguredPorts:
    """The agent of the host that a virtual machine runs on, as its nested pods see it; thread-safe.

    Sub-interfaces come and go with the configuration alone: nothing is announced, and nothing withdrawn.
    """

    def __init__(self, agent: PortAgent) -> None:
        self._agent = agent

    def announce(self, interface: Interface, attachment: Attachment, netns: str, *, wait: float) -> None:
        """Nothing to be told."""

    def port(self, machine_uuid: str, interface_uuid: str, *, wait: float) -> PortState | None:
        """As of any agent."""
        return self._agent.port(machine_uuid, interface_uuid, wait=wait)

    def withdraw(self, machine_uuid: str) -> None:
        """Nothing to be told."""

    def check(self) -> None:
        """As of any agent."""
        self._agent.check()


class PortFiles:
    """The files that the agent keeps: <directory>/<machine name>/<interface uuid>."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def remove(self, machine_name: str, interface_uuid: str) -> None:
        """Remove the file of one port, and the machine's directory when it was the last; no error if absent."""
        folder = self._directory / machine_name
        try:
            (folder / interface_uuid).unlink(missing_ok=True)
        except OSError as error:
            # A port without its tap does no harm; a pod that cannot be deleted would.
            logger.warning("file of a port cannot be removed path=%s error=%s", folder / interface_uuid, error)
        with contextlib.suppress(OSError):
            folder.rmdir()
