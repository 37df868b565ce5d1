"""`python -m tests.cni.agent_process ROWS [CRASH]`: the node agent over a file of rows, killing itself where told.

CRASH is `<call>:before` or `<call>:after`, with the names of calls that ADD makes (`plug`, `announce`, `port`,
`begin`, `put`, and `make` of a sub-interface): SIGKILL at that moment, as a node that loses power there. VLAN_DRIVER
names the socket of a driver of sub-interfaces (tests/rigs/vlans.py), where the kernel has none.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from cni import records
from cni.agent import build, stop_on_signals
from cni.netlink import Netlink
from cni.settings import AgentSettings
from cni.vlans import KernelVlans
from cni.vrouter import VrouterAgent
from schemas.health import Health
from schemas.logs import configure
from schemas.settings import from_env
from tests.cni.rows import FileStore
from tests.rigs.vlans import UserSpaceVlans


class Dying:
    """Another object whose method kills the process before or after it has run."""

    def __init__(self, inner: Any, point: str) -> None:
        self._inner = inner
        self._name, _, self._when = point.partition(":")

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)
        return self._wrapped(method) if name == self._name else method

    def _wrapped(self, method: Any) -> Any:
        def run(*arguments: Any, **keywords: Any) -> Any:
            if self._when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            method(*arguments, **keywords)
            os.kill(os.getpid(), signal.SIGKILL)

        return run


def main(rows: str, crash: str = "") -> None:
    """Serve until SIGTERM, or until the crash point."""
    configure("cni", level="DEBUG", log_format="text")
    settings = from_env(AgentSettings, os.environ)
    vrouter = VrouterAgent(settings.vrouter_host, settings.vrouter_port, timeout=settings.vrouter_timeout)
    if crash.partition(":")[0] in ("begin", "put"):
        _patch_records(crash)
    vlans = UserSpaceVlans(os.environ["VLAN_DRIVER"]) if "VLAN_DRIVER" in os.environ else KernelVlans()
    agent = build(
        settings,
        store=FileStore(Path(rows)),
        health=Health(),
        kernel=Dying(Netlink(trunk=settings.nested_interface, vlans=Dying(vlans, crash)), crash),
        vrouter=Dying(vrouter, crash),
        registry=CollectorRegistry(),
    )
    stop_on_signals(agent.stop)
    agent.run()


def _patch_records(crash: str) -> None:
    """Records are made inside `build`: put the dying class in their place."""
    name, _, when = crash.partition(":")
    method = getattr(records.Records, name)

    def run(*arguments: Any, **keywords: Any) -> Any:
        if when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        method(*arguments, **keywords)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(records.Records, name, run)


if __name__ == "__main__":
    main(*sys.argv[1:])
