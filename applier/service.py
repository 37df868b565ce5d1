"""The applier put together (shell): what `__main__` runs, and tests and the embedded run build as well."""

from __future__ import annotations

import logging
import random
import threading
import time
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from sqlalchemy import Engine

from applier.audit.background import AuditLoop
from applier.audit.settings import AuditSettings
from applier.backoff import delay
from applier.client import ContrailClient
from applier.lease import Lease
from applier.links import Links
from applier.loader import PART
from applier.nested import SubInterfaces
from applier.observe import AddressReader
from applier.owners import Owners
from applier.reconciler import Reconciler
from applier.settings import ApplierSettings
from applier.subnets import Subnets
from applier.trunks import Trunks
from applier.unobserved import look_again_beside
from applier.vlan_tags import VlanTags
from applier.worker import Worker
from applier.writer import OwnerMark, Writer
from schemas.errors import StoreMismatch, StoreUnavailable
from schemas.health import Health
from schemas.settings import ClusterSettings, ContrailSettings, DatabaseSettings
from schemas.store.engine import connect
from schemas.store.migrate import require_current

logger = logging.getLogger(__name__)

CONNECTIONS = 5
"""Database connections: loads and locks, commits, wake-ups, the audit, and one to spare."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All that an applier reads at start."""

    cluster: ClusterSettings = field(default_factory=ClusterSettings)
    database: DatabaseSettings = field(default_factory=DatabaseSettings)
    contrail: ContrailSettings = field(default_factory=ContrailSettings)
    applier: ApplierSettings = field(default_factory=ApplierSettings)
    audit: AuditSettings = field(default_factory=AuditSettings)


class Applier:
    """One applier with all it needs; `run` in one thread, `stop` from any."""

    def __init__(self, settings: Settings, *, health: Health | None = None, engine: Engine | None = None) -> None:
        self._settings = settings
        self._engine = engine or connect(settings.database, application="applier", pool_size=CONNECTIONS)
        self._owns_engine = engine is None
        self._client = ContrailClient(settings.contrail, pool_size=settings.applier.concurrency + 2)
        self._stop = threading.Event()
        self._health = health or Health()
        mark = OwnerMark(settings.cluster.owner, settings.cluster.name)
        remember = settings.applier.cache_seconds
        lease = Lease(settings.applier.lease)
        trunks = Trunks(self._client, remember=remember)
        self._reconciler = Reconciler(
            engine=self._engine,
            worker=Worker(
                self._client,
                writer=Writer(
                    self._client,
                    owners=Owners(self._client, trunks=trunks, remember=remember),
                    nested=SubInterfaces(self._client, trunks=trunks, tags=VlanTags(self._engine), remember=remember),
                    mark=mark,
                    linked=Links(self._engine).targets,
                    may_write=lease.is_certain,
                ),
                reader=AddressReader(self._client, subnets=Subnets(self._client, remember=remember)),
            ),
            cluster=settings.cluster.name,
            settings=settings.applier,
            health=self._health,
            lease=lease,
        )

        self._audits = AuditLoop(self._engine, self._client, mark=mark, settings=settings.audit, health=self._health)

    def run(self) -> None:
        """Work until `stop`; waits for a store that is away or being migrated. Raises StoreMismatch."""
        try:
            self._await_store()
            if not self._stop.is_set():
                look_again_beside(self._engine, cluster=self._settings.cluster.name)
                self._audits.start()
                self._reconciler.run()
        finally:
            self._audits.close()
            self._client.close()
            if self._owns_engine:
                self._engine.dispose()

    def stop(self) -> None:
        """Make `run` return soon; may be called from any thread and from a signal handler."""
        self._stop.set()
        self._audits.stop()
        self._reconciler.stop()

    def _await_store(self, migration: float = 60.0) -> None:
        deadline: float | None = None
        said = ""
        for failures in count(1):
            if self._stop.is_set():
                return
            try:
                return require_current(self._engine)
            except (StoreUnavailable, StoreMismatch) as error:
                if isinstance(error, StoreMismatch):
                    deadline = deadline or time.monotonic() + migration
                    if time.monotonic() > deadline:
                        raise  # nobody is migrating it
                if str(error) != said:
                    said = str(error)
                    logger.warning("waiting for the store: %s", error)
                self._health.not_ready(PART, said)
            limit = 15.0 if deadline is None else 1.0
            self._stop.wait(delay(failures, first=0.1, limit=limit, jitter=random.random()))


class AppliedInBackground:
    """Runs an applier in a thread while the `with` block lasts (tests, benchmarks, embedded use)."""

    def __init__(self, settings: Settings, **collaborators: Any) -> None:
        self.applier = Applier(settings, **collaborators)
        self._thread = threading.Thread(target=self.applier.run, name="applier", daemon=True)

    def __enter__(self) -> AppliedInBackground:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.applier.stop()
        self._thread.join(40.0)
