"""The loop that lists one kind: at the start, when the watch cannot go on, when asked, and by the resync timer.

A snapshot is begun with a new epoch and ended when all of it was read: downstream then deletes what it did not
name. So nothing is remembered over a restart, and a deletion that nobody saw is still noticed.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from itertools import chain

from schemas.errors import KubernetesUnavailable, NotServed
from watchers import metrics
from watchers.backoff import pause
from watchers.guard import Guard
from watchers.kubernetes_api import KubernetesApi
from watchers.ledger import Ledger
from watchers.letterbox import Letterbox
from watchers.register import Register, Wish
from watchers.standing import LISTING, STATE, Standing

logger = logging.getLogger(__name__)

TICK = 1.0
RECHECK_SECONDS = 300.0
"""How soon a listing that was not believed is looked at again; and how far apart listings are that had to be forced
again and again."""
ABSENT_SECONDS = 30.0
"""How soon it is looked again whether an optional kind is served by now."""
BEHIND_TRIES = 4
"""So often a listing older than what was seen is not taken: a server that lags catches up, a restored one does not."""
DRIFT = 0.1
"""The count of objects is remembered again when it has moved by more than this share."""


class Lister:
    """Lists one kind; `turn` for one thread, `ask` for all."""

    def __init__(
        self,
        api: KubernetesApi,
        ledger: Ledger,
        *,
        register: Register,
        guard: Guard,
        letterbox: Letterbox,
        standing: Standing,
        resync_seconds: float,
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._api = api
        self._ledger = ledger
        self._register = register
        self._guard = guard
        self._letterbox = letterbox
        self._standing = standing
        self._resync_seconds = resync_seconds
        self._clock = clock
        self._draw = draw
        self.settled = threading.Event()
        """Set while the newest listing is complete and no other was asked for, or the kind is not served."""
        self._kind = ledger.kind
        self._asked = threading.Event()
        self._wanted = "start"
        self._wish: Wish | None = None
        self._next = 0.0
        self._not_before = 0.0
        self._failures = self._behind = self._forced = 0
        self._forced_at = 0.0
        self._known: int | None = None
        self._kept: int | None = None
        self._serving: Wish | None = None
        self._granted: Wish | None = None

    @property
    def complaint(self) -> str:
        """Why the newest snapshot cannot be ended; '' when nothing speaks against it."""
        return self._ledger.complaint

    def run(self, stop: threading.Event) -> None:
        """List until `stop`; raises Stopped when the bus does not take events any more."""
        while not stop.is_set():
            seconds = self.turn()
            self._standing.beat(LISTING, seconds)
            if self._asked.wait(min(seconds, TICK)):
                self._asked.clear()
        self._keep_count(leaving=True)
        self._standing.ended(LISTING)

    def ask(self, reason: str, wish: Wish | None = None) -> None:
        """Have everything listed anew, soon: may be called from any thread, and again and again."""
        if wish is None:
            now = self._clock()
            self._forced = self._forced + 1 if now - self._forced_at < RECHECK_SECONDS else 0
            self._forced_at = now
            if self._forced:
                wait = pause(self._forced, draw=self._draw(), longest=RECHECK_SECONDS)
                self._not_before = max(self._not_before, now + wait)
        elif wish != self._wish:
            self._wish = wish
        else:
            return
        self._wanted = reason
        self.settled.clear()
        self._asked.set()

    def wake(self) -> None:
        """Have the loop look around: it may have been told to stop."""
        self._asked.set()

    def turn(self) -> float:
        """List if it is time to; seconds until it may be again."""
        now = self._clock()
        if now < self._not_before:
            return self._not_before - now
        if not self._wanted and now < self._next:
            self._keep_count()
            return self._next - now
        reason, self._wanted = self._wanted or "resync", ""
        try:
            self._list(reason)
        except (KubernetesUnavailable, OSError) as error:
            self._wanted = self._wanted or reason
            if isinstance(error, NotServed) and self._kind.optional:
                return self._absent(error)
            return self._failed(error)
        return 0.0

    def _list(self, reason: str) -> None:
        """One snapshot. The epoch is taken first: a newer epoch is then never an older state of the cluster."""
        wish = self._serving = self._wish
        epoch = self._register.next(self._kind.name)
        if self._ledger.ended:
            self._known = len(self._ledger)
        elif self._known is None:
            self._known = self._register.known(self._kind.name)
        seen = self._ledger.seen  # as of now: the watch goes on beside the listing
        parts = self._api.snapshot()
        first = next(parts)  # a list that is refused must not begin a snapshot
        version = first.resource_version
        self._require_newest(version, seen)
        metrics.LISTINGS.labels(self._kind.name, reason).inc()
        self._ledger.begin(epoch, version)
        for page in chain((first,), parts):
            for broken in self._ledger.read(page):
                self._letterbox.put_malformed(broken)
            self._standing.heard(len(self._ledger))
            self._standing.beat(LISTING)
            version = version or page.resource_version
            if self._wanted:
                raise KubernetesUnavailable(f"a listing of {self._kind.resource} was given up: {self._wanted}")
        self._require_newest(version, seen)
        self._complete(version, epoch, reason, wish)

    def _complete(self, version: str, epoch: int, reason: str, wish: Wish | None) -> None:
        """Everything has been read: judge it."""
        listed = len(self._ledger)
        objection = self._guard.objection(self._kind, known=self._known or 0, listed=listed)
        if objection and wish is not None and wish.confirmed and wish != self._granted:
            logger.warning("confirmed by a person: %s", objection)
            objection = None
        self._ledger.complete(version, objection=objection or "")
        self._failures = self._behind = 0
        self._next = self._clock() + self._resync_seconds * (0.9 + 0.2 * self._draw())
        logger.info(
            "listed kind=%s objects=%d epoch=%d version=%s reason=%s",
            *(self._kind.name, listed, epoch, version, reason),
        )
        if objection:
            self._next = min(self._next, self._clock() + RECHECK_SECONDS)
            logger.error("%s; if it is right: contrail-kube resync --confirm %s", objection, self._kind.name)
            self._hold(objection)
        self._kept = None
        self._keep_count()
        self._standing.well(LISTING)
        self._tell()
        self._settle()

    def _require_newest(self, version: str, seen: str) -> None:
        """Take no state older than what was seen, unless it stays: then etcd was restored from a backup."""
        if not (version.isdecimal() and seen.isdecimal() and int(version) < int(seen)):
            return
        self._behind += 1
        text = f"the list of {self._kind.resource} is of version {version}, and {seen} was seen"
        if self._behind <= BEHIND_TRIES:
            raise KubernetesUnavailable(f"{text}: the server lags, asking again")
        logger.warning("%s: the cluster's state went back, was etcd restored?", text)

    def _absent(self, error: NotServed) -> float:
        self._ledger.forget()
        self._failures = 0
        self._standing.trouble(LISTING, "not served: its CRD is not installed")
        logger.debug("%s", error)
        self._not_before = self._clock() + ABSENT_SECONDS
        self.settled.set()
        return ABSENT_SECONDS

    def _settle(self) -> None:
        self.settled.set()
        if self._wanted:  # whoever asked meanwhile may have cleared it before it was set
            self.settled.clear()

    def _failed(self, error: Exception) -> float:
        """Say so, and wait before the next try."""
        self._failures += 1
        metrics.API_ERRORS.labels(self._kind.name).inc()
        self._standing.trouble(LISTING, str(error))
        asked = error.retry_after if isinstance(error, KubernetesUnavailable) else 0.0
        seconds = pause(self._failures, draw=self._draw(), asked=asked)
        self._not_before = max(self._not_before, self._clock() + seconds)
        return seconds

    def _hold(self, objection: str) -> None:
        try:
            self._register.hold(self._kind.name, objection)
        except (KubernetesUnavailable, OSError) as error:
            logger.warning("the objection could not be written down kind=%s: %s", self._kind.name, error)

    def _tell(self) -> None:
        if complaint := self._ledger.complaint:
            self._standing.trouble(STATE, complaint)
        else:
            self._standing.well(STATE)

    def _keep_count(self, *, leaving: bool = False) -> None:
        """Keep the count of objects as the guard's measure, if the listing was good enough to be one."""
        count = len(self._ledger)
        if not self._ledger.ended:
            return
        if self._kept is not None and abs(count - self._kept) <= (0 if leaving else DRIFT * self._kept):
            return
        try:
            self._register.remember(self._kind.name, count, granted=self._serving)
            self._kept, self._granted = count, self._serving
        except (KubernetesUnavailable, OSError) as error:
            logger.warning("the count of objects could not be kept kind=%s: %s", self._kind.name, error)
