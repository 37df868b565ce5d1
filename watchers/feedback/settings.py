"""Settings of the feedback."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from schemas.errors import SettingsError

ALL, ATTACHED, NONE = "all", "attached", "none"


@dataclass(frozen=True, slots=True)
class FeedbackSettings:
    """How the users of Kubernetes are told what became of what they asked for."""

    PREFIX: ClassVar[str] = "FEEDBACK"

    kubeconfig: str = ""
    """Path; empty means the service account in a pod, else $KUBECONFIG or ~/.kube/config."""
    context: str = ""
    """Context of the kubeconfig; empty means its current one."""
    lease_namespace: str = "kube-system"
    """Namespace of the Lease that says who of several writes."""
    lease_name: str = "contrail-kube-feedback"
    """Name of the Lease; the manifest of its rights names it too."""
    lease_seconds: float = 15.0
    """How long one that falls silent is waited for: what another takes to take over, and a fifth more."""
    connect_timeout: float = 5.0
    """Seconds to wait for a connection to the API server."""
    read_timeout: float = 10.0
    """Seconds to wait for an answer of the API server."""
    interval: float = 2.0
    """Seconds between two looks into the store."""
    resync_seconds: float = 300.0
    """Seconds between two looks at every pod; what changes is looked at in between."""
    writes_per_second: float = 50.0
    """Writes into pods, services and ingresses, at most."""
    network_status: str = ALL
    """Whose network-status is written: all pods of ours, only those with attached networks, or none."""
    events_per_second: float = 5.0
    """Events, at most, with ten times as many at once after a while of silence."""
    most_problems: int = 2000
    """Problems that are told at one time; beyond, those of the first resources by name are."""
    settle_seconds: float = 5.0
    """How long a problem, or its end, lasts before it is told; one that only waits for others six times as long."""
    repeat_seconds: float = 1800.0
    """Seconds after which a problem that lasts is told again; the API server forgets Events after an hour."""
    migration_wait: float = 60.0
    """Seconds to wait at start for somebody to migrate the store."""
    identity: str = ""
    """Name of this process in Events and in the Lease; empty means host name and process id."""

    def __post_init__(self) -> None:
        for name, least, most in (
            ("lease_seconds", 1.0, 600.0),
            ("connect_timeout", 0.1, 60.0),
            ("read_timeout", 0.1, 60.0),
            ("interval", 0.05, 60.0),
            ("resync_seconds", 1.0, 86_400.0),
            ("writes_per_second", 1.0, 10_000.0),
            ("events_per_second", 0.1, 1000.0),
            ("most_problems", 1, 100_000),
            ("settle_seconds", 0.0, 3600.0),
            ("repeat_seconds", 1.0, 86_400.0),
            ("migration_wait", 0.0, 3600.0),
        ):
            value = getattr(self, name)
            if not least <= value <= most:
                raise SettingsError(f"{_variable(name)}={value}: accepted are {least} to {most}")
        if self.network_status not in (ALL, ATTACHED, NONE):
            accepted = f"accepted are {ALL}, {ATTACHED} and {NONE}"
            raise SettingsError(f"{_variable('network_status')}={self.network_status!r}: {accepted}")


def _variable(name: str) -> str:
    return f"CONTRAIL_KUBE_{FeedbackSettings.PREFIX}_{name.upper()}"
