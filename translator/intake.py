"""From records of the bus to what a batch works on: decoded events, or dead letters with the reason (pure)."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from schemas.bus.port import Record
from schemas.codec import decode
from schemas.errors import MalformedObject, TranslationError, UndecodableRecord
from schemas.events import MARKERS, ChangeEvent
from schemas.letters import Letter, decode_letter
from translator.resource import Key, Position, canonical, key_of
from translator.store import DeadLetter
from translator.translate.registry import require_well_formed

MAX_PAYLOAD = 64 * 1024
"""Bytes of a refused record that its dead letter keeps: enough to see what it was, and bounded."""
MAX_NAME = 253
"""Characters of a name, namespace or uid: Kubernetes' own limit."""
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_NOT_IN_NAMES = re.compile(r"[\s\0/:]")
_EVENT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Arrival(msgspec.Struct, frozen=True, gc=False):
    """One decoded event; `text` is the canonical JSON of its body, b'' where it has none.

    A `malformed` body cannot be translated: it says that its object is there, and nothing else.
    """

    position: Position
    key: Key
    event: ChangeEvent
    text: bytes
    malformed: bool = False


class Slice(msgspec.Struct, frozen=True, gc=False):
    """Consecutive records of one partition, from stored offset `expected` to `next_offset`.

    `gap` says that records between `expected` and the first one are lost (retention has passed them).
    """

    partition: int
    expected: int
    next_offset: int
    gap: bool
    arrivals: list[Arrival]
    refused: list[DeadLetter]


class Batch(msgspec.Struct, frozen=True, gc=False):
    """What one transaction takes in: one slice per partition."""

    topic: str
    slices: list[Slice]


def intake(cluster: str, records: Sequence[Record], *, expected: int, gap: bool = False) -> Slice:
    """Decode the records of one partition, in order; at least one."""
    taken = Slice(records[0].partition, expected, records[-1].offset + 1, gap, [], [])
    for record in records:
        position = Position(record.topic, record.partition, record.offset)
        try:
            if (found := decode_letter(record.value)) is not None:
                taken.refused.append(_undecoded(position, found))
                continue
            arrival = _arrival(cluster, position, decode(record.value))
        except (UndecodableRecord, MalformedObject) as error:
            stage = "decode" if isinstance(error, UndecodableRecord) else "fold"
            taken.refused.append(letter(stage, position, _key_text(record.key), error, record.value or b""))
            continue
        try:
            require_well_formed(arrival.event)
        except TranslationError as error:
            arrival = msgspec.structs.replace(arrival, malformed=True)
            taken.refused.append(letter("fold", position, arrival.key, error, arrival.text, arrival.event.uid))
        taken.arrivals.append(arrival)
    return taken


def letter(
    stage: str, position: Position, resource: str, error: Exception, payload: bytes, uid: str = ""
) -> DeadLetter:
    """Dead letter of an error; texts are made storable, the payload is cut at MAX_PAYLOAD."""
    text = str(error).replace("\0", "\\0")
    return DeadLetter(stage, position, resource, type(error).__name__, text, payload[:MAX_PAYLOAD], uid)


def _undecoded(position: Position, found: Letter) -> DeadLetter:
    """Dead letter of what the watchers could not read of the API server's."""
    text = f"{found.reason} ({found.size} bytes, seen by watcher {found.watcher})"
    resource = str(found.key) if found.name else ""
    return letter("decode", position, _key_text(resource.encode()), MalformedObject(text), found.payload)


def _arrival(cluster: str, position: Position, event: ChangeEvent) -> Arrival:
    if event.source.cluster != cluster:
        raise UndecodableRecord(
            f"record of cluster {event.source.cluster!r} on the topic of cluster {cluster!r}: "
            "do two watchers share a topic, or is CONTRAIL_KUBE_CLUSTER_NAME wrong?"
        )
    if not _EVENT_ID.fullmatch(event.event_id):
        raise UndecodableRecord(f"event_id is {event.event_id!r}; accepted is a lower-case uuid")
    key = key_of(event.kind, event.namespace, event.name)
    if event.op in MARKERS:
        return Arrival(position, key, event, b"")
    _check_names(event)
    text = b"" if event.body is None else canonical(event.body)
    if b"\\u0000" in text and _NUL.search(text):
        raise MalformedObject(f"{key}: a text of it holds a NUL character, which the store cannot keep")
    return Arrival(position, key, event, text)


def _check_names(event: ChangeEvent) -> None:
    named = (("name", event.name, MAX_NAME), ("namespace", event.namespace, MAX_NAME), ("uid", event.uid, MAX_NAME))
    for field, value, limit in named:
        if len(value) > limit or _NOT_IN_NAMES.search(value) or (not value and field != "namespace"):
            raise MalformedObject(
                f"{event.kind} {event.namespace}/{event.name}: {field} is {value[:300]!r}; "
                f"accepted are 1 to {limit} characters without '/', ':' and white space"
            )
    if "\0" in event.resource_version or "\0" in event.api_version:
        raise MalformedObject(f"{event.kind} {event.namespace}/{event.name}: NUL in its version")


def _key_text(key: bytes | None) -> str:
    """Record key as the resource's text, '' if it is none."""
    text = (key or b"").decode(errors="replace").replace("\0", "\\0")
    return text if text.count("/") == 2 and len(text) <= 3 * MAX_NAME else ""
