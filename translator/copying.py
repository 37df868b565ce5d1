"""Rows as PostgreSQL's COPY text, and JSON as one statement's parameter (pure): the two ways rows travel in bulk.

COPY of 1 kB rows is 1.5 to 2.5 times as fast as execute_values or json_to_recordset, and costs the client least;
JSON keeps small key lists and narrow rows to one round trip.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable
from typing import Any

import msgspec

NULL = "\\N"
_SPECIAL = re.compile(r"[\\\t\n\r]")
_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_LATEST = 4_102_444_800_000_000
"""Microseconds at the year 2100: a clock beyond it is wrong, and the value is left out."""
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)

_encode = msgspec.json.Encoder().encode


def text(value: str) -> str:
    """A text field."""
    if value.isprintable() and "\\" not in value:
        return value
    return _SPECIAL.sub(lambda found: _ESCAPES[found[0]], value)


def json_text(value: bytes | None) -> str:
    """A jsonb field from JSON text, which holds no raw control characters."""
    return NULL if value is None else value.decode().replace("\\", "\\\\")


def binary(value: bytes) -> str:
    """A bytea field."""
    return f"\\\\x{value.hex()}"


def moment(microseconds: int) -> str:
    """A timestamp field from microseconds since the Unix epoch; NULL for 0 and for what no clock says."""
    if not 0 < microseconds < _LATEST:
        return NULL
    return (_EPOCH + datetime.timedelta(microseconds=microseconds)).isoformat()


def json_parameter(rows: Iterable[Any]) -> str:
    """Rows (lists, or dicts by column) as one JSON array, for json_array_elements and json_to_recordset."""
    return _encode(list(rows)).decode()
