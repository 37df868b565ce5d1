"""From changed resources to changed desired objects: the part of a transaction behind the fold.

Translates what changed and whatever read it, merges the wishes, and gathers every row to write. One step is
enough for the readers: translations read resources, never each other's results.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from schemas.records import SettingsRecord
from translator.fold_batch import Changed
from translator.foresight import foresee
from translator.intake import letter
from translator.merge import Before, Stored, Wishes, agreed, merge, moved
from translator.notice import NONE, Notices
from translator.resource import Cause, Key, list_keys
from translator.rounds import Rounds, Translated
from translator.store import Session, Writes


def project(
    session: Session,
    settings: SettingsRecord,
    changed: Mapping[Key, Changed],
    writes: Writes,
    *,
    with_readers: bool = True,
) -> None:
    """Add to `writes` all that follows from the changed resources, which the session has saved already.

    Without readers only these resources are translated: for a renewal, whose turn comes to all of them.
    """
    if not changed:
        return
    readers = _readers(session, changed) if with_readers else set()
    subjects = [*changed, *sorted(readers)]
    known = [key for key in subjects if not (key in changed and changed[key].is_new)]
    old_reads, before, noticed = session.reads(known), session.wishes(known), session.notices(known)
    rounds = Rounds(session, settings, before)
    rounds.know({key: each.resource for key, each in changed.items()})
    foreseen = (key for each in changed.values() if each.is_new and each.resource for key in foresee(each.resource))
    rounds.load({*readers, *foreseen, *(read for reads in old_reads.values() for read in reads)})
    translated = rounds.translate(subjects)
    _let_go(changed, translated)
    _gather_reads(translated, old_reads, writes)
    causes = _causes(changed, readers, old_reads)
    _gather_objects(session, rounds, translated, causes, before, writes)
    _gather_notices(translated, noticed, writes)
    _gather_letters(rounds, translated, causes, writes)


def _readers(session: Session, changed: Mapping[Key, Changed]) -> set[Key]:
    return session.readers({read for key in changed for read in (key, *list_keys(key))}) - changed.keys()


def _let_go(changed: Mapping[Key, Changed], translated: Translated) -> None:
    """What cannot be translated keeps what it had; a successor of the same name had nothing."""
    for key in translated.failures:
        if key in changed and changed[key].is_successor:
            translated.wishes[key], translated.notices[key] = {}, NONE


def _causes(
    changed: Mapping[Key, Changed], readers: Collection[Key], old_reads: Mapping[Key, frozenset[Key]]
) -> dict[Key, Cause]:
    """Why each subject is translated: its own record, or that of the first thing it read and that changed."""
    causes = {key: each.cause for key, each in changed.items()}
    by_list = {read: key for key in sorted(changed, reverse=True) for read in list_keys(key)}
    for reader in readers:
        read = [changed[key].cause for key in old_reads.get(reader, ()) if key in changed]
        read += [changed[by_list[key]].cause for key in old_reads.get(reader, ()) if key in by_list]
        causes[reader] = min(read, key=lambda cause: cause.position)
    return causes


def _gather_reads(translated: Translated, old_reads: Mapping[Key, frozenset[Key]], writes: Writes) -> None:
    for key, reads in translated.reads.items():
        old = old_reads.get(key, frozenset())
        if reads != old:
            writes.reads_added += [(key, read) for read in sorted(reads - old)]
            writes.reads_removed += [(key, read) for read in sorted(old - reads)]


def _gather_notices(translated: Translated, before: Mapping[Key, Notices], writes: Writes) -> None:
    """Those of a resource whose translation failed stay, as its objects do."""
    for key, now in translated.notices.items():
        was = before.get(key, NONE)
        writes.notices_told += [(key, *place, said) for place, said in now.items() if was.get(place) != said]
        writes.notices_gone += [(key, *place) for place in was if place not in now]


def _gather_objects(
    session: Session,
    rounds: Rounds,
    translated: Translated,
    causes: dict[Key, Cause],
    before: Before,
    writes: Writes,
) -> None:
    """Merge the wishes; translate again whose wish counts now but was not at hand."""
    wishes: Wishes = translated.wishes
    touched = moved({key: now for key, now in wishes.items() if key not in translated.same}, before)
    if not touched:
        return
    stored = _load(session, translated.wishes, touched, before)
    failed = frozenset(translated.failures)
    merged = merge(translated.wishes, touched, causes, stored, failed)
    asked: set[Key] = set()
    while merged.needed:
        more = rounds.translate(merged.needed)
        # Who does not want it any more, by rules that it was not translated by before, takes it back at its own turn.
        failed |= more.failures.keys() | (merged.needed & asked)
        asked |= merged.needed
        wishes = {**wishes, **more.wishes}
        merged = merge(wishes, touched, causes, stored, failed)
    writes.changes += merged.changes
    writes.sources_changed += merged.held
    _gather_sources(translated.wishes, before, touched, writes)


def _load(session: Session, wishes: Wishes, touched: Mapping[str, set[Key]], before: Before) -> Stored:
    """The rows that decide. Of an object's sources as many as tell which one counts, beside those that are touched."""
    objects = session.objects(touched)
    unknown = [uuid for uuid in touched if uuid not in objects]
    doubtful = {uuid: touched[uuid] for uuid, row in objects.items() if not agreed(row, wishes, touched[uuid])}
    # One more than those that moved, and one for the settings, whose key may be the smallest and counts last.
    most = {uuid: 2 + sum(uuid in before.get(key, ()) for key in keys) for uuid, keys in doubtful.items()}
    return Stored(objects, session.sources(most), session.last_generations(unknown))


def _gather_sources(wishes: Wishes, before: Before, touched: Mapping[str, set[Key]], writes: Writes) -> None:
    for uuid, keys in touched.items():
        for key in keys:
            now, was = wishes[key].get(uuid), uuid in before.get(key, {})
            if now is None:
                writes.sources_removed.append((uuid, key))
            elif was:
                writes.sources_changed.append((uuid, key, now.digest))
            else:
                writes.sources_added.append((uuid, key, now.digest))


def _gather_letters(rounds: Rounds, translated: Translated, causes: Mapping[Key, Cause], writes: Writes) -> None:
    """A dead letter lies at its resource's own record, whatever made it be translated: so it stays one row."""
    for key in translated.reads:
        resource = rounds.found(key)
        if key in translated.failures:
            assert resource is not None
            error = translated.failures[key]
            place = resource.cause.position
            writes.dead_letters.append(letter("translate", place, key, error, resource.text, resource.uid))
        else:
            writes.well_translated[key] = (causes[key] if resource is None else resource.cause).position
