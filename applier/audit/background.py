"""Audits now and then while the applier works (shell): a thread of its own, which nothing waits for.

When the next audit is due stands in the store: appliers of one cluster share it, and a restart does not bring it
forward. In between, and whenever the API is back after an outage, a look at a few objects tells whether Contrail was
wiped. An audit that fails is tried again later and later; it never makes the applier unready.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable

from sqlalchemy import Engine

from applier.audit import ledger
from applier.audit.auditor import Auditor, Orders
from applier.audit.calls import Calls, Stopped
from applier.audit.report import Report, alarms
from applier.audit.sentinel import Sentinel
from applier.audit.settings import AuditSettings
from applier.backoff import delay
from applier.client import ContrailClient
from applier.gate import PART as CONTRAIL
from applier.writer import OwnerMark
from schemas.errors import ContrailUnavailable, StoreUnavailable
from schemas.health import Health
from schemas.store.engine import store_errors

logger = logging.getLogger(__name__)

PART = "audit"
"""Name of the audit in the health endpoint."""
STEP = 1.0
"""Seconds between looks at whether something is due."""
_FIRST_WAIT = 5.0
"""Seconds after the first failure; each further one doubles it. A whole listing is too much for that pace."""


class AuditLoop:
    """The audits of one applier; `start` once, `close` from any thread."""

    def __init__(
        self,
        engine: Engine,
        client: ContrailClient,
        *,
        mark: OwnerMark,
        settings: AuditSettings,
        health: Health,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._cluster = mark.cluster
        self._settings = settings
        self._health = health
        self._clock = clock
        self._stop = threading.Event()
        self._auditor = Auditor(engine, client, mark=mark, settings=settings, stop=self._stop, is_held=self.is_held)
        self._sentinel = Sentinel(engine, cluster=mark.cluster)
        self._calls = Calls(client, share=settings.api_share, stop=self._stop, is_held=self.is_held)
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
        self._next_look = self._begins_at = clock() + settings.start_after
        self._was_held = False
        self._failures = 0
        self._alarms_in_a_row = 0
        self._not_before = float("-inf")
        """When a look may next start an audit: one that sees the same again and again is not believed for ever."""
        self._audits_failed = 0
        self._no_audit_before = float("-inf")

    def start(self) -> None:
        """Begin to watch, unless audits are switched off."""
        if self._settings.interval:
            self._thread.start()

    def stop(self) -> None:
        """Begin to end; an audit under way ends without a conclusion. May be called from any thread."""
        self._stop.set()

    def close(self, timeout: float = 5.0) -> None:
        """End."""
        self.stop()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def is_held(self) -> bool:
        """Whether the applier's own calls are held back."""
        return CONTRAIL in self._health.why_not_ready()

    def _run(self) -> None:
        while not self._stop.wait(STEP):
            try:
                self.step()
                self._failures = 0
            except Stopped:
                return
            except (ContrailUnavailable, StoreUnavailable) as error:
                self._put_off(str(error))
            except Exception as error:
                if self._stop.is_set():
                    return  # the connections were closed under it
                logger.exception("an audit failed unexpectedly")
                self._put_off(f"{type(error).__name__}: {error}")

    def step(self) -> None:
        """Do what is due now."""
        now = self._clock()
        held = self.is_held()
        back, self._was_held = self._was_held and not held, held
        if held or now < self._begins_at or not (back or now >= self._next_look):
            return
        self._next_look = now + (self._settings.sentinel_interval or self._settings.interval)
        self._settle()
        if self._seconds_to_audit() <= 0:
            if back or now >= self._no_audit_before:
                self._audit("it is time")
        elif self._settings.sentinel_interval and now >= self._not_before:
            self._look(both=back)

    def _look(self, *, both: bool) -> None:
        lacking = self._sentinel.look(self._calls, both=both)
        if not lacking:
            self._alarms_in_a_row = 0
            return
        self._alarms_in_a_row += 1
        wait = self._settings.sentinel_interval * 2.0 ** min(self._alarms_in_a_row, 30)
        self._not_before = self._clock() + min(wait, self._settings.interval)
        logger.warning("Contrail lacks objects that it had, auditing now: %s", ", ".join(lacking))
        self._audit("objects are missing")

    def _audit(self, why: str) -> None:
        logger.debug("audit begins: %s", why)
        settings = self._settings
        try:
            report = self._auditor.audit(Orders(repair=settings.repair, prune=settings.prune))
        except (ContrailUnavailable, StoreUnavailable):
            self._audits_failed += 1
            wait = delay(self._audits_failed, first=_FIRST_WAIT, limit=settings.interval, jitter=random.random())
            self._no_audit_before = self._clock() + wait
            raise
        self._audits_failed = 0
        if report is not None:
            self._tell(report)

    def _tell(self, report: Report) -> None:
        found = alarms(report, self._settings, repair=self._settings.repair)
        for alarm in found:
            logger.error("audit: %s", alarm)
        self._health.note(PART, "; ".join(found))

    def _settle(self) -> None:
        with store_errors("close findings", self._engine), self._engine.begin() as connection:
            ledger.settle(connection, self._cluster)

    def _seconds_to_audit(self) -> float:
        with store_errors("read when the last audit was", self._engine), self._engine.connect() as connection:
            since = ledger.seconds_since_last(connection, self._cluster)
        return 0.0 if since is None else self._settings.interval - since

    def _put_off(self, said: str) -> None:
        self._failures += 1
        if self._failures == 1:
            logger.warning("no audit for now, trying again: %s", said)
        limit = self._settings.sentinel_interval or self._settings.interval
        self._next_look = self._clock() + delay(self._failures, first=_FIRST_WAIT, limit=limit, jitter=random.random())
