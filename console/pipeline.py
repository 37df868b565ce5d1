"""Starts every part of one run in order, keeps it running, and stops it in the opposite order."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from types import TracebackType

from sqlalchemy import Engine

from applier.settings import ApplierSettings
from console import observe, probes
from console.bus import BusEnds
from console.observer import Observer, Sources
from console.plan import Followed, Plan, Recording, service_environment
from console.ports import free_port
from console.postgres import EmbeddedPostgres
from console.readiness import why_not_ready
from console.simulated import SimulatedContrail
from console.snapshot import Snapshot
from console.state import StateDirectory
from console.supervisor import Service, Standing, Supervised, Supervisor
from schemas.errors import SettingsError, StoreUnavailable
from schemas.settings import ENV_PREFIX, BusSettings, ContrailSettings, DatabaseSettings, KafkaSettings, from_env
from schemas.store.engine import connect
from translator.settings import TranslatorSettings

logger = logging.getLogger(__name__)

DATABASE = "contrail_kube"
SIMULATOR = "contrail-api"
FEEDING = ("watchers",)
TELLING = ("feedback",)
_MODULES = {"feedback": "watchers.feedback"}
"""Modules of services that are not called like theirs."""
WORKING = ("translator", "applier")
START_SECONDS = 30.0
START_TRIES = 3
POSTGRES_PAUSE = 1.0
"""Seconds between attempts to start the database again: what a killed one left must go first."""


class Interrupted(Exception):
    """A person asked to stop while the run was starting."""


class Pipeline:
    """One run; `with Pipeline(...)` starts it and raises SettingsError or another ContrailKubeError when it cannot.

    `stopping` says whether a person asked to end, `hurry` whether they asked twice.
    """

    def __init__(
        self,
        plan: Plan,
        environ: Mapping[str, str],
        *,
        stopping: Callable[[], bool] = lambda: False,
        hurry: Callable[[], bool] = lambda: False,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.plan = plan
        self.state = StateDirectory(plan.state)
        self._environ = environ
        self._stopping = stopping
        self._hurry = hurry
        self._say = say
        self._parts = contextlib.ExitStack()
        self._postgres: EmbeddedPostgres | None = None
        self._postgres_due = 0.0
        self._simulated: SimulatedContrail | None = None
        self.environment: dict[str, str] = {}
        self.supervisor = Supervisor(folder=self.state.logs)

    def __enter__(self) -> Pipeline:
        try:
            self._start()
        except BaseException:
            self._parts.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._parts.close()

    def tick(self) -> None:
        """Keep everything running; raises SettingsError when a service refuses its settings."""
        self._keep_postgres()
        self.supervisor.tick()
        if self._simulated is not None:
            self._simulated.tick()

    def standings(self) -> tuple[Standing, ...]:
        """How the services stand."""
        return self.supervisor.standings()

    def notes(self) -> tuple[str, ...]:
        """What is wrong beside the services."""
        return (self._simulated.problem,) if self._simulated is not None and self._simulated.problem else ()

    def _start(self) -> None:
        plan = self.plan
        self._parts.enter_context(self.state)
        self._probe()
        self.state.bind(plan)
        database = plan.database or self._start_postgres()
        self.engine = self._open_store(database)
        self._go_on()
        self._parts.callback(self._stop_services)
        self.environment = service_environment(
            plan,
            self._environ,
            bus_directory=self.state.bus,
            epoch_file=self.state.path / "epochs",
            database=database,
            contrail=plan.contrail,
        )
        if not plan.contrail:
            self.environment[f"{ENV_PREFIX}CONTRAIL_URLS"] = self._start_simulator()
            # Virtual-routers come within a second here, and links wait for nothing else.
            self.environment.setdefault(f"{ENV_PREFIX}APPLIER_BLOCKED_LIMIT", "1")
        self._start_services()
        self.state.publish({n: v for n, v in self.environment.items() if n.startswith(ENV_PREFIX)})
        # Two tries of everything that is blocked, and something for the way.
        blocked_seconds = 2 * from_env(ApplierSettings, self.environment).blocked_limit + 2
        self.observer = Observer(self._sources(), blocked_seconds=blocked_seconds).start()
        self._parts.callback(self.observer.stop)

    def _probe(self) -> None:
        """Name what is missing before anything is started."""
        if self.plan.kafka:
            probes.brokers(self.plan.kafka)
        if isinstance(self.plan.feed, Followed):
            probes.kubernetes_api(self.plan.feed.kubeconfig, self._environ.get(f"{ENV_PREFIX}WATCHERS_CONTEXT", ""))
        if self.plan.contrail:
            named = {**self._environ, f"{ENV_PREFIX}CONTRAIL_URLS": self.plan.contrail}
            probes.contrail_api(from_env(ContrailSettings, named))

    def _start_postgres(self) -> str:
        self._say("starting PostgreSQL")
        self._postgres = self._parts.enter_context(EmbeddedPostgres(self.state.postgres))
        return self._postgres.ensure_database(DATABASE)

    def _keep_postgres(self) -> None:
        """Start the embedded database again when it died, where it was."""
        if self._postgres is None or self._postgres.running or time.monotonic() < self._postgres_due:
            return
        logger.warning("PostgreSQL ended, starting it again; its log is %s", self._postgres.log)
        try:
            self._postgres.start()
        except StoreUnavailable as error:
            logger.warning("PostgreSQL does not start, trying again in %.0f s: %s", POSTGRES_PAUSE, error)
            self._postgres_due = time.monotonic() + POSTGRES_PAUSE

    def _open_store(self, url: str) -> Engine:
        settings = DatabaseSettings(url=url, statement_timeout=10.0)
        engine = connect(settings, application="contrail-kube up", pool_size=3)
        self._parts.callback(engine.dispose)
        probes.database(engine)
        self._refuse_mixing(engine)
        return engine

    def _refuse_mixing(self, engine: Engine) -> None:
        """Neither a recording nor a simulated Contrail is let at somebody's store that is in use."""
        plan = self.plan
        strange = "a recording" if isinstance(plan.feed, Recording) else "" if plan.contrail else "a simulated Contrail"
        if not plan.database or plan.resume or not strange:
            return
        if observe.holds(engine, cluster=plan.cluster, topic=plan.topic):
            raise SettingsError(
                f"the database of --database already holds cluster {plan.cluster!r}: {strange} would be mixed into it. "
                "Name an empty database; or --resume, if it was filled by such a run before"
            )

    def _start_simulator(self) -> str:
        self._say("starting the simulated Contrail API")
        port = free_port()
        supervised = self._add(SIMULATOR, "simulators.contrail", {f"{ENV_PREFIX}SIMULATOR_PORT": str(port)})
        url = f"http://127.0.0.1:{port}"
        self._wait_for(url, supervised)
        simulated = SimulatedContrail(supervised=supervised, engine=self.engine, cluster=self.plan.cluster, url=url)
        self._simulated = simulated.start()
        self._parts.callback(simulated.stop)
        return url

    def _wait_for(self, url: str, supervised: Supervised) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            self._go_on()
            self.supervisor.tick()
            try:
                return probes.contrail_api(ContrailSettings(urls=(url,)))
            except SettingsError as error:
                standing = supervised.standing()
                if time.monotonic() > deadline or standing.restarts >= START_TRIES:
                    log = supervised.log
                    raise SettingsError(
                        f"the simulated Contrail API did not start ({standing.last_exit or error}): {log.last_line}; "
                        f"its log was {log.path}, which --state DIRECTORY keeps"
                    ) from error
            time.sleep(0.05)

    def _start_services(self) -> None:
        self._say("starting the services")
        feeding = FEEDING if isinstance(self.plan.feed, Followed) else ()
        for name in (*WORKING, *feeding, *(TELLING if self.plan.feedback else ())):
            self._add(name, _MODULES.get(name, name), self.environment)

    def _add(self, name: str, module: str, settings: Mapping[str, str]) -> Supervised:
        port = free_port()
        environment = {**self._environ, **settings, f"{ENV_PREFIX}PROCESS_HEALTH_PORT": str(port)}
        return self.supervisor.add(Service(name, module, environment, port))

    def _stop_services(self) -> None:
        self.supervisor.stop(groups=(TELLING, FEEDING, WORKING), hurry=self._hurry)

    def _go_on(self) -> None:
        if self._stopping():
            raise Interrupted

    def _sources(self) -> Sources:
        plan, consumer = self.plan, from_env(TranslatorSettings, self.environment).consumer
        ends = BusEnds(
            bus=from_env(BusSettings, self.environment),
            kafka=from_env(KafkaSettings, self.environment),
            cluster=plan.cluster,
        )
        self._parts.callback(ends.close)
        return Sources(
            snapshot=lambda first, rows: observe.snapshot(
                self.engine, cluster=plan.cluster, topic=plan.topic, consumer=consumer, first=first, rows=rows
            ),
            ends=ends,
            waiting=self._waiting,
            listed=self._listed,
        )

    def _waiting(self) -> dict[str, str]:
        found = {s.name: why_not_ready(s.health_port) for s in self.supervisor.services if s.name != SIMULATOR}
        return {name: reason for name, reason in found.items() if reason}

    def _listed(self, snapshot: Snapshot) -> bool:
        return not isinstance(self.plan.feed, Followed) or snapshot.reading.listed(self.plan.partitions)
