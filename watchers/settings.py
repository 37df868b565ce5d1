"""Settings of the watchers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from schemas.errors import SettingsError


@dataclass(frozen=True, slots=True)
class WatchersSettings:
    """How the Kubernetes API is reached and watched."""

    PREFIX: ClassVar[str] = "WATCHERS"

    kubeconfig: str = ""
    """Path; empty means the service account in a pod, else $KUBECONFIG or ~/.kube/config."""
    context: str = ""
    """Context of the kubeconfig; empty means its current one."""
    epoch_file: str = ""
    """Keep snapshot epochs in this file, not in a Lease: for a single watcher, as without a Lease nobody is elected."""
    lease_namespace: str = "kube-system"
    """Namespace of the Lease; the default exists in every cluster."""
    lease_name: str = "contrail-kube-watchers"
    """Name of the Lease that says who leads and holds the epochs; two clusters never share one, it is in theirs."""
    lease_seconds: float = 15.0
    """How long a leader that falls silent is waited for: what a stand-in takes to take over, and a fifth more."""
    resync_seconds: float = 3600.0
    """Time between snapshots, give or take a tenth; the bus must keep records for at least twice as long."""
    page_size: int = 500
    """Objects per page of a list: what client-go asks for."""
    streamed_lists: bool = True
    """Ask for lists as streams, which cost the API server less (WatchList); pages are read where it has none."""
    connect_timeout: float = 5.0
    """Seconds to wait for a connection."""
    read_timeout: float = 60.0
    """Seconds of silence after which a watch is taken for dead; at most 60."""
    room: int = 10_000
    """Events that may wait for the bus, about 2 kB each, before the watches are held up."""
    guard_share: float = 0.5
    """A listing that lacks more than this share of the objects known before is not believed."""
    guard_floor: int = 20
    """With fewer objects known than this, a listing may shrink to nothing."""
    identity: str = ""
    """Name of this watcher in what it publishes; empty means host name and process id."""

    def __post_init__(self) -> None:
        for name, least, most in (
            ("resync_seconds", 1.0, 7 * 86400.0),
            ("lease_seconds", 1.0, 600.0),
            ("page_size", 1, 10_000),
            ("connect_timeout", 0.1, 60.0),
            ("read_timeout", 2.0, 60.0),
            ("room", 100, 10_000_000),
            ("guard_share", 0.0, 1.0),
            ("guard_floor", 1, 1_000_000_000),
        ):
            value = getattr(self, name)
            if not least <= value <= most:
                raise SettingsError(f"{_variable(name)}={value}: accepted are {least} to {most}")


def _variable(name: str) -> str:
    return f"CONTRAIL_KUBE_{WatchersSettings.PREFIX}_{name.upper()}"
