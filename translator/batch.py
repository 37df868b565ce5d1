"""The work of one transaction, whatever the store: take a batch in, put the settings in, translate anew.

Each function is the body of one `Store.run`: it may be called again after a lost race, and then starts from
what the store says now.
"""

from __future__ import annotations

from collections import Counter

import msgspec

from schemas.records import SettingsRecord
from translator.fold import APPLIED, Action
from translator.fold_batch import Changed, Folded, fold_batch, keys_of, sweeps_of
from translator.intake import Batch
from translator.project import project
from translator.resource import NOWHERE, SETTINGS, Cause, Key, Resource, canonical, digest_of
from translator.store import DeadLetter, Move, ResourceChanges, Session, Store, Writes
from translator.version import version_of

PAGE = 500
"""Resources translated anew in one transaction."""
MOST_REMOVED = 2000
"""Resources removed in one transaction: a sweep of 100,000 would outlast every timeout, and never end."""


class Rules(msgspec.Struct, frozen=True, gc=False):
    """What translates: the consumer's name, the cluster's settings, and the version text that both imply."""

    consumer: str
    settings: SettingsRecord
    version: str

    @classmethod
    def of(cls, consumer: str, settings: SettingsRecord) -> Rules:
        """Rules with the version that the settings imply."""
        return cls(consumer, settings, version_of(settings))


class Summary(msgspec.Struct, frozen=True, gc=False):
    """What a transaction did: events by action, changes by operation, what it had to put aside.

    `unfinished`: the batch sweeps more than one transaction removes; take it again.
    """

    events: Counter[Action]
    changes: Counter[str]
    dead_letters: list[DeadLetter]
    unfinished: bool = False

    @property
    def dropped(self) -> int:
        """Events that changed nothing, because they were late, repeated or stale."""
        return sum(count for action, count in self.events.items() if action not in APPLIED)


def take(session: Session, batch: Batch, rules: Rules, *, most_removed: int = MOST_REMOVED) -> Summary:
    """Take one batch in; raises Fenced when another instance has moved one of its offsets."""
    epochs = session.epochs(batch.topic, [part.partition for part in batch.slices])
    sweeps = sweeps_of(batch)
    older = session.older(batch.topic, sweeps) if sweeps else {}
    folded = fold_batch(batch, session.heads(keys_of(batch)), older, epochs)
    if len(folded.rows.removed) > most_removed:
        return _take_part_of_sweep(session, batch, rules, folded, folded.rows.removed[:most_removed])
    moves = [Move(part.partition, part.expected, part.next_offset, rules.version) for part in batch.slices]
    session.advance(rules.consumer, batch.topic, moves)
    session.save_resources(folded.rows)
    refused = [each for part in batch.slices for each in part.refused]
    writes = Writes(topic=batch.topic, epochs=folded.epochs, dead_letters=refused, well_told=folded.well_told)
    project(session, rules.settings, folded.changed, writes)
    session.save(writes, rules.version)
    return _summary(folded.tally, writes)


def take_whole(store: Store, batch: Batch, rules: Rules) -> Summary:
    """Take one batch in, in as many transactions as its sweeps need; the summary is the last one's."""
    while (summary := store.run(lambda session: take(session, batch, rules))).unfinished:
        pass
    return summary


def _take_part_of_sweep(session: Session, batch: Batch, rules: Rules, folded: Folded, removed: list[Key]) -> Summary:
    """Remove some of what the batch's snapshots did not show, and nothing else: the offsets stay."""
    moves = [Move(part.partition, part.expected, part.expected, rules.version) for part in batch.slices]
    session.advance(rules.consumer, batch.topic, moves)
    session.save_resources(ResourceChanges([], [], [], removed))
    writes = Writes()
    project(session, rules.settings, {key: folded.changed[key] for key in removed}, writes)
    session.save(writes, rules.version)
    return Summary(Counter(), Counter(change.op for change in writes.changes), [], unfinished=True)


def put_settings(session: Session, rules: Rules) -> Summary:
    """Make the settings a resource, and what they imply desired objects; does nothing when it is so already."""
    text = canonical(rules.settings)
    resource = Resource(
        kind=SETTINGS,
        namespace="",
        name=rules.settings.cluster,
        api_version="",
        uid="",
        resource_version="",
        epoch=0,
        body=rules.settings,
        text=text,
        digest=digest_of(text),
        cause=Cause(NOWHERE),
    )
    head = session.heads([resource.key]).get(resource.key)
    if head is None:
        session.save_resources(ResourceChanges([resource], [], [], []))
    elif head.digest != resource.digest:
        session.save_resources(ResourceChanges([], [resource], [], []))
    writes = Writes()
    changed = {resource.key: Changed(resource, resource.cause, is_new=head is None)}
    project(session, rules.settings, changed, writes)
    session.save(writes, rules.version)
    return _summary(Counter(), writes)


def renew(
    session: Session, *, topic: str, partition: int, offset: int, after: Key | None, rules: Rules, old_version: str
) -> Key | None:
    """Translate one page of a partition's resources anew; returns its last key, None after the last page.

    The partition keeps its old version until the last page, so that an interrupted renewal starts again.
    """
    resources = session.page(topic, partition, after, PAGE)
    done = len(resources) < PAGE
    version = rules.version if done else old_version
    session.advance(rules.consumer, topic, [Move(partition, offset, offset, version)])
    writes = Writes()
    changed = {each.key: Changed(each, each.cause) for each in resources}
    project(session, rules.settings, changed, writes, with_readers=False)
    session.save(writes, rules.version)
    return None if done else resources[-1].key


def _summary(tally: Counter[Action], writes: Writes) -> Summary:
    changes = Counter(change.op for change in writes.changes)
    return Summary(tally, changes, writes.dead_letters)
