"""The feedback put together (shell): waits for the store and to be elected, then looks and writes until it is stopped.

Of several processes one writes, by a Lease of its own. All that a term knows is in the store and in the cluster.
"""

from __future__ import annotations

import logging
import os
import random
import secrets
import socket
import threading
import time
from collections.abc import Sequence

from sqlalchemy import Engine

from schemas.errors import KubernetesUnavailable, StoreMismatch, StoreUnavailable
from schemas.health import Health
from schemas.store.migrate import require_current
from watchers.backoff import pause
from watchers.connection import Connection, Load
from watchers.feedback import metrics
from watchers.feedback.annotating import Annotating
from watchers.feedback.announcing import Announcing
from watchers.feedback.bucket import Bucket
from watchers.feedback.problem_store import ProblemStore
from watchers.feedback.reporting import Reporting
from watchers.feedback.rounds import ALIVE_SECONDS, STORE, Part, Rounds
from watchers.feedback.settings import FeedbackSettings
from watchers.feedback.store import FeedbackStore
from watchers.feedback.writer import KubernetesWriter
from watchers.leadership import Leadership, Tempo
from watchers.lease import Lease

logger = logging.getLogger(__name__)

LEASE = "lease"
STOP_SECONDS = 20.0
"""For the write that is under way when the process is to stop."""


class Feedback:
    """One process; `run` in one thread, `stop` from any."""

    def __init__(
        self, settings: FeedbackSettings, *, cluster: str, load: Load, engine: Engine, health: Health | None = None
    ) -> None:
        self._settings = settings
        self._cluster = cluster
        self._engine = engine
        self._health = health or Health()
        self._stop = threading.Event()
        self._connection = Connection(load, connect_timeout=settings.connect_timeout)
        self._identity = settings.identity or f"{socket.gethostname()}-{os.getpid()}"
        self._health.not_ready(LEASE, "nobody leads yet")

    def stop(self) -> None:
        """Make `run` return soon; may be called from a signal handler."""
        self._stop.set()

    def run(self) -> None:
        """Feed back until `stop`; a store or API server that is away is waited for. Raises StoreMismatch."""
        try:
            if self._await_store():
                self._stand()
        finally:
            self._connection.close()

    def _await_store(self) -> bool:
        deadline = time.monotonic() + self._settings.migration_wait
        failures = 0
        while not self._stop.is_set():
            failures += 1
            self._health.beat("start", within=ALIVE_SECONDS)
            try:
                require_current(self._engine)
            except (StoreUnavailable, StoreMismatch) as error:
                if isinstance(error, StoreMismatch) and time.monotonic() > deadline:
                    raise  # nobody is migrating it
                self._health.not_ready(STORE, str(error))
                logger.log(logging.WARNING if failures == 1 else logging.DEBUG, "waiting for the store: %s", error)
                self._stop.wait(min(1.0, pause(failures, draw=random.random())))
            else:
                self._health.ready(STORE)
                self._health.ended("start")
                return True
        return False

    def _stand(self) -> None:
        """Stand for leadership, and lead whenever elected."""
        settings = self._settings
        lease = Lease(
            self._connection,
            namespace=settings.lease_namespace,
            name=settings.lease_name,
            timeout=min(5.0, settings.lease_seconds / 3),
            of="feedback",
        )
        # Two that were given one name must not both believe that the Lease is theirs.
        leadership = Leadership(
            lease, identity=f"{self._identity}_{secrets.token_hex(4)}", tempo=Tempo(settings.lease_seconds)
        )
        while self._elected(leadership):
            ended = threading.Event()
            keeper = threading.Thread(target=self._keep, args=(leadership, ended), name="lease", daemon=True)
            keeper.start()
            try:
                self._lead(leadership, ended)
            finally:
                ended.set()
                keeper.join(STOP_SECONDS)
                if leadership.holds():
                    leadership.release()

    def _elected(self, leadership: Leadership) -> bool:
        """Wait to be elected; False when `stop` came first."""
        leader, failures = "", 0
        while not self._stop.is_set():
            self._health.beat("election", within=ALIVE_SECONDS)
            try:
                elected = leadership.try_to_lead()
            except KubernetesUnavailable as error:
                failures += 1
                self._health.not_ready(LEASE, str(error))
                logger.log(logging.ERROR if failures == 1 else logging.DEBUG, "waiting for the Lease: %s", error)
                self._stop.wait(pause(failures, draw=random.random(), asked=error.retry_after))
                continue
            failures = 0
            self._health.ready(LEASE)
            if elected:
                logger.info("leading identity=%s", leadership.identity)
                self._health.ended("election")
                return True
            if leadership.leader != leader:
                leader = leadership.leader
                logger.info("standing by leader=%s", leader)
            self._stop.wait(leadership.tempo.look)
        return False

    def _lead(self, leadership: Leadership, lost: threading.Event) -> None:
        """One term."""
        metrics.LEADING.set(1)
        over = threading.Event()
        watch = threading.Thread(target=self._watch, args=(lost, over), name="end", daemon=True)
        watch.start()
        try:
            Rounds(self._parts(leadership), interval=self._settings.interval, health=self._health).run(over)
        finally:
            metrics.LEADING.set(0)
            over.set()

    def _watch(self, lost: threading.Event, over: threading.Event) -> None:
        """End the term when it is lost, or the process is told to stop."""
        while not (lost.is_set() or self._stop.is_set() or over.is_set()):
            self._stop.wait(0.1)
        over.set()

    def _parts(self, leadership: Leadership) -> Sequence[Part]:
        settings, leads = self._settings, leadership.holds
        writer = KubernetesWriter(self._connection, timeout=settings.read_timeout)
        store = FeedbackStore(self._engine, self._cluster)
        pace = Bucket(settings.writes_per_second, burst=settings.writes_per_second)
        return (
            Announcing(store, writer, leads=leads, pace=pace),
            Reporting(
                ProblemStore(self._engine, self._cluster),
                writer,
                leads=leads,
                settings=settings,
                instance=self._identity,
                health=self._health,
            ),
            Annotating(
                store,
                writer,
                leads=leads,
                pace=pace,
                whose=settings.network_status,
                resync=settings.resync_seconds,
            ),
        )

    def _keep(self, leadership: Leadership, ended: threading.Event) -> None:
        """Renew the Lease until the term ends; the term ends when another has it."""
        try:
            leadership.keep(ended)
        except Exception:
            logger.exception("the Lease is not renewed any more")
        ended.set()
