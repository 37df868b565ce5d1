"""The loop that watches one kind, from the version that its listing gave it, for as long as the process lives.

A watch that breaks goes on at its last version; only expired history, a line that cannot be read and a server whose
state went back need a listing, which the other loop makes.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

from schemas.errors import KubernetesUnavailable, MalformedObject, NotServed, VersionExpired
from watchers import metrics
from watchers.backoff import pause
from watchers.decoding import Bookmark, Change, Event, Failure, Malformed
from watchers.kubernetes_api import KubernetesApi
from watchers.ledger import Ledger
from watchers.letterbox import Letterbox
from watchers.refusals import failed
from watchers.standing import STATE, WATCHING, Standing

BRIEF = 1.0
"""A watch that ends within so many seconds without a word counts as a failure, lest it be renewed in a busy loop."""
RETRIED = frozenset({429, 500, 503, 504})
"""Codes inside a stream after which the same version is worth another try."""
TRIES = 3
TICK = 0.5


class Follower:
    """Watches one kind; `listing` asks for a listing, with the reason."""

    def __init__(
        self,
        api: KubernetesApi,
        ledger: Ledger,
        *,
        listing: Callable[[str], None],
        letterbox: Letterbox,
        standing: Standing,
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._api = api
        self._ledger = ledger
        self._listing = listing
        self._letterbox = letterbox
        self._standing = standing
        self._clock = clock
        self._draw = draw
        self._kind = ledger.kind
        self._failures = 0

    def run(self, stop: threading.Event) -> None:
        """Watch until `stop` is set; reads under way end when the connection is interrupted."""
        while not stop.is_set():
            self._standing.beat(WATCHING)
            if self._ledger.await_version(TICK):
                seconds = self.turn(stop)
                self._standing.beat(WATCHING, seconds)
                stop.wait(seconds)
        self._standing.ended(WATCHING)

    def turn(self, stop: threading.Event) -> float:
        """One watch, from the last version until the server ends it or it breaks; seconds to wait before the next."""
        try:
            self._watch(stop)
        except VersionExpired as error:
            self._ledger.expire()
            self._listing("expired")
            return self._failed(error, stop)
        except MalformedObject as error:  # not a line at all: the next watch would begin with it again
            self._letterbox.put_line(b"", str(error))
            self._ledger.expire()
            self._listing("undecodable")
            return self._failed(error, stop)
        except NotServed as error:
            self._ledger.expire()
            self._listing("not served")
            return 0.0 if self._kind.optional else self._failed(error, stop)
        except (KubernetesUnavailable, OSError) as error:
            return self._failed(error, stop)
        return 0.0

    def _watch(self, stop: threading.Event) -> None:
        began, heard = self._clock(), False
        if not (version := self._ledger.version):
            return
        with self._api.watch(version, draw=self._draw()) as stream:
            self._standing.well(WATCHING)
            for lines in stream:
                heard = True
                for line in lines:
                    self._take(line)
                self._standing.heard(len(self._ledger))
                self._standing.beat(WATCHING)
                if stop.is_set():
                    return
        if not heard and self._clock() - began < BRIEF:
            raise KubernetesUnavailable(f"the watch of {self._kind.resource} ends as soon as it has begun")
        self._failures = 0

    def _take(self, line: bytes) -> None:
        try:
            event: Event = self._api.decode(line)
        except MalformedObject as error:
            # What it said is lost, what follows is not: the watch goes on beside the listing.
            self._letterbox.put_line(line, str(error))
            self._listing("undecodable")
            return
        match event:
            case Change(observed, deleted):
                self._ledger.take(observed, deleted=deleted)
                self._tell()
            case Bookmark(version):
                self._check_order(version)
                self._ledger.reached(version)
            case Malformed():
                self._letterbox.put_malformed(event)
                self._ledger.take_malformed(event)
                self._tell()
            case Failure():
                self._raise(event)
        self._failures = 0

    def _check_order(self, version: str) -> None:
        last = self._ledger.version
        if version.isdecimal() and last.isdecimal() and int(version) < int(last):
            raise VersionExpired(f"the state of {self._kind.resource} went back to version {version}")

    def _tell(self) -> None:
        if complaint := self._ledger.complaint:
            self._standing.trouble(STATE, complaint)
        else:
            self._standing.well(STATE)

    def _raise(self, failure: Failure) -> None:
        """What an ERROR line inside a stream that was answered with 200 means."""
        error = failed(failure.code, failure.message, failure.retry_after, doing=f"watch of {self._kind.resource}")
        if failure.code not in RETRIED or self._failures >= TRIES:
            raise VersionExpired(str(error))
        raise error

    def _failed(self, error: Exception, stop: threading.Event) -> float:
        """Say so; how long to wait before the next try."""
        if stop.is_set():
            return 0.0
        self._failures += 1
        metrics.API_ERRORS.labels(self._kind.name).inc()
        self._standing.trouble(WATCHING, str(error))
        asked = error.retry_after if isinstance(error, KubernetesUnavailable) else 0.0
        return pause(self._failures, draw=self._draw(), asked=asked)
