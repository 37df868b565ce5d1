"""Keeps the bus true to one kind: a loop that lists and one that watches, over one ledger."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from schemas.events import Source
from watchers.connection import Connection
from watchers.follower import Follower
from watchers.guard import Guard
from watchers.kinds import Kind
from watchers.kubernetes_api import KubernetesApi, Limits
from watchers.ledger import Ledger
from watchers.letterbox import Letterbox
from watchers.lister import Lister
from watchers.publisher import Publisher
from watchers.register import Register
from watchers.settings import WatchersSettings
from watchers.standing import LISTING, WATCHING, Standing


@dataclass(frozen=True, slots=True)
class Reflector:
    """The two loops of one kind; each is run in a thread of its own."""

    kind: Kind
    lister: Lister
    follower: Follower

    def loops(self) -> tuple[Callable[[threading.Event], None], ...]:
        """What to run until the event is set."""
        return self.lister.run, self.follower.run


def reflect(
    kind: Kind,
    settings: WatchersSettings,
    *,
    connection: Connection,
    register: Register,
    publisher: Publisher,
    standing: Standing,
    source: Callable[[], Source],
    going: Callable[[], bool],
) -> Reflector:
    """The reflector of a kind, put together; `going` is False once it is to stop."""
    limits = Limits(page_size=settings.page_size, watch_timeout=settings.read_timeout, streams=settings.streamed_lists)
    api = KubernetesApi(connection, kind, limits)
    letterbox = Letterbox(kind.name, publisher=publisher, source=source)

    def held_up() -> bool:
        """Both loops may wait for the bus, one of them for the other's sake: for as long as it takes, and alive."""
        if not going():
            return False
        standing.beat(LISTING)
        standing.beat(WATCHING)
        return True

    ledger = Ledger(kind, publisher=publisher, source=source, going=held_up)
    lister = Lister(
        api,
        ledger,
        register=register,
        guard=Guard(settings.guard_share, settings.guard_floor),
        letterbox=letterbox,
        standing=standing,
        resync_seconds=settings.resync_seconds,
    )
    follower = Follower(api, ledger, listing=lister.ask, letterbox=letterbox, standing=standing)
    return Reflector(kind, lister, follower)
