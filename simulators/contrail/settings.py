"""Settings of the simulated config API as a process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from schemas.errors import SettingsError

_VARIABLE = "CONTRAIL_KUBE_SIMULATOR_NODES"


@dataclass(frozen=True, slots=True)
class SimulatorSettings:
    """Read from CONTRAIL_KUBE_SIMULATOR_…; options on the command line count more."""

    PREFIX: ClassVar[str] = "SIMULATOR"

    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 in a container."""
    port: int = 8082
    """Port to listen on, the real API's by default; 0 picks a free one."""
    latency: float = 0.0
    """Seconds before each answer."""
    nodes: tuple[str, ...] = ()
    """Virtual-routers that exist from the start, as name=address."""
    verbose: bool = False
    """Log every request."""

    def __post_init__(self) -> None:
        self.routers()

    def routers(self) -> Mapping[str, str]:
        """Names of the nodes with their addresses."""
        found = {}
        for node in self.nodes:
            name, _, address = node.partition("=")
            if not name or not address:
                raise SettingsError(f"{_VARIABLE}: {node!r} is not name=address")
            found[name] = address
        return found
