"""The watchers as one unit: what `python -m watchers` runs, and what an embedded run or a test starts in a thread.

Of several that share a Lease one publishes, the others wait to take over; one that keeps its epochs in a file, or
nowhere, publishes from the start to the end.
"""

from __future__ import annotations

import logging
import os
import random
import secrets
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TypeVar

import msgspec

from schemas.bus.port import Producer
from schemas.errors import KubernetesForbidden, KubernetesUnavailable, NotLeading, Retryable
from schemas.events import Source
from schemas.health import Health
from watchers import metrics
from watchers.backoff import pause
from watchers.connection import Connection, Load
from watchers.kinds import KINDS, Kind
from watchers.leadership import Leadership, Tempo
from watchers.lease import Lease
from watchers.publisher import PART as BUS
from watchers.register import Register
from watchers.register_file import RegisterFile
from watchers.register_lease import RegisterLease
from watchers.settings import WatchersSettings
from watchers.standing import ALIVE_SECONDS
from watchers.term import Term

logger = logging.getLogger(__name__)

T = TypeVar("T")
CLUSTER, LEASE = "cluster", "lease"
LEASE_SECONDS = 5.0
"""For a renewal that is under way when its term ends."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """Makes the Source of an event: who we are, and the time."""

    cluster: str
    cluster_uid: str
    watcher: str
    version: str

    def __call__(self) -> Source:
        return Source(
            cluster=self.cluster,
            cluster_uid=self.cluster_uid,
            watcher=self.watcher,
            version=self.version,
            observed_at=time.time_ns() // 1000,
        )


def run(
    settings: WatchersSettings,
    *,
    cluster: str,
    load: Load,
    open_producer: Callable[[], Producer],
    stop: threading.Event,
    health: Health | None = None,
    kinds: Sequence[Kind] = KINDS,
    version: str = "",
    register: Register | None = None,
    once: bool = False,
) -> None:
    """Watch until `stop` is set, then send what waits and return, within 30 seconds.

    `cluster` is its name in our records; `load` gives address and credentials (see `watchers.connection`);
    `open_producer` is called once a term, and again when a producer has lost records; what it made is closed here.
    `register` replaces the one of the settings, and then nobody else leads. A missing API server or bus is no error:
    it is waited for. With `once` it returns when every kind was listed and all of it is durable; it raises NotLeading
    when another leads, or comes to lead, and SnapshotHeld when a snapshot cannot be ended. Raises SettingsError,
    BusMismatch, and whatever ended a thread that should not have ended.
    """
    health = health or Health()
    connection = Connection(load, connect_timeout=settings.connect_timeout)
    service = _Service(settings, connection, open_producer, stop, health, kinds, once)
    for kind in kinds:
        if not kind.optional:
            health.not_ready(kind.name, "not listed yet")
    try:
        cluster_uid = _patiently(lambda: _cluster_uid(connection), part=CLUSTER, health=health, stop=stop)
        if cluster_uid is None:
            return
        identity = settings.identity or f"{socket.gethostname()}-{os.getpid()}"
        stamp = Stamp(cluster, cluster_uid, identity, version)
        if register is None and settings.epoch_file:
            register = RegisterFile(Path(settings.epoch_file))
        if register is not None:
            service.lead(register, stamp, leads=lambda: True, lost=threading.Event())
        else:
            service.stand(stamp)
    finally:
        connection.close()


@dataclass(frozen=True, slots=True)
class _Service:
    settings: WatchersSettings
    connection: Connection
    open_producer: Callable[[], Producer]
    stop: threading.Event
    health: Health
    kinds: Sequence[Kind]
    once: bool

    def lead(self, register: Register, stamp: Stamp, *, leads: Callable[[], bool], lost: threading.Event) -> None:
        """One term, from opening the bus to closing it."""
        self.health.not_ready(BUS, "not open yet")
        ended = _Either(self.stop, lost)
        producer = _patiently(self.open_producer, part=BUS, health=self.health, stop=ended)
        if producer is None:
            return
        logger.info(
            "watching server=%s topic=%s cluster_uid=%s", self.connection.server, producer.topic, stamp.cluster_uid
        )
        metrics.LEADING.set(1)
        try:
            Term(
                self.settings,
                self.kinds,
                connection=self.connection,
                register=register,
                producer=producer,
                reopen=self.open_producer,
                leads=leads,
                source=stamp,
                health=self.health,
            ).run(self.stop, lost=lost, once=self.once)
        finally:
            metrics.LEADING.set(0)

    def stand(self, stamp: Stamp) -> None:
        """Stand for leadership, and lead whenever elected."""
        settings, tempo = self.settings, Tempo(self.settings.lease_seconds)
        lease = Lease(
            self.connection,
            namespace=settings.lease_namespace,
            name=settings.lease_name,
            timeout=min(5.0, settings.lease_seconds / 3),
        )
        # Two that were given one name must not both believe that the Lease is theirs.
        leadership = Leadership(lease, identity=f"{stamp.watcher}_{secrets.token_hex(4)}", tempo=tempo)
        register = RegisterLease(lease, holder=leadership.identity)
        self.health.not_ready(LEASE, "nobody leads yet")
        while self._elected(leadership):
            lost, over = threading.Event(), threading.Event()
            keeper = threading.Thread(target=self._keep, args=(leadership, over, lost), name="lease", daemon=True)
            keeper.start()
            try:
                self.lead(register, stamp, leads=leadership.holds, lost=lost)
            finally:
                over.set()
                keeper.join(LEASE_SECONDS)
                if leadership.holds() and not keeper.is_alive():  # else the API server is away, or another leads
                    leadership.release()
            if self.once and lost.is_set() and not self.stop.is_set():
                leader = leadership.leader or "nobody"
                raise NotLeading(f"the Lease was lost to {leader} before the snapshot was whole: try again")
            if self.once:
                return

    def _elected(self, leadership: Leadership) -> bool:
        """Wait to be elected; False when `stop` came first."""
        leader = ""
        while not self.stop.is_set():
            elected = _patiently(leadership.try_to_lead, part=LEASE, health=self.health, stop=self.stop)
            if elected:
                logger.info("leading identity=%s", leadership.identity)
                return True
            if self.once and elected is False:
                raise NotLeading(
                    f"{leadership.leader} publishes already: stop it, or keep epochs on this machine with"
                    " CONTRAIL_KUBE_WATCHERS_EPOCH_FILE"
                )
            self._stand_by()
            if leadership.leader != leader:
                leader = leadership.leader
                logger.info("standing by leader=%s", leader)
            self.stop.wait(leadership.tempo.look)
        return False

    def _stand_by(self) -> None:
        """Another leads: as far as this process goes, all is well."""
        for kind in self.kinds:
            self.health.ready(kind.name)
        self.health.ready(BUS)

    def _keep(self, leadership: Leadership, over: threading.Event, lost: threading.Event) -> None:
        try:
            leadership.keep(over)
        except BaseException:
            logger.exception("the Lease is not renewed any more")
        if not over.is_set():
            lost.set()


class _Either(threading.Event):
    """Set when one of two events is; waits for the first, looking at the second now and then."""

    def __init__(self, first: threading.Event, second: threading.Event) -> None:
        super().__init__()
        self._first, self._second = first, second

    def is_set(self) -> bool:
        return self._first.is_set() or self._second.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        deadline = time.monotonic() + (timeout if timeout is not None else 1e9)
        while not self.is_set() and (left := deadline - time.monotonic()) > 0:
            self._first.wait(min(left, 0.2))
        return self.is_set()


def _patiently(attempt: Callable[[], T], *, part: str, health: Health, stop: threading.Event) -> T | None:
    """What the attempt gives, however long that takes; None when `stop` came first."""
    trouble = ""
    for failures in count(1):
        health.beat("start", within=ALIVE_SECONDS)
        try:
            result = attempt()
        except Retryable as error:
            if str(error) != trouble:
                trouble = str(error)
                logger.error("waiting for the %s: %s", part, trouble)
            health.not_ready(part, trouble)
            seconds = pause(failures, draw=random.random(), asked=error.retry_after)
            health.beat("start", within=ALIVE_SECONDS + seconds)
            if stop.wait(seconds):
                break
        else:
            health.ready(part)
            health.ended("start")
            return result
    return None


class _Metadata(msgspec.Struct):
    uid: str


class _Namespace(msgspec.Struct):
    metadata: _Metadata


def _cluster_uid(connection: Connection) -> str:
    """What tells this cluster from any other: the uid of its namespace kube-system; '' if we may not see it."""
    path = "/api/v1/namespaces/kube-system"
    doing = f"GET {connection.server}{path}"
    try:
        response = connection.request("GET", path, read_timeout=10.0)
    except KubernetesForbidden as error:
        logger.warning("events will not carry the cluster's uid: %s", error)
        return ""
    try:
        return msgspec.json.decode(connection.read(response, doing=doing), type=_Namespace).metadata.uid
    except ValueError as error:
        raise KubernetesUnavailable(f"{doing}: not a Namespace ({error}); is this an API server?") from error
