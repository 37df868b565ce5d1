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

MOST = 8192
"""Resources whose outcome is kept, about a kilobyte each; beyond, the one that has been as it is for longest goes."""


class Wishes(msgspec.Struct, frozen=True, gc=False):
    """What a translation returned; its objects and links by uuid, as rows to be, and their digests; its notices."""

    outcome: tuple[Outcome, ...]
    desired: Mapping[str, Desired]
    wanted: Mapping[str, Wanted]
    digests: Mapping[str, bytes]
    notices: Notices


_KEPT: dict[Key, Wishes] = {}


def wishes_of(resource: Resource, outcome: tuple[Outcome, ...]) -> Wishes:
    """The outcome of the resource's translation as wishes; of equal uuids the last one counts."""
    key = resource.key
    kept = _KEPT.get(key)
    if kept is not None and len(kept.outcome) == len(outcome) and all(map(is_, kept.outcome, outcome)):
        return kept
    made = _made(resource, outcome)
    _KEPT.pop(key, None)
    _KEPT[key] = made
    if len(_KEPT) > MOST:
        del _KEPT[next(iter(_KEPT))]
    return made


def _made(resource: Resource, outcome: tuple[Outcome, ...]) -> Wishes:
    home, rows, desired, digests = resource.home, {}, {}, {}
    for each in outcome:
        if not isinstance(each, Notice):
            row = wanted(each, home)
            rows[row.uuid], desired[row.uuid], digests[row.uuid] = row, each, row.digest
    notices = noticed(resource, outcome) if len(desired) < len(outcome) else NONE
    return Wishes(outcome, desired, rows, digests, notices)
