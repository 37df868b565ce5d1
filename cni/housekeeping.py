"""What the agent does unasked: withdrawals still to be made, idle connections, and how its parts are (shell)."""

from __future__ import annotations

import logging
import threading

from cni import locks
from cni.addresses import AddressStore
from cni.locks import NamedLocks
from cni.metrics import CniMetrics
from cni.records import Records
from cni.vrouter import PortAgent
from cni.withdrawals import Withdrawals
from schemas.errors import AgentRefused, AgentUnavailable, StoreMismatch, StoreUnavailable
from schemas.health import Health

logger = logging.getLogger(__name__)

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 10.0
"""Seconds between rounds: the longest in quiet times; while something is wrong, ever longer from the first."""
_NOT_ASKED = "not asked yet"


class Housekeeper:
    """One loop of rounds, in a thread of its own."""

    def __init__(
        self,
        *,
        store: AddressStore,
        vrouter: PortAgent,
        records: Records,
        withdrawals: Withdrawals,
        held: NamedLocks,
        health: Health,
        metrics: CniMetrics,
    ) -> None:
        self._store = store
        self._vrouter = vrouter
        self._records = records
        self._withdrawals = withdrawals
        self._held = held
        self._health = health
        self._metrics = metrics
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="housekeeping", daemon=True)
        self._store_seen = False
        for part in ("store", "vrouter"):
            health.not_ready(part, _NOT_ASKED)

    def start(self) -> Housekeeper:
        """Begin."""
        self._thread.start()
        return self

    def close(self) -> None:
        """End after the present round."""
        self._stopping = True
        self._withdrawals.added.set()
        self._thread.join(10)

    def round(self) -> bool:
        """One round; False when something is left to be done soon."""
        store_well, vrouter_well = self._look_at_store(), self._look_at_vrouter()
        if vrouter_well:
            for machine_uuid in self._withdrawals.all():
                vrouter_well = self._withdraw(machine_uuid) and vrouter_well
        self._metrics.attached.set(len(self._records.all()))
        self._metrics.withdrawals.set(len(self._withdrawals))
        return store_well and vrouter_well

    def _run(self) -> None:
        pause = FIRST_PAUSE
        while not self._stopping:
            self._health.beat("housekeeping", within=LONGEST_PAUSE + 60)
            try:
                quiet = self.round()
            except Exception:
                # A loop's top: the next round may succeed, and requests are served meanwhile.
                logger.exception("housekeeping round failed")
                quiet = False
            if self._withdrawals.added.wait(LONGEST_PAUSE if quiet else pause):
                self._withdrawals.added.clear()
                quiet = True
            pause = FIRST_PAUSE if quiet else min(pause * 2, LONGEST_PAUSE)
        self._health.ended("housekeeping")

    def _look_at_store(self) -> bool:
        """Until it was seen once; later an ADD tells, and a thousand idle nodes ask for nothing."""
        if not self._store_seen:
            try:
                self._store.check()
            except (StoreUnavailable, StoreMismatch) as error:
                self._report("store", str(error))
                return False
            self._store_seen = True
            self._report("store", None)
        self._store.rest()
        return True

    def _look_at_vrouter(self) -> bool:
        try:
            self._vrouter.check()
        except (AgentUnavailable, AgentRefused) as error:
            self._report("vrouter", str(error))
            return False
        self._report("vrouter", None)
        return True

    def _report(self, part: str, trouble: str | None) -> None:
        """Tell the probes; the log only of changes."""
        known = self._health.why_not_ready().get(part)
        if trouble is not None:
            if known != trouble:
                logger.warning("not ready part=%s error=%s", part, trouble)
            self._health.not_ready(part, trouble)
        elif known is not None:
            logger.info("ready part=%s", part)
            self._health.ready(part)

    def _withdraw(self, machine_uuid: str) -> bool:
        """Make one withdrawal, unless the machine is back; False when it has to be tried again."""
        try:
            with self._held.hold(locks.machine(machine_uuid), timeout=0):
                if self._records.where(lambda r: r.interface.machine_uuid == machine_uuid):
                    logger.info("withdrawal dropped, the machine is attached again machine=%s", machine_uuid)
                else:
                    self._vrouter.withdraw(machine_uuid)
                    logger.info("withdrawal made late machine=%s", machine_uuid)
                self._withdrawals.remove(machine_uuid)
        except (AgentUnavailable, AgentRefused) as error:
            logger.warning("withdrawal is left for later machine=%s error=%s", machine_uuid, error)
            return False
        return True
