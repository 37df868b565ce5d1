"""Whether an orphan may be deleted (pure): every guard must let it go, and each says in words why it does not.

What they protect from is a store that knows less than it should: lost, restored from a backup, still catching up.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

COMPLETE = ("owner", "cluster", "kind", "name", "namespace")
"""Annotations that an orphan must have: what is not told is not guessed."""
FEW = 10
"""Orphans that are no mass deletion in any cluster: the objects of two or three pods."""
CLOCKS = timedelta(seconds=60)
"""How far the clocks of watchers and database may be apart."""


@dataclass(frozen=True, slots=True)
class Orphan:
    """An orphan as the audits saw it; `needs` are uuids of what it refers to, by field, and of its 'parent'."""

    uuid: str
    type: str
    fq_name: str
    annotations: Mapping[str, str]
    seen: int
    first_seen: datetime
    last_seen: datetime
    needs: Mapping[str, Collection[str]] = field(default_factory=dict)

    @property
    def needed(self) -> frozenset[str]:
        """Uuids of what it is to be deleted before."""
        return frozenset(uuid for uuids in self.needs.values() for uuid in uuids)

    @property
    def resource(self) -> str:
        """Key of the Kubernetes resource that it was made for, as in the store."""
        kind, namespace = self.annotations.get("kind", ""), self.annotations.get("namespace", "")
        return f"{kind}/{'' if kind == 'Namespace' else namespace}/{self.annotations.get('name', '')}"


@dataclass(frozen=True, slots=True)
class Listing:
    """How a kind stands in one partition; `listed_at` is when its newest whole listing began, None if none is known."""

    kind: str
    topic: str
    partition: int
    streaming: bool
    listed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Standing:
    """What the store says of itself.

    `desired` counts the objects that it wants; `partitions` are those of the bus that the translator reads;
    `letters` are the resources of open dead letters, '' among them for a record that nobody could read; `types` are
    those of the objects that it wants, None where that was not looked at. `alive` are the uids of those Kubernetes
    resources that are there and have not ended, of the ones that orphans were made for.
    """

    desired: int
    listings: tuple[Listing, ...]
    partitions: frozenset[tuple[str, int]]
    letters: frozenset[str] = frozenset()
    types: frozenset[str] | None = None
    alive: Mapping[str, str] = field(default_factory=dict)


def made_for(orphans: Iterable[Orphan]) -> dict[str, str]:
    """By uuid, the uid of the pod that each orphan was made for, where that can be told.

    A machine says so itself, what refers to it says so by that, and an address by its interface.
    """
    every = {orphan.uuid: orphan for orphan in orphans}
    found: dict[str, str] = {}
    for orphan in every.values():
        if uid := orphan.annotations.get("k8s_uuid"):
            found[orphan.uuid] = uid
        elif machines := orphan.needs.get("virtual_machine_refs"):
            found[orphan.uuid] = min(machines)
    for orphan in every.values():
        for interface in orphan.needs.get("virtual_machine_interface_refs", ()):
            if interface in found:
                found.setdefault(orphan.uuid, found[interface])
    return found


def why_kept(orphan: Orphan, standing: Standing, *, uid: str | None, distance: float) -> str:
    """Why the orphan must stay for now; '' if nothing speaks against its deletion. `uid` is as of `made_for`."""
    return (
        _incomplete(orphan)
        or _unsound(standing)
        or _unheard(orphan, standing)
        or _seen_too_little(orphan, distance)
        or _not_listed_since(orphan, standing)
        or _undecided(orphan, standing)
        or _untranslated(orphan, standing)
        or _in_use(orphan, standing, uid)
    )


def budget(standing: Standing, *, absolute: int, share: float) -> int:
    """Most orphans that one audit may delete; the share of a small cluster is not below FEW."""
    return min(absolute, max(FEW, int(share * standing.desired)))


def _incomplete(orphan: Orphan) -> str:
    lacking = [key for key in COMPLETE if not orphan.annotations.get(key)]
    return f"kept: its annotations do not say {', '.join(lacking)}" if lacking else ""


def _unsound(standing: Standing) -> str:
    if not standing.desired:
        return "kept: the store wants nothing at all, as one that was lost would"
    if not standing.listings:
        return "kept: the store has not heard of any watcher"
    for listing in standing.listings:
        if not listing.streaming:
            return f"kept: {listing.kind} is being listed (partition {listing.partition})"
    return ""


def _unheard(orphan: Orphan, standing: Standing) -> str:
    kinds = {listing.kind for listing in standing.listings}
    if orphan.annotations["kind"] not in kinds:
        return f"kept: it was made for a {orphan.annotations['kind']}, a kind that no watcher tells of"
    heard = {(listing.kind, listing.topic, listing.partition) for listing in standing.listings}
    for kind in sorted(kinds):
        for topic, partition in sorted(standing.partitions):
            if (kind, topic, partition) not in heard:
                return f"kept: nothing was heard of {kind} on partition {partition}"
    return ""


def _seen_too_little(orphan: Orphan, distance: float) -> str:
    if orphan.seen < 2:
        return "kept: seen by one audit only, two are needed"
    apart = (orphan.last_seen - orphan.first_seen).total_seconds()
    if apart < distance:
        return f"kept: seen for {apart:.0f} s only, {distance:.0f} s are needed"
    return ""


def _not_listed_since(orphan: Orphan, standing: Standing) -> str:
    since = orphan.first_seen + CLOCKS
    for listing in standing.listings:
        if listing.listed_at is None or listing.listed_at < since:
            return (
                f"kept: {listing.kind} was not listed anew since it was first seen (partition {listing.partition}): "
                "the translator may be behind"
            )
    return ""


def _undecided(orphan: Orphan, standing: Standing) -> str:
    if orphan.resource in standing.letters:
        return f"kept: {orphan.resource} could not be translated (dead letter)"
    if "" in standing.letters:
        return "kept: a record could not be read, and may be about it (dead letter)"
    return ""


def _untranslated(orphan: Orphan, standing: Standing) -> str:
    """A predecessor made it, for something that nothing is translated to yet: its service would be cut."""
    if standing.types is None or orphan.type in standing.types:
        return ""
    return f"kept: the store wants no {orphan.type} at all, so it cannot tell which are needed"


def _in_use(orphan: Orphan, standing: Standing, uid: str | None) -> str:
    """A predecessor's object of a pod that runs is no rubbish; one of an earlier pod of that name is."""
    alive = standing.alive.get(orphan.resource)
    if alive is None or (uid is not None and uid != alive):
        return ""
    return f"kept: {orphan.resource} is there, so it may be in use; `applier adopt --dry-run` says more"
