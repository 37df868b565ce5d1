"""Settings of the node agent (CONTRAIL_KUBE_CNI_…); read once in `__main__`, passed down."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from schemas.errors import SettingsError

EVERY = "every"
NAMED = "named"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """One agent serves one node."""

    PREFIX: ClassVar[str] = "CNI"

    node_name: str
    """Name of this node in Kubernetes (spec.nodeName of its pods): pods of other nodes are refused."""
    socket: Path = Path("/run/contrail-kube/cni.sock")
    """Unix socket that the plugin asks; the plugin's configuration names it as `agent-socket`."""
    state_dir: Path = Path("/var/lib/contrail-kube/cni")
    """Records of attached interfaces and withdrawals still to be made; must survive a restart of the node."""
    ports_dir: Path = Path("/var/lib/contrail/ports/vm")
    """Where the vrouter agent keeps a file per port and reads them at its start; we remove what it leaves."""
    vrouter_host: str = "127.0.0.1"
    """Address of the vrouter agent."""
    vrouter_port: int = 9091
    """Port of the vrouter agent; fixed in a real one."""
    vrouter_timeout: float = 3.0
    """Seconds for one call to the vrouter agent, which sits on the same node."""
    deadline: float = 40.0
    """Seconds after which an ADD gives up with 'try again later'; below the plugin's own 43."""
    first_pause: float = 0.01
    """Shortest pause in seconds between two looks at what an ADD waits for."""
    longest_pause: float = 1.0
    """Longest such pause: a pause is a tenth of the time waited, so a wait costs at most a tenth more."""
    interfaces: str = EVERY
    """What an ADD of eth0 plugs: every interface that the pod has in the store, or the named one alone. Every suits a
    node with Multus too, whose later calls find their interfaces plugged."""
    nested_interface: str = ""
    """Interface of this virtual machine that carries its pods as VLAN sub-interfaces (nested mode); empty: none."""
    mtu: int = 1500
    """MTU of a pod's interface where the network configuration names none."""
    max_requests: int = 256
    """Requests served at once; more are told to try again. A node has at most a few hundred pods."""

    def __post_init__(self) -> None:
        if not self.node_name:
            raise SettingsError("CONTRAIL_KUBE_CNI_NODE_NAME is empty: give the node's name in Kubernetes")
        if not 576 <= self.mtu <= 65535:
            raise SettingsError(f"CONTRAIL_KUBE_CNI_MTU={self.mtu}: from 576 to 65535")
        if self.interfaces not in (EVERY, NAMED):
            raise SettingsError(f"CONTRAIL_KUBE_CNI_INTERFACES={self.interfaces!r}: accepted are {EVERY}, {NAMED}")
        if len(self.nested_interface) > 15:
            raise SettingsError(f"CONTRAIL_KUBE_CNI_NESTED_INTERFACE={self.nested_interface!r}: at most 15 characters")
        for name in ("vrouter_timeout", "deadline", "first_pause", "longest_pause", "max_requests"):
            if getattr(self, name) <= 0:
                raise SettingsError(f"CONTRAIL_KUBE_CNI_{name.upper()}={getattr(self, name)}: must be above 0")
        if self.deadline > 43:
            raise SettingsError(f"CONTRAIL_KUBE_CNI_DEADLINE={self.deadline}: at most 43, the plugin waits no longer")
