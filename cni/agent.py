"""The node agent, put together: builds its parts, recovers, serves until told to stop (shell)."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable
from dataclasses import dataclass

from prometheus_client import REGISTRY, CollectorRegistry

from cni.addresses import AddressStore
from cni.attach import Attacher
from cni.check import Checker
from cni.commands import Commands
from cni.detach import Detacher
from cni.exhaustion import Exhaustion
from cni.housekeeping import Housekeeper
from cni.locks import NamedLocks
from cni.metrics import CniMetrics
from cni.netlink import Kernel, Netlink
from cni.plugging import Plugger
from cni.records import Records
from cni.server import Server
from cni.settings import AgentSettings
from cni.sweep import Sweeper
from cni.vrouter import ConfiguredPorts, PortAgent, PortFiles, VrouterAgent
from cni.withdrawals import Withdrawals
from schemas.health import Health

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """A built agent: `run` serves in the calling thread."""

    server: Server
    housekeeper: Housekeeper
    sweeper: Sweeper
    records: Records

    def run(self) -> None:
        """Undo what a killed predecessor left unfinished, then serve until `stop`, then end in order."""
        try:
            self.sweeper.recover()
            self.housekeeper.start()
            try:
                self.server.serve()
            finally:
                self.server.close()
                self.housekeeper.close()
        finally:
            self.records.close()

    def stop(self) -> None:
        """Make `run` return; safe in a signal handler."""
        self.server.stop()


def build(
    settings: AgentSettings,
    *,
    store: AddressStore,
    health: Health,
    pod_network: str = "",
    kernel: Kernel | None = None,
    vrouter: PortAgent | None = None,
    registry: CollectorRegistry = REGISTRY,
) -> Agent:
    """Agent of these settings; `pod_network` is the last part of the name of the cluster's (see Exhaustion).

    Raises SettingsError when its directories or its socket cannot be had."""
    kernel = kernel or Netlink(trunk=settings.nested_interface)
    vrouter = vrouter or VrouterAgent(settings.vrouter_host, settings.vrouter_port, timeout=settings.vrouter_timeout)
    if settings.nested_interface:
        vrouter = ConfiguredPorts(vrouter)
    exhaustion = Exhaustion(pod_network)
    metrics, held = CniMetrics(registry), NamedLocks()
    records = Records(settings.state_dir / "records")
    withdrawals = Withdrawals(settings.state_dir / "withdrawals")
    port_files = PortFiles(settings.ports_dir)
    detacher = Detacher(
        kernel=kernel, vrouter=vrouter, records=records, withdrawals=withdrawals, port_files=port_files, held=held
    )
    plugger = Plugger(
        kernel=kernel,
        vrouter=vrouter,
        records=records,
        withdrawals=withdrawals,
        port_files=port_files,
        detacher=detacher,
    )
    attacher = Attacher(settings, store=store, vrouter=vrouter, plugger=plugger, held=held, exhaustion=exhaustion)
    sweeper = Sweeper(kernel=kernel, records=records, held=held, detacher=detacher)
    checker = Checker(store=store, kernel=kernel, vrouter=vrouter, records=records, exhaustion=exhaustion)
    commands = Commands(attacher=attacher, detacher=detacher, checker=checker, sweeper=sweeper, metrics=metrics)
    housekeeper = Housekeeper(
        store=store,
        vrouter=vrouter,
        records=records,
        withdrawals=withdrawals,
        held=held,
        health=health,
        metrics=metrics,
    )
    server = Server(settings.socket, commands=commands, max_requests=settings.max_requests, health=health)
    return Agent(server=server, housekeeper=housekeeper, sweeper=sweeper, records=records)


def stop_on_signals(stop: Callable[[], None]) -> None:
    """Call `stop` on SIGTERM and SIGINT."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop())
