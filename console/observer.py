"""A thread that looks at the running pipeline a few times a second, and says when it is settled.

It reads the store, the ends of the log and the services' readiness; the screen shows its last look and never
waits for it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from console.snapshot import Snapshot
from schemas.errors import ContrailKubeError

PERIOD = 0.3
"""Seconds between looks, at least; a look takes at most a fifth of the time."""
RATE_SECONDS = 2.0
"""The rate of events is taken over at least so long."""
QUIET_SECONDS = 0.5
"""So long nothing may have moved, with everything done, until the run counts as settled."""


@dataclass(frozen=True, slots=True)
class Look:
    """One look: `ends` is None while the bus cannot be asked; `waiting` has a reason per service not ready.

    `problem` says why the store could not be read this time ('' if it was); the snapshot is the last good one.
    """

    snapshot: Snapshot = field(default_factory=Snapshot)
    ends: Mapping[int, int] | None = None
    waiting: Mapping[str, str] = field(default_factory=dict)
    events_lately: float = 0.0
    settled: bool = False
    problem: str = ""

    @property
    def end(self) -> int | None:
        """Records on the bus, as far as known."""
        return None if self.ends is None else sum(self.ends.values())


@dataclass(frozen=True, slots=True)
class Sources:
    """Where a look comes from; each may raise ContrailKubeError.

    `snapshot(first, rows)` reads the store, `ends` the bus; `waiting` asks the services; `listed(look)` says
    whether the feeding side has told everything that there is to tell for now.
    """

    snapshot: Callable[[int, int], Snapshot]
    ends: Callable[[], Mapping[int, int] | None]
    waiting: Callable[[], Mapping[str, str]]
    listed: Callable[[Snapshot], bool]


class Observer:
    """Looks until stopped; `latest` is its last look.

    While objects are blocked, nothing may have moved for `blocked_seconds` until the run counts as settled: what
    they wait for may still come.
    """

    def __init__(
        self, sources: Sources, *, blocked_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._sources = sources
        self._blocked_seconds = blocked_seconds
        self._clock = clock
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="observer", daemon=True)
        self._marks: list[tuple[float, int]] = []
        self._still: tuple[object, ...] = ()
        self._still_since = clock()
        self.page = (0, 20)
        self.latest = Look()

    def start(self) -> Observer:
        """Look once, so that there is something to show, and go on looking."""
        self.look()
        self._thread.start()
        return self

    def stop(self) -> None:
        """End after the look in hand."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(10)

    def look(self) -> Look:
        """Look once, now."""
        waiting = dict(self._sources.waiting())
        try:
            ends, problem = self._sources.ends(), ""
        except ContrailKubeError as error:
            ends, problem = None, str(error)
        try:
            # After the ends: what was at its end then is at least as far now.
            snapshot = self._sources.snapshot(*self.page)
        except ContrailKubeError as error:
            snapshot, problem = self.latest.snapshot, str(error)
        still = self._still_for(snapshot)
        patience = self._blocked_seconds if snapshot.counts.unapplied("blocked") else QUIET_SECONDS
        done = not problem and not waiting and still >= patience and self._done(snapshot, ends)
        self.latest = Look(
            snapshot=snapshot,
            ends=ends,
            waiting=waiting,
            events_lately=self._rate(snapshot.reading.events),
            settled=done,
            problem=problem,
        )
        return self.latest

    def _done(self, snapshot: Snapshot, ends: Mapping[int, int] | None) -> bool:
        return (
            ends is not None and snapshot.reading.at_end(ends) and snapshot.applied() and self._sources.listed(snapshot)
        )

    def _still_for(self, snapshot: Snapshot) -> float:
        """Seconds since anything moved."""
        counts, now = snapshot.counts, self._clock()
        picture = (snapshot.reading, counts.objects, counts.links, counts.dead_letters, snapshot.addressed)
        if picture != self._still:
            self._still, self._still_since = picture, now
        return now - self._still_since

    def _rate(self, events: int) -> float:
        now = self._clock()
        self._marks.append((now, events))
        while len(self._marks) > 2 and now - self._marks[1][0] >= RATE_SECONDS:
            self._marks.pop(0)
        then, before = self._marks[0]
        return (events - before) / (now - then) if now - then >= PERIOD else 0.0

    def _run(self) -> None:
        pause = PERIOD
        while not self._ended.wait(pause):
            began = self._clock()
            self.look()
            pause = max(PERIOD, 4 * (self._clock() - began))
