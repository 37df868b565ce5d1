"""Wishes of several resources to the one desired object that they share (pure).

An object lives while one resource wants it. Where they want it differently, one wish counts: a Kubernetes
resource's before the settings', then the smaller key's; so the result does not depend on who came first.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from translator.diff import Change, StoredObject, Wanted, put, remove
from translator.resource import SETTINGS, Cause, Key

Wishes = Mapping[Key, Mapping[str, Wanted]]
"""What each translated resource wants now, by uuid."""
Before = Mapping[Key, Mapping[str, bytes]]
"""What it wanted before: digest by uuid."""


class Stored(msgspec.Struct, frozen=True, gc=False):
    """Rows of the store for the objects in question: themselves, who wants them, and their highest generations.

    `sources` hold those whose wish may count; of an object on which all are `agreed`, nobody.
    """

    objects: Mapping[str, StoredObject]
    sources: Mapping[str, Mapping[Key, bytes]]
    last_generations: Mapping[str, int]


class Merged(msgspec.Struct, frozen=True, gc=False):
    """The changes, and resources whose wish counts from now on but whose translation is not at hand.

    `held` are (uuid, resource, digest of what is stored) where the wish that counts from now on cannot be told anew.
    """

    changes: list[Change]
    needed: set[Key]
    held: list[tuple[str, Key, bytes]]


def moved(wishes: Wishes, before: Before) -> dict[str, set[Key]]:
    """Objects of which a wish came, went or changed, with whose."""
    result: dict[str, set[Key]] = {}
    for key, now in wishes.items():
        was = before.get(key, {})
        for uuid, wish in now.items():
            if was.get(uuid) != wish.digest:
                result.setdefault(uuid, set()).add(key)
        for uuid in was:
            if uuid not in now:
                result.setdefault(uuid, set()).add(key)
    return result


def agreed(row: StoredObject, wishes: Wishes, keys: set[Key]) -> bool:
    """Whether all of these resources want what is stored: then nothing changes, whoever else wants the object."""
    return not row.absent and all(
        (wish := wishes[key].get(row.uuid)) is not None and wish.digest == row.digest for key in keys
    )


def merge(
    wishes: Wishes,
    touched: Mapping[str, set[Key]],
    causes: Mapping[Key, Cause],
    stored: Stored,
    failed: frozenset[Key] = frozenset(),
) -> Merged:
    """Changes of the touched objects; those that wait for a `needed` translation are left out.

    The wish of a `failed` resource cannot be told anew: what is stored stays, and counts as its wish until it is told.
    """
    merged = Merged([], set(), [])
    for uuid in sorted(touched):
        resource = min(touched[uuid], key=_rank)
        old = stored.objects.get(uuid)
        generation = 1 + max(0 if old is None else old.generation, stored.last_generations.get(uuid, 0))
        wish = _counting(uuid, wishes, touched[uuid], stored.sources.get(uuid, {}))
        if wish is None:
            if old is not None and not old.absent:
                change = remove(old, generation=generation, resource=resource, cause=causes[resource])
                merged.changes.append(change)
            continue
        winner, digest, body = wish
        if old is not None and not old.absent and old.digest == digest:
            continue
        if winner in failed:
            if old is not None:
                merged.held.append((uuid, winner, old.digest))
            continue
        if body is None:
            merged.needed.add(winner)
            continue
        cause = causes[resource]
        merged.changes.append(put(body, old, generation=generation, resource=resource, cause=cause))
    return merged


def _counting(
    uuid: str, wishes: Wishes, touched: set[Key], sources: Mapping[Key, bytes]
) -> tuple[Key, bytes, Wanted | None] | None:
    """The wish that counts: whose, its digest, and itself where it is at hand; None when nobody wants the object."""
    now = {key: digest for key, digest in sources.items() if key not in touched}
    now.update({key: wishes[key][uuid].digest for key in touched if uuid in wishes[key]})
    if not now:
        return None
    winner = min(now, key=_rank)
    return winner, now[winner], wishes.get(winner, {}).get(uuid)


def _rank(key: Key) -> tuple[bool, str]:
    return key.startswith(f"{SETTINGS}/"), key
