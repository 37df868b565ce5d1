"""What a stretch of work came to, for one line in the log (pure, but it changes)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from applier.rows import Result, Status


class Tally:
    """Counts of results since the last report."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._since = 0.0

    def add(self, results: Iterable[Result], *, stale: int, now: float) -> None:
        """Count what was recorded."""
        if not self._counts:
            self._since = now
        for result in results:
            deleted = result.status is Status.APPLIED and result.row.absent
            self._counts["deleted" if deleted else str(result.status)] += 1
        if stale:
            self._counts["stale"] += stale

    def report(self, *, idle: bool, now: float) -> str:
        """`applied=12 deleted=3 seconds=0.4` once work pauses, and every ten seconds while it goes on; else ''."""
        if not self._counts or not (idle or now - self._since >= 10.0):
            return ""
        counts = " ".join(f"{name}={count}" for name, count in sorted(self._counts.items()))
        self._counts.clear()
        return f"{counts} seconds={now - self._since:.1f}"
