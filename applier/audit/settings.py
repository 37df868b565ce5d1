"""Settings of the audit; read from CONTRAIL_KUBE_APPLIER_AUDIT_*."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from schemas.errors import SettingsError


@dataclass(frozen=True, slots=True)
class AuditSettings:
    """How often Contrail is compared with the store, and what is done about what is found."""

    PREFIX: ClassVar[str] = "APPLIER_AUDIT"

    interval: float = 3600.0
    """Seconds from the begin of one audit to that of the next; 0 switches audits off."""
    start_after: float = 60.0
    """Seconds that an applier leaves the API to its own work before its first audit."""
    sentinel_interval: float = 60.0
    """Seconds between looks at a few objects, which notice a Contrail that was wiped; 0 switches them off."""
    repair: bool = False
    """Put right what differs or is missing; false only reports it."""
    prune: bool = False
    """Delete orphans that all guards let go; false only reports them. Adopt first what a predecessor made."""
    api_share: float = 0.25
    """Most of the time that the audit's calls may take: after each, it leaves the API alone in proportion."""
    page_size: int = 500
    """Objects in one page of a list: bounds memory and the time of one call."""
    refill_rate: float = 200.0
    """Most objects a second that are handed to the applier again: how fast an emptied Contrail is filled."""
    repair_tries: int = 3
    """Repairs of one object within `repair_window`; what changes back more often is reported and left for a while."""
    repair_window: float = 86400.0
    """Seconds for which repairs are counted."""
    observation_distance: float = 1800.0
    """Least seconds between the first and the last of the audits that must see an orphan before it is deleted."""
    deletion_budget: int = 100
    """Most orphans of one audit; where there are more, none is deleted and a person is called."""
    deletion_share: float = 0.1
    """Most orphans of one audit as a share of the objects that the store wants; ten are always allowed."""
    keep_days: float = 30.0
    """Days for which audits and resolved findings are kept."""

    def __post_init__(self) -> None:
        for name in ("interval", "start_after", "sentinel_interval", "observation_distance", "deletion_share"):
            self._require(name, getattr(self, name) >= 0, "must not be negative")
        for name in ("refill_rate", "repair_window", "keep_days"):
            self._require(name, getattr(self, name) > 0, "must be above 0")
        for name in ("page_size", "repair_tries"):
            self._require(name, getattr(self, name) >= 1, "at least 1")
        self._require("deletion_budget", self.deletion_budget >= 0, "must not be negative")
        self._require("api_share", 0 < self.api_share <= 1, "must be above 0 and at most 1")

    def _require(self, name: str, holds: bool, what: str) -> None:
        if not holds:
            raise SettingsError(f"CONTRAIL_KUBE_{self.PREFIX}_{name.upper()}={getattr(self, name)}: {what}")
