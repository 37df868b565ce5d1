"""What translations came to, kept: most events of a pod's or slice's life change nothing of what it asks for (pure).

Translations keep their objects (see translator/diff.py), so that an outcome is the same as the last one where all of
its parts are the same objects: to see that takes a tenth of the time of making wishes of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import is_

import msgspec

from schemas.contrail.objects import Desired
from translator.diff import Wanted, wanted
from translator.notice import NONE, Notice, Notices, Outcome, noticed
from translator.resource import Key, Resource

MOST = 65536
"""Parts of all outcomes that are kept, two kilobytes each: a pod has half a dozen, a namespace may have thousands."""


class Wishes(msgspec.Struct, frozen=True, gc=False):
    """What a translation returned; its objects and links by uuid, as rows to be, and their digests; its notices."""

    outcome: tuple[Outcome, ...]
    desired: Mapping[str, Desired]
    wanted: Mapping[str, Wanted]
    digests: Mapping[str, bytes]
    notices: Notices


class Kept:
    """Wishes by resource; beyond `most` parts in all, those that have been as they are for longest go."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._parts = 0
        self._wishes: dict[Key, Wishes] = {}

    def get(self, key: Key) -> Wishes | None:
        """What is kept of the resource."""
        return self._wishes.get(key)

    def keep(self, key: Key, made: Wishes) -> None:
        """Keep this of the resource."""
        self._forget(key)
        self._wishes[key] = made
        self._parts += _room(made)
        while self._parts > self._most and self._wishes:
            self._forget(next(iter(self._wishes)))

    def clear(self) -> None:
        """Forget all."""
        self._wishes.clear()
        self._parts = 0

    def _forget(self, key: Key) -> None:
        if (gone := self._wishes.pop(key, None)) is not None:
            self._parts -= _room(gone)


KEPT = Kept()


def wishes_of(resource: Resource, outcome: tuple[Outcome, ...]) -> Wishes:
    """The outcome of the resource's translation as wishes; of equal uuids the last one counts."""
    key = resource.key
    kept = KEPT.get(key)
    if kept is not None and len(kept.outcome) == len(outcome) and all(map(is_, kept.outcome, outcome)):
        return kept
    made = _made(resource, outcome)
    KEPT.keep(key, made)
    return made


def _room(made: Wishes) -> int:
    """Nothing at all takes room, too."""
    return 1 + len(made.outcome)


def _made(resource: Resource, outcome: tuple[Outcome, ...]) -> Wishes:
    home, rows, desired, digests = resource.home, {}, {}, {}
    for each in outcome:
        if not isinstance(each, Notice):
            row = wanted(each, home)
            rows[row.uuid], desired[row.uuid], digests[row.uuid] = row, each, row.digest
    notices = noticed(resource, outcome) if len(desired) < len(outcome) else NONE
    return Wishes(outcome, desired, rows, digests, notices)
