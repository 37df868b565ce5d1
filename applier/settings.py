"""Settings of the applier; read from CONTRAIL_KUBE_APPLIER_*."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from schemas.errors import SettingsError
from schemas.store.tables import SHARDS


@dataclass(frozen=True, slots=True)
class ApplierSettings:
    """How fast, how patiently and how much of the store one applier works off."""

    PREFIX: ClassVar[str] = "APPLIER"

    concurrency: int = 8
    """Most calls to the Contrail API at one time; the API is one process, so more only queues there."""
    max_shards: int = SHARDS
    """Most shards that this process takes; lower it where several appliers shall share the work at all times."""
    takeover_interval: float = 2.0
    """Seconds between attempts to take shards that nobody holds: how soon a dead applier's work goes on."""
    lease: float = 15.0
    """Seconds without contact to the store after which its server frees our shards for another applier; we stop to
    write after two thirds of it."""
    poll_interval: float = 30.0
    """Seconds after which the store is asked for work even if nothing woke us: a lost wake-up costs this much."""
    load_limit: int = 1000
    """Most objects loaded from the store at once: bounds memory, not speed."""
    tries: int = 8
    """Attempts at an object that Contrail refuses before it is dead; with the default back-off about half a minute."""
    backoff_first: float = 0.25
    """Seconds before the second attempt at an object; each further one doubles it."""
    backoff_limit: float = 60.0
    """Most seconds between two attempts at an object that fails."""
    blocked_limit: float = 5.0
    """Most seconds between two attempts at an object that waits for something outside of the store, or for the API."""
    record_linger: float = 0.01
    """Seconds that a result waits for others, to share one commit; an address that was read never waits. Ten times as
    long while more objects wait than can run."""
    address_linger: float = 0.01
    """Seconds that a new instance-ip waits for others, to share one call that reads their addresses. Ten times as long
    while more objects wait than can run."""
    cache_seconds: float = 300.0
    """How long owners of links and subnets of networks are remembered; a miss or a 404 asks at once."""
    drain_timeout: float = 20.0
    """Seconds for calls under way to end when the process is told to stop."""

    def __post_init__(self) -> None:
        for name in ("concurrency", "max_shards", "load_limit", "tries"):
            if getattr(self, name) < 1:
                raise SettingsError(f"CONTRAIL_KUBE_APPLIER_{name.upper()}={getattr(self, name)}: at least 1")
        for name in ("takeover_interval", "lease", "poll_interval", "backoff_first", "backoff_limit", "blocked_limit"):
            if getattr(self, name) <= 0:
                raise SettingsError(f"CONTRAIL_KUBE_APPLIER_{name.upper()}={getattr(self, name)}: must be above 0")
        for name in ("record_linger", "address_linger", "cache_seconds", "drain_timeout"):
            if getattr(self, name) < 0:
                raise SettingsError(f"CONTRAIL_KUBE_APPLIER_{name.upper()}={getattr(self, name)}: must not be negative")
