"""What has been said of one kind on the bus in its newest epoch, and so what is news: between two loops and the bus.

One loop lists, another watches, at the same time: a change goes out at once, however long the listing takes, and
what the listing shows later of an object that has changed meanwhile is not said any more. A snapshot is ended when
all of it was read, it is believed, and every object of it could be read.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from schemas.events import Op, Source, change
from watchers import metrics
from watchers.decoding import Malformed, Page
from watchers.inventory import Inventory
from watchers.kinds import Kind, Observed
from watchers.publisher import Publisher


class Stopped(Exception):
    """The process is to stop, or does not lead any more: what was offered was not taken."""


class Ledger:
    """The account of one kind; thread-safe.

    `going` is asked while the bus holds things up: False gives up, and the methods raise Stopped.
    """

    def __init__(
        self, kind: Kind, *, publisher: Publisher, source: Callable[[], Source], going: Callable[[], bool]
    ) -> None:
        self.kind = kind
        self._publisher = publisher
        self._source = source
        self._going = going
        self._changed = threading.Condition(threading.RLock())
        self._inventory = Inventory()
        self._moved: set[str] = set()
        self._covered = 0
        self._epoch = 0
        self._version = ""
        self._seen = ""
        self._reading = False
        self._objection = ""
        self._ended = False

    def __len__(self) -> int:
        """How many objects exist, as far as is known."""
        return len(self._inventory)

    @property
    def version(self) -> str:
        """From where to watch; '' while only a listing can tell."""
        return self._version

    @property
    def seen(self) -> str:
        """The newest version ever seen; '' before the first."""
        return self._seen

    @property
    def ended(self) -> bool:
        """Whether the newest snapshot was ended."""
        return self._ended

    @property
    def complaint(self) -> str:
        """What is wrong with what was listed or watched; '' when nothing is."""
        return self._objection or self._inventory.complaint()

    def await_version(self, seconds: float) -> str:
        """The version, as soon as there is one; '' if there is none after so many seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._version, seconds)
            return self._version

    def begin(self, epoch: int, version: str = "") -> None:
        """A snapshot begins. From here on events of the last epoch are stale downstream.

        `version`: where a watch can go on that misses nothing the snapshot does not show, if that is known yet.
        """
        with self._changed:
            self._epoch, self._reading, self._ended, self._objection = epoch, True, False, ""
            self._inventory, self._moved, self._covered = Inventory(), set(), _number(version)
            self._mark(Op.SNAPSHOT_BEGIN)
            self._adopt(version)

    def read(self, page: Page) -> list[Malformed]:
        """Part of the snapshot; those of its malformed objects that are news."""
        with self._changed:
            for observed in page.items:
                self._covered = max(self._covered, _number(observed.resource_version))
                if observed.uid not in self._moved:
                    self._inventory.put(observed)
                    self._offer(Op.READ, observed)
            broken = [each for each in page.malformed if each.uid not in self._moved]
            for each in broken:
                self._inventory.put_malformed(each)
            return broken

    def complete(self, version: str, *, objection: str = "") -> None:
        """All of the snapshot was read, and this is its version; `objection` is why it is not believed."""
        with self._changed:
            self._reading, self._moved, self._objection = False, set(), objection
            self._adopt(version)
            self._settle()

    def take(self, observed: Observed, *, deleted: bool) -> None:
        """An object was added, modified or deleted.

        A state that the snapshot's is not older than is no news: the watch may be behind a listing that is newer.
        """
        with self._changed:
            if not self._epoch or (not deleted and self._is_covered(observed.resource_version)):
                self.reached(observed.resource_version)
                return
            if self._reading:
                self._moved.add(observed.uid)
            if deleted:
                self._inventory.remove(observed.uid)
                self._offer(Op.DELETE, observed)
            elif self._inventory.put(observed):
                self._offer(Op.UPSERT, observed)
            else:
                metrics.SUPPRESSED.labels(self.kind.name).inc()
            self.reached(observed.resource_version)
            self._settle()

    def take_malformed(self, malformed: Malformed) -> None:
        """An object exists and could not be read: its last good state stays."""
        with self._changed:
            if not self._is_covered(malformed.resource_version):
                if self._reading:
                    self._moved.add(malformed.uid)
                self._inventory.put_malformed(malformed)
            self.reached(malformed.resource_version)

    def reached(self, version: str) -> None:
        """Everything up to this version was seen."""
        with self._changed:
            if version and self._version:  # one that has expired meanwhile stays so
                self._version = self._seen = version

    def expire(self) -> None:
        """No watch can go on any more: only a listing can."""
        with self._changed:
            self._version = ""

    def forget(self) -> None:
        """The kind is not served any more: there is nothing to watch, and nothing is deleted."""
        with self._changed:
            self._version = self._seen = self._objection = ""
            self._inventory, self._moved = Inventory(), set()
            self._reading = self._ended = False
            self._epoch = 0  # what is still on its way must not end a snapshot that shows nothing

    def _is_covered(self, version: str) -> bool:
        return 0 < _number(version) <= self._covered

    def _adopt(self, version: str) -> None:
        """Let the watch begin, if it has nowhere to go on."""
        if version and not self._version:
            self._version = self._seen = version
            self._changed.notify_all()

    def _settle(self) -> None:
        """End the snapshot if nothing speaks against it any more.

        A late end is as right as one at once: since the listing every change was published in its epoch.
        """
        if not self._ended and self._epoch and not self._reading and not self.complaint:
            self._mark(Op.SNAPSHOT_END)
            self._ended = True

    def _offer(self, op: Op, observed: Observed) -> None:
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
        if not self._publisher.offer(event, patience=self._going):
            raise Stopped

    def _mark(self, op: Op) -> None:
        self._publisher.mark(
            op, epoch=self._epoch, kind=self.kind.name, api_version=self.kind.api_version, source=self._source()
        )


def _number(version: str) -> int:
    """A resourceVersion as the number that every API server's is; 0 for what is none, which is then not compared."""
    return int(version) if version.isdecimal() else 0
