"""Nodes on one machine: a network namespace each, joined by a fabric (shell, over `ip`; needs root).

The fabric is a bridge in a namespace of its own, so nothing appears in the machine's own network.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

FABRIC = "fabric0"
"""Name of a node's interface towards the others."""
_MTU = 9000
"""Room for the 50 bytes that VXLAN adds to a pod's full-sized packet."""


@dataclass(frozen=True, slots=True)
class UnderlayNode:
    """A node: path of its network namespace, and its address on the fabric."""

    name: str
    netns: str
    address: str


class Underlay:
    """A fabric and its nodes; `name` prefixes their namespaces and must be unused on the machine."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._nodes: list[UnderlayNode] = []
        self._hub = f"{name}-hub"
        _ip("netns", "add", self._hub)
        try:
            _ip("-n", self._hub, "link", "add", "hub", "type", "bridge", "mcast_snooping", "0")
            _ip("-n", self._hub, "link", "set", "hub", "mtu", str(_MTU), "up")
        except BaseException:
            self.close()
            raise

    def add(self, node: str) -> UnderlayNode:
        """Make a node; raises subprocess.CalledProcessError."""
        number = len(self._nodes) + 1
        space, address = f"{self._name}-{node}", f"172.31.255.{number}"
        _ip("netns", "add", space)
        made = UnderlayNode(node, f"/run/netns/{space}", address)
        self._nodes.append(made)
        port = f"node{number}"
        _ip("-n", space, "link", "set", "lo", "up")
        _ip("-n", space, "link", "add", FABRIC, "mtu", str(_MTU), "type", "veth", "peer", port, "netns", self._hub)
        _ip("-n", self._hub, "link", "set", port, "mtu", str(_MTU), "master", "hub", "up")
        _ip("-n", space, "addr", "add", f"{address}/24", "dev", FABRIC)
        _ip("-n", space, "link", "set", FABRIC, "up")
        return made

    def close(self) -> None:
        """Remove all namespaces, and what is in them."""
        for space in (*(Path(node.netns).name for node in self._nodes), self._hub):
            subprocess.run(["ip", "netns", "del", space], capture_output=True, check=False)
        self._nodes.clear()

    def __enter__(self) -> Underlay:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)
