"""The watchers as one unit: what `python -m watchers` runs, and what an embedded run or a test starts in a thread.

One connection, one publisher, and one reflector per kind, each in a thread of its own under one supervisor.
"""

from __future__ import annotations

import logging
import os
import random
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import TypeVar

import msgspec

from schemas.bus.port import Producer
from schemas.errors import KubernetesForbidden, KubernetesUnavailable, Retryable
from schemas.events import Source
from schemas.health import Health
from watchers.backoff import pause
from watchers.connection import Connection, Load
from watchers.epoch_file import EpochFile
from watchers.epoch_lease import EpochLease
from watchers.epochs import EpochSource
from watchers.guard import Guard
from watchers.kinds import KINDS, Kind
from watchers.kubernetes_api import KubernetesApi, Limits
from watchers.publisher import PART as BUS
from watchers.publisher import Publisher
from watchers.reflector import Reflector
from watchers.settings import WatchersSettings
from watchers.standing import ALIVE_SECONDS, Standing

logger = logging.getLogger(__name__)

T = TypeVar("T")
CLUSTER = "cluster"
STOP_SECONDS = 6.0
DRAIN_SECONDS = 10.0
TICK = 0.2


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
) -> None:
    """Watch until `stop` is set, then send what waits and return, within 30 seconds.

    `cluster` is its name in our records; `load` gives address and credentials (see `watchers.connection`);
    `open_producer` is called once, and again when a producer has lost records; what it made is closed here.
    A missing API server or bus is no error: it is waited for. Raises SettingsError, BusMismatch, and whatever
    ended a thread that should not have ended.
    """
    health = health or Health()
    standings = [Standing(kind.name, health) for kind in kinds]
    health.not_ready(BUS, "not open yet")
    connection = Connection(load, connect_timeout=settings.connect_timeout)
    try:
        epochs = _epochs(settings, connection)
        cluster_uid = _patiently(lambda: _cluster_uid(connection), part=CLUSTER, health=health, stop=stop)
        producer = None if cluster_uid is None else _patiently(open_producer, part=BUS, health=health, stop=stop)
        if cluster_uid is None or producer is None:
            return
        stamp = Stamp(cluster, cluster_uid, settings.identity or f"{socket.gethostname()}-{os.getpid()}", version)
        reflectors: list[Reflector] = []
        publisher = Publisher(
            producer,
            reopen=open_producer,
            health=health,
            lost=lambda: _list_all_again(reflectors, connection),
            room=settings.room,
        )
        reflectors += [
            _reflector(kind, settings, connection, epochs, publisher, standing, stamp)
            for kind, standing in zip(kinds, standings, strict=True)
        ]
        logger.info("watching server=%s topic=%s cluster_uid=%s", connection.server, producer.topic, cluster_uid)
        _supervise(reflectors, publisher, connection, stop)
    finally:
        connection.close()


def _reflector(
    kind: Kind,
    settings: WatchersSettings,
    connection: Connection,
    epochs: EpochSource,
    publisher: Publisher,
    standing: Standing,
    stamp: Stamp,
) -> Reflector:
    limits = Limits(page_size=settings.page_size, watch_timeout=settings.read_timeout)
    return Reflector(
        kind,
        api=KubernetesApi(connection, limits),
        epochs=epochs,
        publisher=publisher,
        guard=Guard(settings.guard_share, settings.guard_floor),
        standing=standing,
        source=stamp,
        resync_seconds=settings.resync_seconds,
        confirmed=kind.name in settings.confirm,
    )


def _epochs(settings: WatchersSettings, connection: Connection) -> EpochSource:
    if settings.epoch_file:
        return EpochFile(Path(settings.epoch_file))
    return EpochLease(connection, namespace=settings.lease_namespace, name=settings.lease_name)


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


def _list_all_again(reflectors: Sequence[Reflector], connection: Connection) -> None:
    for reflector in reflectors:
        reflector.list_again("bus lost")
    connection.interrupt()


def _supervise(
    reflectors: Sequence[Reflector], publisher: Publisher, connection: Connection, stop: threading.Event
) -> None:
    """Run all threads until `stop` is set or one of them fails; then end them in order and raise the failure."""
    halt = threading.Event()
    failures: list[BaseException] = []
    publishing = _thread("publisher", publisher.run, failures)
    watching = [_thread(r.kind.name, partial(r.run, halt), failures) for r in reflectors]
    while not failures and not stop.wait(TICK):
        pass
    halt.set()
    deadline = time.monotonic() + STOP_SECONDS
    while any(thread.is_alive() for thread in watching) and time.monotonic() < deadline:
        # Again and again: a request may have been on its way when its thread was told to halt.
        connection.interrupt()
        time.sleep(TICK / 4)
    unsent = publisher.close(within=DRAIN_SECONDS, thread=publishing)
    if unsent:
        logger.warning("events not sent, the next start lists them again events=%d", unsent)
    if failures:
        raise failures[0]


def _thread(name: str, body: Callable[[], None], failures: list[BaseException]) -> threading.Thread:
    def guarded() -> None:
        try:
            body()
        except BaseException as error:
            logger.exception("thread failed name=%s", name)
            failures.append(error)

    thread = threading.Thread(target=guarded, name=name, daemon=True)
    thread.start()
    return thread
