"""One audit from begin to end (shell): list, conclude, repair, prune.

Only a complete survey concludes. What follows is harmless to break off: repairs are rows that are due, and a delete
that was not noted is seen by the next audit.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine

from applier.audit import ledger, metrics, scratch
from applier.audit.calls import Calls, Stopped
from applier.audit.prune import Pruner
from applier.audit.repair import Pace, repair
from applier.audit.report import Report
from applier.audit.session import Session, open_session
from applier.audit.settings import AuditSettings
from applier.audit.survey import NEVER_OURS, Survey
from applier.client import ContrailClient
from applier.progress import SILENT, Progress
from applier.writer import OwnerMark
from schemas.contrail.types import TYPES
from schemas.errors import ContrailUnavailable, StoreUnavailable

logger = logging.getLogger(__name__)

AUDITED = tuple(sorted(TYPES.keys() - NEVER_OURS))
"""Types of which some translation may make objects."""


@dataclass(frozen=True, slots=True)
class Orders:
    """What an audit may do beside reporting; `limit` takes the place of the deletion budget if it is given."""

    repair: bool = False
    prune: bool = False
    limit: int | None = None


class Auditor:
    """Audits one cluster's objects. `is_held` tells whether the applier's own calls are held back now."""

    def __init__(
        self,
        engine: Engine,
        client: ContrailClient,
        *,
        mark: OwnerMark,
        settings: AuditSettings,
        stop: threading.Event,
        is_held: Callable[[], bool] = lambda: False,
    ) -> None:
        self._engine = engine
        self._client = client
        self._mark = mark
        self._settings = settings
        self._stop = stop
        self._is_held = is_held

    def audit(self, orders: Orders, *, progress: Progress = SILENT) -> Report | None:
        """One audit; None if another one of the cluster runs.

        Raises ContrailUnavailable or StoreUnavailable if it could not be completed, and calls.Stopped.
        """
        with open_session(self._engine, cluster=self._mark.cluster) as session:
            return None if session is None else self._audit(session, orders, progress)

    def _audit(self, session: Session, orders: Orders, progress: Progress) -> Report:
        clock = time.monotonic()
        cluster = self._mark.cluster
        began = session.run("read the time", scratch.now)
        run = session.run("note that an audit begins", ledger.begin, cluster, began)
        calls = Calls(self._client, share=self._settings.api_share, stop=self._stop, is_held=self._is_held)
        size = self._settings.page_size
        survey = Survey(session, calls, mark=self._mark, page_size=size, progress=progress, began=began)
        try:
            survey.run(AUDITED)
        except (ContrailUnavailable, StoreUnavailable, Stopped) as error:
            metrics.AUDITS.labels("failed").inc()
            session.run("note that an audit failed", ledger.failed, run, listed=survey.listed, note=str(error))
            raise
        days = self._settings.keep_days
        counts = session.run("conclude an audit", ledger.conclude, run, cluster, began, survey.listed, days)
        wanted = sum(session.run("count objects", scratch.wanted_types, cluster).values())
        report = Report(run, wanted, survey.listed, calls.made, counts)
        if orders.repair and counts.drift:
            self._repair(session, run, began, report)
        if counts.orphans:
            self._prune(session, calls, orders, report)
        report.calls, report.seconds = calls.made, time.monotonic() - clock
        session.run("note what an audit came to", ledger.note, run, "; ".join(report.troubles))
        metrics.note(report)
        logger.info("audit %s", report)
        return report

    def _repair(self, session: Session, run: int, began: datetime, report: Report) -> None:
        pace = Pace(self._settings.refill_rate, self._settings.repair_tries, self._settings.repair_window)
        done = repair(session, run=run, cluster=self._mark.cluster, began=began, pace=pace)
        report.repaired, report.refill_seconds, report.restless = done.rows, done.seconds, done.restless

    def _prune(self, session: Session, calls: Calls, orders: Orders, report: Report) -> None:
        orphans = session.run("read orphans", ledger.orphans, report.run, self._mark.cluster)
        pruner = Pruner(session, calls, mark=self._mark, settings=self._settings, run=report.run, limit=orders.limit)
        try:
            pruner.prune(orphans, switched_on=orders.prune)
        except ContrailUnavailable as error:
            report.troubles.append(str(error))
        found = pruner.result
        report.pruned, report.kept = len(found.deleted), len(found.kept)
        report.over, report.limit = found.over, found.limit
