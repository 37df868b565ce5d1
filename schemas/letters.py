"""The undecoded letter: what the API server sent and no kind of ours reads, on its way to the dead letters (pure).

It travels in the log beside the change events, in Avro single-object encoding of a schema of its own, so that it is
in order with them, is replayed with them, and is a dead letter also to readers that know nothing of it.
"""

from __future__ import annotations

import io
import json
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec
from fastavro import parse_schema, schemaless_reader, schemaless_writer
from fastavro.schema import fingerprint, to_parsing_canonical_form

from schemas.errors import UndecodableRecord
from schemas.identity import ResourceKey

OP = "undecoded"
"""What the bus's header `op` says of a letter."""
MAX_PAYLOAD = 1024
"""Bytes kept: an object begins with its names; what follows, such as environments, is nobody's business here."""
MAX_REASON = 1000


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that could not be decoded: a watch line, or an object of a list.

    `namespace`, `name` and `uid` as far as they could be read; `size` is the bytes of the whole, of which `payload`
    is the beginning; `observed_at` is microseconds since the Unix epoch.
    """

    cluster: str
    watcher: str = ""
    kind: str
    namespace: str = ""
    name: str = ""
    uid: str = ""
    reason: str
    size: int
    payload: bytes
    observed_at: int = 0

    @property
    def key(self) -> ResourceKey:
        """Key of the resource, as far as it is known."""
        return ResourceKey(self.kind, self.namespace, self.name)


def encode_letter(letter: Letter) -> bytes:
    """Letter as one self-describing record value; reason and payload are cut at their limits."""
    schema, header = _schema()
    fields = msgspec.structs.asdict(letter)
    fields["reason"] = letter.reason[:MAX_REASON]
    fields["payload"] = letter.payload[:MAX_PAYLOAD]
    buffer = io.BytesIO()
    buffer.write(header)
    schemaless_writer(buffer, schema, fields)
    return buffer.getvalue()


def decode_letter(value: bytes | None) -> Letter | None:
    """Letter of a record value, None if it is none; raises UndecodableRecord for half of one."""
    schema, header = _schema()
    if value is None or not value.startswith(header):
        return None
    try:
        fields: Any = schemaless_reader(io.BytesIO(value[len(header) :]), schema, None)
        return Letter(**fields)
    except Exception as error:  # fastavro raises whatever the garbage happens to trip over
        raise UndecodableRecord(f"a letter's body is not Avro of its schema, or cut short: {error!r}") from error


@cache
def _schema() -> tuple[Any, bytes]:
    raw = json.loads(files("schemas").joinpath("avro", "letter.v1.avsc").read_text())
    header = b"\xc3\x01" + bytes.fromhex(fingerprint(to_parsing_canonical_form(raw), "CRC-64-AVRO"))
    return parse_schema(raw), header
