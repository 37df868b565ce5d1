"""One term of one watcher: the time in which it is the one that publishes.

A publisher and a reflector per kind are made for it and end with it, so that nothing of a term that was lost reaches
the next.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial

from schemas.bus.port import Producer
from schemas.errors import SnapshotHeld
from schemas.events import Source
from schemas.health import Health
from watchers import metrics
from watchers.connection import Connection
from watchers.kinds import Kind
from watchers.ledger import Stopped
from watchers.publisher import PART as BUS
from watchers.publisher import Publisher
from watchers.reflector import reflect
from watchers.register import Register
from watchers.settings import WatchersSettings
from watchers.standing import Standing

logger = logging.getLogger(__name__)

STOP_SECONDS = 4.0
DRAIN_SECONDS = 8.0
TICK = 0.2
WISH_SECONDS = 1.0


class Term:
    """Runs until it is stopped, lost, or has failed; `leads` is false while nothing may be published."""

    def __init__(
        self,
        settings: WatchersSettings,
        kinds: Sequence[Kind],
        *,
        connection: Connection,
        register: Register,
        producer: Producer,
        reopen: Callable[[], Producer],
        leads: Callable[[], bool],
        source: Callable[[], Source],
        health: Health,
    ) -> None:
        self._connection = connection
        self._register = register
        self._health = health
        self._kinds = kinds
        self._halt = threading.Event()
        self._failures: list[BaseException] = []
        self._publisher = Publisher(
            producer, reopen=reopen, health=health, lost=self._list_all_again, room=settings.room, leads=leads
        )
        self.reflectors = [
            reflect(
                kind,
                settings,
                connection=connection,
                register=register,
                publisher=self._publisher,
                standing=Standing(kind.name, health, optional=kind.optional),
                source=source,
                going=lambda: not self._halt.is_set(),
            )
            for kind in kinds
        ]

    def run(self, stop: threading.Event, *, lost: threading.Event, once: bool = False) -> None:
        """Publish until `stop`, until another leads (`lost`), or, with `once`, until a snapshot of all is durable.

        What waits is sent at the end, unless the term was lost: then it is stale. Raises what ended a loop, and
        SnapshotHeld when `once` was to make a snapshot that cannot be ended.
        """
        publishing = self._thread("publisher", lambda _: self._publisher.run())
        loops = [self._thread(r.kind.name, loop) for r in self.reflectors for loop in r.loops()]
        wishes_at, done = 0.0, False
        while not (self._failures or lost.is_set() or done) and not stop.wait(TICK):
            if time.monotonic() >= wishes_at:
                wishes_at = time.monotonic() + WISH_SECONDS
                self._pass_wishes_on()
            done = once and self._settled()
        held = [f"{r.kind.name}: {r.lister.complaint}" for r in self.reflectors if r.lister.complaint]
        self._end(loops, publishing, lost=lost.is_set())
        if self._failures:
            raise self._failures[0]
        if done and held:
            raise SnapshotHeld(f"snapshots were published and not ended, so nothing is deleted: {'; '.join(held)}")

    def _end(self, loops: Sequence[threading.Thread], publishing: threading.Thread, *, lost: bool) -> None:
        """End all threads; STOP_SECONDS and DRAIN_SECONDS, and what closing the producer takes, at most."""
        self._halt.set()
        for reflector in self.reflectors:
            reflector.lister.wake()
        deadline = time.monotonic() + STOP_SECONDS
        while any(thread.is_alive() for thread in loops) and time.monotonic() < deadline:
            # Again and again: a request may have been on its way when its thread was told to halt.
            self._connection.interrupt()
            time.sleep(TICK / 4)
        unsent = self._publisher.close(within=0.0 if lost else DRAIN_SECONDS, thread=publishing)
        if unsent:
            logger.warning("events not sent, the next leader or start lists them again events=%d", unsent)
        for kind in self._kinds:
            self._health.ready(kind.name)
            self._health.note(kind.name, "")
            metrics.SILENCE.labels(kind.name).set_function(lambda: 0.0)  # who stands by hears nothing, and is well
        self._health.ready(BUS)

    def _settled(self) -> bool:
        """Whether all that was listed is durable.

        Looked at twice: what the bus lost is not on its way any more, and is listed again.
        """
        return self._all_listed() and self._publisher.idle and self._all_listed()

    def _all_listed(self) -> bool:
        return all(reflector.lister.settled.is_set() for reflector in self.reflectors)

    def _pass_wishes_on(self) -> None:
        try:
            wishes = self._register.wishes()
        except (OSError, ValueError) as error:
            logger.warning("wishes cannot be read: %s", error)
            return
        for reflector in self.reflectors:
            if wish := wishes.get(reflector.kind.name):
                reflector.lister.ask("asked", wish)

    def _list_all_again(self) -> None:
        for reflector in self.reflectors:
            reflector.lister.ask("bus lost")

    def _thread(self, name: str, body: Callable[[threading.Event], None]) -> threading.Thread:
        thread = threading.Thread(target=partial(self._guarded, name, body), name=name, daemon=True)
        thread.start()
        return thread

    def _guarded(self, name: str, body: Callable[[threading.Event], None]) -> None:
        try:
            body(self._halt)
        except Stopped:
            logger.debug("stopped while the bus held things up name=%s", name)
        except BaseException as error:
            logger.exception("thread failed name=%s", name)
            self._failures.append(error)
