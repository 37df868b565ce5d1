"""Avro codec of change events: single-object encoding, so that every record names its own schema.

Wire format (Avro 1.11 specification, "Single-object encoding"): bytes C3 01, the CRC-64-AVRO fingerprint of
the writer's schema in little-endian order, the Avro body. Schemas are files `schemas/avro/change_event.v<N>.avsc`;
the newest one writes, every one of them can be read. Stateless; reads the schema files once.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec
from fastavro import parse_schema, schemaless_reader, schemaless_writer
from fastavro.schema import fingerprint, to_parsing_canonical_form

from schemas.errors import UndecodableRecord
from schemas.events import MARKERS, ChangeEvent, Op, Source
from schemas.records import RECORD_OF_KIND

MAGIC = b"\xc3\x01"
HEADER_BYTES = len(MAGIC) + 8
NEWEST = 3
_NAMESPACE = "org.opencontrail.kube"


@cache
def _schemas() -> tuple[Any, bytes, dict[bytes, Any]]:
    """Newest parsed schema, its header, and all parsed schemas by header."""
    by_header = {}
    newest = None
    newest_header = b""
    for version in range(1, NEWEST + 1):
        text = files("schemas").joinpath("avro", f"change_event.v{version}.avsc").read_text()
        raw = json.loads(text)
        header = MAGIC + bytes.fromhex(fingerprint(to_parsing_canonical_form(raw), "CRC-64-AVRO"))
        newest, newest_header = parse_schema(raw), header
        by_header[header] = newest
    return newest, newest_header, by_header


def encode(event: ChangeEvent) -> bytes:
    """Event as one self-describing record value."""
    schema, header, _ = _schemas()
    fields = msgspec.to_builtins(event)
    if event.body is not None:
        # Naming the union branch saves fastavro from trying them all: twice as fast.
        fields["body"] = (f"{_NAMESPACE}.{type(event.body).__name__}", fields["body"])
    buffer = io.BytesIO()
    buffer.write(header)
    schemaless_writer(buffer, schema, fields)
    return buffer.getvalue()


def decode(value: bytes | None) -> ChangeEvent:
    """Event of a record value; raises UndecodableRecord, saying what the bytes look like instead."""
    if value is None:
        raise UndecodableRecord("record has no value (a tombstone): was the topic set to compaction?")
    newest, _, by_header = _schemas()
    writer = by_header.get(value[:HEADER_BYTES])
    if writer is None:
        raise UndecodableRecord(_describe_header(value))
    # To find out that two schemas are the same takes as long as half of the reading.
    reader = None if writer is newest else newest
    fields = _read(lambda: schemaless_reader(io.BytesIO(value[HEADER_BYTES:]), writer, reader))
    return _event(fields)


def _read(read: Callable[[], Any]) -> dict[str, Any]:
    try:
        fields = read()
    except Exception as error:  # fastavro raises whatever the garbage happens to trip over
        raise UndecodableRecord(f"record body is not Avro of its schema, or cut short: {error!r}") from error
    if not isinstance(fields, dict):
        raise UndecodableRecord("record body is not an Avro record")
    return fields


def _event(fields: dict[str, Any]) -> ChangeEvent:
    kind, body = fields.get("kind", ""), fields.pop("body", None)
    try:
        op = Op(fields["op"])
    except ValueError:
        raise UndecodableRecord(f"unknown event type op={fields['op']!r}") from None
    record_type = RECORD_OF_KIND.get(kind)
    if record_type is None:
        raise UndecodableRecord(f"unknown kind={kind!r}: written by a newer watcher?")
    needs_body = op not in MARKERS and op is not Op.DELETE
    if needs_body != (body is not None):
        raise UndecodableRecord(f"op={op} of {kind} {'without' if needs_body else 'with'} a body")
    try:
        record = None if body is None else msgspec.convert(body, record_type)
    except msgspec.ValidationError as error:
        raise UndecodableRecord(f"record of kind={kind} does not fit its type: {error}") from error
    fields["op"], fields["body"], fields["source"] = op, record, Source(**fields["source"])
    return ChangeEvent(**fields)


def _describe_header(value: bytes) -> str:
    if not value:
        return "record value is empty"
    if not value.startswith(MAGIC):
        return f"record does not begin with the Avro single-object marker c301 but with {value[:4].hex()}"
    if len(value) < HEADER_BYTES:
        return f"record is cut short: {len(value)} bytes"
    return f"record was written with an unknown schema, fingerprint {value[2:HEADER_BYTES].hex()}: a newer watcher?"
