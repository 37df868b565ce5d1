"""What an audit came to, and what of it a person must know (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field

from applier.audit.ledger import Counts
from applier.audit.settings import AuditSettings
from schemas.settings import ENV_PREFIX

WIPED_SHARE = 0.1
WIPED_LEAST = 10
"""A Contrail that lacks this share, and this many, of what it had looks wiped."""
_VARIABLE = f"{ENV_PREFIX}{AuditSettings.PREFIX}"


@dataclass(slots=True)
class Report:
    """One complete audit; `wanted` are the objects and links of the store, `listed` those read from Contrail."""

    run: int
    wanted: int
    listed: int
    calls: int
    counts: Counts
    seconds: float = 0.0
    repaired: int = 0
    refill_seconds: float = 0.0
    restless: tuple[str, ...] = ()
    pruned: int = 0
    kept: int = 0
    over: int = 0
    limit: int = 0
    troubles: list[str] = field(default_factory=list)
    """What kept the audit from doing all that it was told to do."""

    @property
    def looks_wiped(self) -> bool:
        """Whether Contrail lacks so much that it was wiped, or restored from a backup."""
        return self.counts.missing >= max(WIPED_LEAST, WIPED_SHARE * self.wanted)

    @property
    def left(self) -> int:
        """Findings that nothing was done about, those of others' objects aside."""
        return self.counts.drift + self.counts.orphans - self.repaired - self.pruned

    def __str__(self) -> str:
        """Counts for one line of the log."""
        counts = self.counts
        return (
            f"listed={self.listed} wanted={self.wanted} changed={counts.changed} missing={counts.missing} "
            f"orphans={counts.orphans} foreign={counts.strangers} repaired={self.repaired} pruned={self.pruned} "
            f"calls={self.calls} seconds={self.seconds:.1f}"
        )


def alarms(report: Report, settings: AuditSettings, *, repair: bool) -> list[str]:
    """What a person must know, each with what to do."""
    found = list(report.troubles)
    if report.looks_wiped:
        found.append(_wiped(report, settings, repair=repair))
    if report.over:
        found.append(
            f"{report.over} orphans may go, more than the budget of {report.limit}: none was deleted. If the view "
            f"`drift` shows nothing that is still needed, `python -m applier audit --prune --budget {report.over}` "
            "deletes them"
        )
    if report.restless:
        found.append(
            f"{len(report.restless)} objects keep changing back, {report.restless[0]} among them: left alone for up "
            f"to {settings.repair_window / 3600:g} h; does somebody else write them, or Contrail not do what it says?"
        )
    return found


def _wiped(report: Report, settings: AuditSettings, *, repair: bool) -> str:
    said = f"Contrail lacks {report.counts.missing} of {report.wanted} objects, as one that was wiped or restored would"
    if repair:
        return f"{said}: filled again with {settings.refill_rate:g} objects/s, in {report.refill_seconds:.0f} s"
    return f"{said}; repair is off: set {_VARIABLE}_REPAIR=true, or run `python -m applier audit --repair`"
