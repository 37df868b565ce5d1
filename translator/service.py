"""The translator put together (shell): what `__main__` runs, and tests and the embedded run build as well."""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import Engine

from schemas.bus.open import open_consumer
from schemas.bus.port import Consumer
from schemas.errors import StoreMismatch
from schemas.health import Health
from schemas.settings import BusSettings, ClusterSettings, DatabaseSettings, KafkaSettings
from schemas.store.engine import connect
from schemas.store.migrate import migrate, require_current
from translator.batch import Rules
from translator.consumer import Follower
from translator.neighbour import Neighbour
from translator.postgres import PostgresStore
from translator.settings import TranslatorSettings
from translator.version import settings_record

logger = logging.getLogger(__name__)

YOUNG_OBJECTS = 50_000
"""Allocations between two looks of the cyclic garbage collector: a batch makes some 40,000 objects, none in a cycle."""
MIGRATION_PAUSE = 0.5
"""Seconds between two looks whether somebody has migrated the store."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All that a translator reads at start."""

    cluster: ClusterSettings = field(default_factory=ClusterSettings)
    bus: BusSettings = field(default_factory=BusSettings)
    kafka: KafkaSettings = field(default_factory=KafkaSettings)
    database: DatabaseSettings = field(default_factory=DatabaseSettings)
    translator: TranslatorSettings = field(default_factory=TranslatorSettings)


class Translator:
    """One translator with all it needs; `run` in one thread, `stop` from any.

    `open_bus` replaces the bus that the settings name.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        health: Health | None = None,
        open_bus: Callable[[], Consumer] | None = None,
    ) -> None:
        self._settings = settings
        self._health = health or Health()
        self._stop = threading.Event()
        self._engine = connect(settings.database, application="translator", pool_size=1)
        self._store = PostgresStore(self._engine, settings.cluster.name)
        self._follower = Follower(
            open_consumer=open_bus or self._open_bus,
            store=self._store,
            rules=Rules.of(settings.translator.consumer, settings_record(settings.cluster)),
            settings=settings.translator,
            health=self._health,
        )

    def run(self) -> None:
        """Translate until `stop`; waits for a store that is away or being migrated. Raises what a person must mend."""
        try:
            if self._await_store():
                self._follower.run()
        finally:
            self._store.close()
            self._engine.dispose()

    def stop(self) -> None:
        """Make `run` return soon; may be called from any thread and from a signal handler."""
        self._stop.set()
        self._follower.stop()

    def _open_bus(self) -> Consumer:
        settings = self._settings
        return open_consumer(settings.bus, settings.kafka, settings.cluster.name, client="translator")

    def _await_store(self) -> bool:
        """Whether the store has this version's schema; False only at a stop."""
        database = Neighbour("store", health=self._health, stop=self._stop)
        deadline: float | None = None
        while not self._stop.is_set():
            try:
                if database.ask(lambda: self._ready(self._engine)):
                    return True
            except StoreMismatch as error:
                if deadline is None:
                    logger.warning("waiting for the store to be migrated: %s", error)
                    deadline = time.monotonic() + self._settings.translator.migration_wait
                if time.monotonic() > deadline:
                    raise  # nobody is migrating it
                self._health.not_ready("store", str(error))
                self._stop.wait(MIGRATION_PAUSE)
        return False

    def _ready(self, engine: Engine) -> bool:
        if self._settings.translator.migrate:
            logger.info("store is at revision %s", migrate(engine))
        require_current(engine)
        return True


def tune_garbage_collector() -> None:
    """For a process that only translates: keep what the start made out of the collector, and let it look less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 100)
