"""Keeps the bus true to one kind: lists it as a snapshot, then watches it, for as long as the process lives.

A snapshot is begun with a new epoch and ended when every page has been read: downstream then deletes what it did
not name. So nothing is remembered over a restart, and a deletion that nobody saw is still noticed. A watch that
breaks goes on at its last version; only expired history, a line that cannot be read, a server whose state went
back, a lost bus and the resync timer make it list again.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from itertools import chain

from schemas.errors import KubernetesUnavailable, MalformedObject, VersionExpired
from schemas.events import Op, Source, change
from watchers import metrics
from watchers.backoff import pause
from watchers.decoding import Bookmark, Change, Decoding, Event, Failure, Malformed, Page
from watchers.epochs import EpochSource
from watchers.guard import Guard
from watchers.inventory import Inventory
from watchers.kinds import Kind, Observed
from watchers.kubernetes_api import KubernetesApi
from watchers.publisher import Publisher
from watchers.standing import Standing

logger = logging.getLogger(__name__)

BRIEF = 1.0
"""A watch that ends within so many seconds without a word counts as a failure, lest it be renewed in a busy loop."""
RETRIED = frozenset({429, 500, 503, 504})
"""Codes inside a stream after which the same version is worth another try."""
TRIES = 3
RECHECK_SECONDS = 300.0
"""How soon a listing that was not believed is looked at again, and a resync that failed is tried again."""
DRIFT = 0.1
"""The count of objects is remembered again when it has moved by more than this share."""


class Reflector:
    """The loop of one kind; `run` in a thread of its own.

    `source` stamps an event; `confirmed`: a person has said that the first listing is right, however short.
    """

    def __init__(
        self,
        kind: Kind,
        *,
        api: KubernetesApi,
        epochs: EpochSource,
        publisher: Publisher,
        guard: Guard,
        standing: Standing,
        source: Callable[[], Source],
        resync_seconds: float,
        confirmed: bool = False,
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self.kind = kind
        self._api = api
        self._epochs = epochs
        self._publisher = publisher
        self._guard = guard
        self._standing = standing
        self._source = source
        self._resync_seconds = resync_seconds
        self._confirmed = confirmed
        self._clock = clock
        self._draw = draw
        self._decoding = Decoding(kind)
        self._stop = threading.Event()
        self._inventory = Inventory()
        self._known: int | None = None
        self._epoch = 0
        self._version = ""
        self._must_list = True
        self._reason = "start"
        self._wanted = ""
        self._objection: str | None = None
        self._ended = False
        self._next_listing = 0.0
        self._failures = 0
        self._forced = 0

    def run(self, stop: threading.Event) -> None:
        """List and watch until `stop` is set; reads under way end when the connection is interrupted."""
        self._stop = stop
        while not stop.is_set():
            self._standing.beat()
            try:
                self._go_on()
            except VersionExpired as error:
                self._list_next("expired")
                self._failed(error)
            except MalformedObject as error:
                metrics.UNDECODABLE.labels(self.kind.name).inc()
                self._list_next("undecodable")
                self._failed(error)
            except (KubernetesUnavailable, OSError) as error:
                self._failed(error)
        self._remember()
        self._standing.ended()

    def list_again(self, reason: str) -> None:
        """Have everything listed anew, soon: may be called from any thread."""
        self._wanted = reason

    def _go_on(self) -> None:
        if self._wanted:
            self._list_next(self._wanted)
            self._wanted = ""
        if self._must_list or self._clock() >= self._next_listing:
            self._list()
        else:
            self._watch()

    def _list(self) -> None:
        """One snapshot. The epoch is taken first: a newer epoch is then never an older state of the cluster."""
        # Should the API refuse, a watch that is still good goes on meanwhile.
        self._next_listing = self._clock() + min(RECHECK_SECONDS, self._resync_seconds)
        epoch = self._epochs.next(self.kind.name)
        if self._ended:
            self._known = len(self._inventory)
        elif self._known is None:
            self._known = self._epochs.known(self.kind.name)
        pages = self._api.pages(self.kind, self._decoding)
        first = next(pages)  # a list that is refused must not begin a snapshot
        metrics.LISTINGS.labels(self.kind.name, self._reason).inc()
        if _is_older(first.resource_version, self._version):
            logger.warning(
                "the cluster's state went back, was etcd restored? kind=%s from=%s to=%s",
                *(self.kind.name, self._version, first.resource_version),
            )
        # From here on events of the last epoch are stale downstream: a listing that fails is begun anew.
        self._epoch, self._must_list, self._ended = epoch, True, False
        self._inventory = Inventory()
        self._mark(Op.SNAPSHOT_BEGIN)
        for page in chain((first,), pages):
            if not self._read(page):
                return
        self._listed(first.resource_version)

    def _read(self, page: Page) -> bool:
        """One page; False when the process is to stop."""
        for observed in page.items:
            self._inventory.put(observed)
            if not self._offer(Op.READ, observed):
                return False
        for malformed in page.malformed:
            self._note_malformed(malformed)
        self._standing.heard(len(self._inventory))
        return not self._stop.is_set()

    def _listed(self, version: str) -> None:
        """Every page has been read: judge the listing, and go on from its version."""
        listed = len(self._inventory)
        objection = self._guard.objection(self.kind, known=self._known or 0, listed=listed)
        if objection and self._confirmed:
            logger.warning("confirmed by a person: %s", objection)
            objection = None
        elif objection:
            logger.error(
                "%s; if it is right, start the watchers once with CONTRAIL_KUBE_WATCHERS_CONFIRM=%s",
                *(objection, self.kind.name),
            )
        self._confirmed = False
        self._objection = objection
        wait = min(self._resync_seconds, RECHECK_SECONDS) if objection else self._resync_seconds
        self._next_listing = self._clock() + wait * (0.9 + 0.2 * self._draw())
        self._version, self._must_list = version, False
        logger.info(
            "listed kind=%s objects=%d epoch=%d version=%s reason=%s",
            *(self.kind.name, listed, self._epoch, version, self._reason),
        )
        self._reason = "resync"
        self._settle()

    def _settle(self) -> None:
        """End the snapshot if nothing speaks against it any more.

        A late end is as right as one at once: since the listing every change was published in its epoch.
        """
        if not self._objection and not self._inventory.malformed and not self._ended:
            self._mark(Op.SNAPSHOT_END)
            self._ended = True
            self._remember()
        self._tell()

    def _tell(self) -> None:
        if trouble := self._objection or self._inventory.complaint():
            self._standing.trouble(trouble)
        else:
            self._standing.well(len(self._inventory))

    def _watch(self) -> None:
        """One watch, from the last version until the server ends it, it breaks, or there is something to do."""
        began, heard = self._clock(), False
        with self._api.watch(self.kind, self._version, draw=self._draw()) as stream:
            self._tell()
            for lines in stream:
                heard = True
                for line in lines:
                    if not self._take(self._decoding.line(line)):
                        return
                self._standing.heard(len(self._inventory))
                if self._wanted or self._stop.is_set():
                    return
        if not heard and self._clock() - began < BRIEF:
            raise KubernetesUnavailable(f"the watch of {self.kind.resource} ends as soon as it has begun")
        self._failures = self._forced = 0
        if abs(len(self._inventory) - (self._known or 0)) > DRIFT * (self._known or 0):
            self._remember()

    def _take(self, event: Event) -> bool:
        """One event; False when the process is to stop."""
        match event:
            case Change(observed, deleted):
                if not self._take_change(observed, deleted=deleted):
                    return False
            case Bookmark(version):
                if _is_older(version, self._version):
                    raise VersionExpired(f"the state of {self.kind.resource} went back to version {version}")
                self._version = version or self._version
            case Malformed():
                self._note_malformed(event)
                self._version = event.resource_version or self._version
                self._tell()
            case Failure():
                self._raise(event)
        self._failures = 0
        return True

    def _take_change(self, observed: Observed, *, deleted: bool) -> bool:
        was_malformed = observed.uid in self._inventory.malformed
        if deleted:
            self._inventory.remove(observed.uid)
            taken = self._offer(Op.DELETE, observed)
        elif self._inventory.put(observed):
            taken = self._offer(Op.UPSERT, observed)
        else:
            metrics.SUPPRESSED.labels(self.kind.name).inc()
            taken = True
        if taken:
            self._version = observed.resource_version or self._version
        if was_malformed:
            self._settle()
        return taken

    def _raise(self, failure: Failure) -> None:
        """What an ERROR line inside a stream that was answered with 200 means."""
        text = f"watch of {self.kind.resource}: {failure.code} {failure.message[:300]}"
        if failure.code not in RETRIED or self._failures >= TRIES:
            raise VersionExpired(text)
        error = KubernetesUnavailable(text)
        error.retry_after = failure.retry_after
        raise error

    def _note_malformed(self, malformed: Malformed) -> None:
        metrics.UNDECODABLE.labels(self.kind.name).inc()
        logger.error("malformed object, its last good state stays: %s", malformed.reason)
        self._inventory.put_malformed(malformed)

    def _offer(self, op: Op, observed: Observed) -> bool:
        event = change(
            op=op,
            epoch=self._epoch,
            key=observed.key,
            uid=observed.uid,
            resource_version=observed.resource_version,
            source=self._source(),
            body=None if op is Op.DELETE else observed.record,
            api_version=self.kind.api_version,
        )
        return self._publisher.offer(event, patience=self._patience)

    def _patience(self) -> bool:
        self._standing.beat()
        return not self._stop.is_set()

    def _mark(self, op: Op) -> None:
        self._publisher.mark(
            op, epoch=self._epoch, kind=self.kind.name, api_version=self.kind.api_version, source=self._source()
        )

    def _list_next(self, reason: str) -> None:
        self._must_list, self._reason = True, reason
        self._forced += 1

    def _failed(self, error: Exception) -> None:
        """Say so, and wait before the next try."""
        if self._stop.is_set():
            return
        self._failures += 1
        metrics.API_ERRORS.labels(self.kind.name).inc()
        self._standing.trouble(str(error))
        asked = error.retry_after if isinstance(error, KubernetesUnavailable) else 0.0
        seconds = pause(max(self._failures, self._forced), draw=self._draw(), asked=asked)
        self._standing.beat(seconds)
        self._stop.wait(seconds)

    def _remember(self) -> None:
        """Keep the count of objects as the guard's measure, if the listing was good enough to be one."""
        if not self._ended:
            return
        try:
            self._epochs.remember(self.kind.name, len(self._inventory))
            self._known = len(self._inventory)
        except (KubernetesUnavailable, OSError) as error:
            logger.warning("the count of objects could not be kept kind=%s: %s", self.kind.name, error)


def _is_older(version: str, than: str) -> bool:
    """Whether a resourceVersion is older than another; numbers, as every API server's are, else unknown."""
    return version.isdecimal() and than.isdecimal() and int(version) < int(than)
