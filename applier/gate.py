"""Lets calls to the Contrail API through at the pace that it bears, and says when it bears none (shell).

What changes is logged once and told to the health endpoint; in between, silence.
"""

from __future__ import annotations

import logging
import random
import time
from dataclasses import replace

from applier import metrics
from applier.outcome import Outcome, Verdict
from applier.pace import Pace
from schemas.health import Health

logger = logging.getLogger(__name__)

PART = "contrail"
"""Name of the API in the health endpoint."""

DOUBT_SECONDS = 1.0
"""Probes because of objects that fail are not made more often than this."""
_HOLDING = frozenset({Verdict.BUSY, Verdict.SILENT, Verdict.DENIED})
"""Verdicts for which calls are held back."""
_ADVICE = {
    Verdict.BUSY: "it is asked less until it is well; see its log if this goes on",
    Verdict.DENIED: "nothing is written until it lets us: check CONTRAIL_KUBE_CONTRAIL_AUTH, user, project and role",
    Verdict.RETRY: "is this the address of a Contrail config API (CONTRAIL_KUBE_CONTRAIL_URLS)? If so, see its log",
}
"""What a person can do."""


class Gate:
    """Pace of the calls to the API at `url`, fed with the outcome of every call; used by one thread.

    While what answers does not do so as a Contrail API, no object is worth a try: each would fail, until all are
    given up. A probe tells, at the start and when an object meets such an answer.
    """

    def __init__(self, ceiling: int, *, url: str, health: Health) -> None:
        self._pace = Pace(ceiling)
        self._health = health
        self._limit = 0
        self._url = url
        self._proven = False
        self._proven_at = float("-inf")
        self._may_not_read = False
        self._told: Verdict | None = None
        self._open: bool | None = None
        health.not_ready(PART, "has not answered yet")

    @property
    def limit(self) -> int:
        """Objects that may be under way."""
        return self._pace.limit

    @property
    def opens_at(self) -> float:
        """Monotonic time at which calls may go on."""
        return self._pace.paused_until

    @property
    def wants_probe(self) -> bool:
        """Whether only a probe is worth a call."""
        return not self._proven

    @property
    def is_waiting(self) -> bool:
        """Whether a probe shall find out that the API is back, if there is nothing else to try.

        After a refusal it would not, unless it was refused itself: who may not write may well be let read.
        """
        return self._open is False and (self._told is not Verdict.DENIED or self._may_not_read)

    def is_shut(self, now: float) -> bool:
        """Whether no call may begin now."""
        return self._pace.is_paused(now)

    def note_probe(self, outcome: Outcome, *, began: float) -> None:
        """Learn from a probe: what no Contrail says counts as silence."""
        if outcome.elsewhere:
            return  # the next probe goes there
        self._may_not_read = outcome.verdict is Verdict.DENIED
        self._proven = outcome.verdict in (Verdict.DONE, Verdict.GONE) or outcome.verdict in _HOLDING
        if self._proven:
            self._proven_at = time.monotonic()
        else:
            outcome = Outcome(Verdict.SILENT, f"Contrail API {self._url}: {outcome.reason}; {_ADVICE[Verdict.RETRY]}")
        self.note(outcome, began=began)
        self._proven = self._proven or not self._pace.reason  # others got an answer meanwhile

    def note(self, outcome: Outcome, *, began: float) -> None:
        """Learn from a call that began at `began`."""
        if outcome.verdict is Verdict.LATE:
            return  # nothing was asked
        if outcome.elsewhere:
            return  # the next calls go to another endpoint, at the pace that was found
        now = time.monotonic()
        if outcome.verdict in (Verdict.BUSY, Verdict.DENIED):
            reason = f"Contrail API {self._url}: {outcome.reason}; {_ADVICE[outcome.verdict]}"
            outcome = replace(outcome, reason=reason)
        if outcome.verdict is Verdict.BUSY:
            self._pace.overloaded(
                now, began=began, jitter=random.random(), retry_after=outcome.retry_after, reason=outcome.reason
            )
        elif outcome.verdict in (Verdict.SILENT, Verdict.DENIED):
            self._pace.unanswered(now, began=began, jitter=random.random(), reason=outcome.reason)
        elif outcome.verdict is Verdict.RETRY and (self._pace.reason or now - self._proven_at > DOUBT_SECONDS):
            self._proven = False
        else:
            self._pace.succeeded(now)
        if self._pace.limit != self._limit:
            self._limit = self._pace.limit
            metrics.LIMIT.set(self._limit)
        self._tell(outcome)

    def _tell(self, outcome: Outcome) -> None:
        reason = self._pace.reason
        if reason and outcome.verdict in _HOLDING and outcome.verdict is not self._told:
            self._told = outcome.verdict
            level = logging.ERROR if outcome.verdict is Verdict.DENIED else logging.WARNING
            logger.log(level, "holding calls to Contrail back, trying now and then: %s", reason)
        if reason:
            self._health.not_ready(PART, reason)
        elif not reason and not self._open:
            if self._open is False:
                logger.info("Contrail answers again")
            self._health.ready(PART)
            self._told = None
        self._open = not reason
