"""The Contrail objects that a picture is translated into, by the translator's own fold, in memory (no I/O)."""

from __future__ import annotations

import json
from collections.abc import Iterator

from console.policy.picture import Picture
from schemas.bus.port import Record
from schemas.codec import encode
from schemas.errors import TranslationError
from schemas.events import Op, Source, change
from schemas.identity import ResourceKey
from schemas.records import SettingsRecord
from translator.batch import Rules, put_settings, take_whole
from translator.intake import Batch, intake
from translator.memory import MemoryStore
from translator.policy.evaluate import Row

_TOPIC = "manifests"


def translated(picture: Picture, settings: SettingsRecord) -> tuple[Row, ...]:
    """Everything that the translator would have Contrail hold; raises TranslationError for what it would put aside."""
    store, rules = MemoryStore(), Rules.of("policy", settings)
    store.run(lambda session: put_settings(session, rules))
    records = list(_told(picture, settings.cluster))
    store.progress(rules.consumer, _TOPIC, [0], rules.version)
    if records:
        part = intake(settings.cluster, records, expected=0)
        take_whole(store, Batch(_TOPIC, [part]), rules)
    letters = [each.letter for each in store.tables.letters.values() if not each.resolved]
    if letters:
        raise TranslationError("; ".join(f"{each.resource}: {each.error}" for each in letters))
    objects = (row for row in store.tables.objects.values() if not row.absent)
    return tuple((row.type, row.fq_name, row.uuid, json.loads(row.body)) for row in objects)


def _told(picture: Picture, cluster: str) -> Iterator[Record]:
    for number, given in enumerate(picture.givens):
        event = change(
            op=Op.UPSERT,
            epoch=1,
            key=ResourceKey(given.kind, given.namespace, given.name),
            uid=given.uid,
            resource_version=str(number + 1),
            source=Source(cluster=cluster),
            body=given.record,
        )
        yield Record(_TOPIC, 0, number, str(event.key).encode(), encode(event))
