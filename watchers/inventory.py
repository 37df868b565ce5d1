"""What one watcher knows of a kind's objects: a digest of each, enough to tell a change from noise (pure).

About 150 bytes an object. Heartbeats, status and managedFields are not part of records, so their updates have
the digest of what was there before.
"""

from __future__ import annotations

import hashlib

import msgspec

from schemas.records import Record
from watchers.decoding import Malformed
from watchers.kinds import Observed

_encoder = msgspec.msgpack.Encoder(order="deterministic")


def digest(record: Record | None) -> bytes:
    """Twelve bytes that are the same for the same record, whatever the order of its maps."""
    return hashlib.blake2b(_encoder.encode(record), digest_size=12).digest()


class Inventory:
    """The objects of one kind by uid; `malformed` are those that could not be read, with the reason."""

    def __init__(self) -> None:
        self._digests: dict[str, bytes] = {}
        self.malformed: dict[str, str] = {}

    def __len__(self) -> int:
        """How many objects exist, readable or not."""
        return len(self._digests) + sum(uid not in self._digests for uid in self.malformed)

    def put(self, observed: Observed) -> bool:
        """The object is as observed; whether that is news: it is new, or its record is another than before."""
        fresh = digest(observed.record)
        if self.malformed:
            self.malformed.pop(observed.uid, None)
        if self._digests.get(observed.uid) == fresh:
            return False
        self._digests[observed.uid] = fresh
        return True

    def remove(self, uid: str) -> None:
        """The object is gone."""
        self._digests.pop(uid, None)
        self.malformed.pop(uid, None)

    def put_malformed(self, malformed: Malformed) -> None:
        """The object exists and could not be read; what was known of it before stays."""
        self.malformed[malformed.uid] = malformed.reason

    def complaint(self) -> str:
        """What is wrong with one of the malformed objects, and how many there are; '' when there is none."""
        if not self.malformed:
            return ""
        reason = next(iter(self.malformed.values()))
        return f"{len(self.malformed)} malformed, their last good state stays: {reason}"
