"""Stand-ins for the kernel, the vrouter agent and the runtime, kept in memory; and a node agent over them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cni.attach import Attacher
from cni.check import Checker
from cni.detach import Detacher
from cni.exhaustion import Exhaustion
from cni.interface import Interface
from cni.locks import NamedLocks
from cni.netlink import Label
from cni.plugging import Plugger
from cni.records import Records
from cni.requests import Attachment, Pod, Request
from cni.settings import AgentSettings
from cni.sweep import Sweeper
from cni.vrouter import PortFiles, PortState
from cni.withdrawals import Withdrawals
from schemas.errors import PlugError
from tests.cni.rows import NODE, UID, MemoryStore, row


@dataclass(slots=True)
class FakeKernel:
    """Taps by name; `broken` is raised by `plug` after it has undone itself, `stuck` by `unplug` once plugged."""

    links: dict[str, tuple[Interface, str, Label]] = field(default_factory=dict)
    broken: Exception | None = None
    stuck: Exception | None = None
    wrong: tuple[str, ...] = ()
    plugged: int = 0

    def plug(self, interface: Interface, netns: str, label: Label) -> str:
        """See Kernel."""
        if self.broken is not None:
            raise self.broken
        if interface.tap in self.links:
            raise PlugError(f"{interface.tap} is already there")
        self.plugged += 1
        self.links[interface.tap] = (interface, netns, label)
        return "fe:00:00:00:00:01"

    def unplug(self, tap: str) -> bool:
        """See Kernel."""
        if self.stuck is not None and tap in self.links:
            raise self.stuck
        return self.links.pop(tap, None) is not None

    def faults(self, interface: Interface, netns: str) -> tuple[str, ...]:
        """See Kernel."""
        if interface.tap not in self.links:
            return (f"{interface.tap} is missing on the node",)
        return self.wrong

    def taps(self) -> dict[str, Label]:
        """See Kernel."""
        return {tap: label for tap, (_, _, label) in self.links.items()}


@dataclass(slots=True)
class FakeVrouter:
    """Announced ports; `away` is raised by every call, `refuses` by `announce`, `slow` answers are not operational.

    `shows` replaces fields of what `ports` answers; `on_announce` is called with each announcement.
    """

    announced: dict[str, dict[str, tuple[Interface, Attachment]]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    away: Exception | None = None
    refuses: Exception | None = None
    slow: int = 0
    shows: dict[str, str] = field(default_factory=dict)
    on_announce: Callable[[], None] | None = None

    def announce(self, interface: Interface, attachment: Attachment, netns: str, *, wait: float) -> None:
        """See PortAgent."""
        self._call(f"announce {interface.tap}")
        if self.on_announce is not None:
            self.on_announce()
        if self.refuses is not None:
            raise self.refuses
        self.announced.setdefault(interface.machine_uuid, {})[interface.interface_uuid] = (interface, attachment)

    def port(self, machine_uuid: str, interface_uuid: str, *, wait: float) -> PortState | None:
        """See PortAgent."""
        self._call("port")
        if self.slow > 0:
            self.slow -= 1
            return None
        found = self.announced.get(machine_uuid, {}).get(interface_uuid)
        if found is None:
            return None
        i = found[0]
        return replace(PortState(i.interface_uuid, i.tap, i.mac, str(i.addresses[0].ip.ip), i.vlan), **self.shows)

    def withdraw(self, machine_uuid: str) -> None:
        """See PortAgent."""
        self._call("withdraw")
        self.announced.pop(machine_uuid, None)

    def check(self) -> None:
        """See PortAgent."""
        self._call("check")

    def _call(self, what: str) -> None:
        self.calls.append(what)
        if self.away is not None:
            raise self.away


class FakeCaller:
    """Time that passes only in pauses; goes away when `gone` is set; `on_pause` is called after each pause."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []
        self.gone: Exception | None = None
        self.on_pause: Callable[[], None] | None = None

    def clock(self) -> float:
        """The time."""
        return self.now

    def pause(self, seconds: float) -> None:
        """See Caller."""
        if self.gone is not None:
            raise self.gone
        self.pauses.append(seconds)
        self.now += seconds
        if self.on_pause is not None and seconds > 0:
            self.on_pause()


class Fixture:
    """A node agent over fakes; `again()` is the same node after the agent was killed and started."""

    def __init__(self, directory: Path, **changes: Any) -> None:
        self.directory = directory
        self.settings = AgentSettings(
            node_name=NODE, state_dir=directory, ports_dir=directory / "ports", deadline=40, **changes
        )
        self.store = MemoryStore(row())
        self.kernel = FakeKernel()
        self.vrouter = FakeVrouter()
        self.caller = FakeCaller()
        self._build()

    def again(self) -> Fixture:
        """Records are read anew from the disk; kernel, vrouter agent and store are as they were."""
        self.records.close()
        self._build()
        return self

    def add(self, **changes: Any) -> dict[str, Any]:
        """ADD of pod shop/web-0, or with changed fields of the request."""
        return self.attacher.attach(add_request(**changes), self.caller)

    def delete(self, **changes: Any) -> None:
        """DEL of the same."""
        self.detacher.detach(replace(add_request(**changes), command="DEL"), 1.0)

    def is_clean(self) -> bool:
        """Whether nothing is left anywhere."""
        files = [p for p in self.directory.rglob("*") if p.is_file() and p.name != "agent.lock"]
        return not self.kernel.links and not self.vrouter.announced and not self.records.all() and not files

    def close(self) -> None:
        """Let go of the lock file."""
        self.records.close()

    def _build(self) -> None:
        self.records = Records(self.directory / "records")
        self.withdrawals = Withdrawals(self.directory / "withdrawals")
        self.port_files = PortFiles(self.directory / "ports")
        self.held = NamedLocks()
        parts: dict[str, Any] = {"kernel": self.kernel, "records": self.records, "held": self.held}
        told: dict[str, Any] = {
            "vrouter": self.vrouter,
            "withdrawals": self.withdrawals,
            "port_files": self.port_files,
        }
        self.exhaustion = Exhaustion("k8s-default-pod-network", clock=self.caller.clock)
        self.detacher = Detacher(**parts, **told)
        self.attacher = Attacher(
            self.settings,
            store=self.store,
            vrouter=self.vrouter,
            plugger=Plugger(kernel=self.kernel, records=self.records, detacher=self.detacher, **told),
            held=self.held,
            exhaustion=self.exhaustion,
            clock=self.caller.clock,
        )
        self.sweeper = Sweeper(**parts, detacher=self.detacher)
        self.checker = Checker(
            store=self.store,
            kernel=self.kernel,
            vrouter=self.vrouter,
            records=self.records,
            exhaustion=self.exhaustion,
        )


def add_request(container: str = "c1", uid: str = UID, name: str = "web-0", **changes: Any) -> Request:
    """An ADD of eth0 of pod shop/<name>."""
    asked = Request(
        command="ADD",
        version="1.1.0",
        network="contrail-k8s-cni",
        timeout=43.0,
        attachment=Attachment(container, "eth0"),
        netns="/run/netns/pod",
        pod=Pod("shop", name, uid),
    )
    return replace(asked, **changes)
