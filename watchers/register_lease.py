"""The register as annotations of the watchers' Lease: one truth for all watchers, wherever they run."""

from __future__ import annotations

import time
from collections.abc import Callable

from schemas.errors import NotLeading
from watchers.lease import Json, Lease, notes_of
from watchers.register import Wish, raised

PREFIX = "opencontrail.org"
EPOCH, KNOWN, WISH, HELD = (f"{PREFIX}/{name}." for name in ("epoch", "known", "resync", "held"))


class RegisterLease:
    """A Register for all watchers of a cluster; it writes only while `holder` holds the Lease ('' : whoever does)."""

    def __init__(self, lease: Lease, *, holder: str = "", clock: Callable[[], float] = time.time) -> None:
        self._lease = lease
        self._holder = holder
        self._clock = clock

    def next(self, kind: str) -> int:
        """An epoch above every earlier one of the kind; in the cluster before it is returned."""

        def up(lease: Json) -> int:
            notes = self._notes(lease)
            epoch = raised(_number(notes.get(EPOCH + kind)), now=self._clock())
            notes[EPOCH + kind] = str(epoch)
            notes.pop(HELD + kind, None)
            return epoch

        return self._lease.swap(up)

    def known(self, kind: str) -> int:
        """What was last remembered."""
        lease = self._lease.look()
        return _number(notes_of(lease).get(KNOWN + kind)) if lease else 0

    def remember(self, kind: str, count: int, *, granted: Wish | None = None) -> None:
        """Remember how many objects there are."""

        def note(lease: Json) -> None:
            notes = self._notes(lease)
            notes[KNOWN + kind] = str(count)
            notes.pop(HELD + kind, None)
            if granted is not None and notes.get(WISH + kind) == str(granted):
                del notes[WISH + kind]

        self._lease.swap(note)

    def hold(self, kind: str, reason: str) -> None:
        """Tell people why the last snapshot is not believed."""
        self._lease.swap(lambda lease: self._notes(lease).__setitem__(HELD + kind, reason))

    def wishes(self) -> dict[str, Wish]:
        """As of when the Lease was last looked at, which the leader does every few seconds to renew it."""
        notes = self._lease.seen
        return {name.removeprefix(WISH): Wish.parse(text) for name, text in notes.items() if name.startswith(WISH)}

    def _notes(self, lease: Json) -> dict[str, str]:
        """The annotations, to be changed in place."""
        holder = lease["spec"].get("holderIdentity") or ""
        if self._holder and holder != self._holder:
            raise NotLeading(f"{self._lease} is held by {holder or 'nobody'}, not by this watcher ({self._holder})")
        notes: dict[str, str] = lease["metadata"]["annotations"]
        return notes


def _number(text: str | None) -> int:
    """The number in an annotation; 0 for nothing, and for what a person's hand has spoiled."""
    return int(text) if text is not None and text.isdecimal() else 0
