"""Released schema versions are never edited, and the next one may only differ in what stays readable."""

from __future__ import annotations

import copy
import io
import json
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import pytest
from fastavro import parse_schema, schemaless_reader, schemaless_writer
from fastavro.schema import fingerprint, to_parsing_canonical_form

from schemas.codec import NEWEST, decode, encode
from schemas.errors import UndecodableRecord
from tests.schemas.evolution import complaints
from tests.schemas.examples import EVENTS

RELEASED = {1: "777f5d676def96d0", 2: "26ce94b8e65afb74", 3: "e15aa952bac80677"}
"""Fingerprint of each released version: the bus holds records that name it."""
OP = {"type": "enum", "name": "Op", "symbols": ["upsert", "delete"]}
THING = {
    "type": "record",
    "name": "Thing",
    "fields": [
        {"name": "name", "type": "string"},
        {"name": "note", "type": "string", "default": ""},
        {"name": "op", "type": OP},
        {"name": "parts", "type": {"type": "array", "items": "int"}, "default": []},
    ],
}


def _schema(version: int) -> Any:
    return json.loads(files("schemas").joinpath("avro", f"change_event.v{version}.avsc").read_text())


@pytest.mark.parametrize("version", range(1, NEWEST + 1))
def test_case_47_a_released_version_is_never_edited(version: int) -> None:
    assert fingerprint(to_parsing_canonical_form(_schema(version)), "CRC-64-AVRO") == RELEASED[version]


@pytest.mark.parametrize("version", range(1, NEWEST))
def test_case_47_every_version_and_the_next_read_each_other(version: int) -> None:
    assert complaints(_schema(version), _schema(version + 1)) == []


@pytest.mark.parametrize("name", ["pod", "namespace", "node", "delete", "marker"])
def test_case_47_an_old_reader_reads_what_a_new_writer_writes_of_its_kinds(name: str) -> None:
    written = encode(EVENTS[name])[10:]
    newest, first = parse_schema(_schema(NEWEST)), parse_schema(_schema(1))
    fields = schemaless_reader(io.BytesIO(written), newest, first)
    again = io.BytesIO()
    schemaless_writer(again, first, fields)
    stored = bytes.fromhex(RELEASED[1])
    assert decode(b"\xc3\x01" + stored + again.getvalue()) == EVENTS[name]


def test_case_47_an_old_reader_refuses_a_kind_that_it_does_not_know() -> None:
    written = encode(EVENTS["service"])[10:]
    with pytest.raises(Exception, match=r"(?i)match|union"):
        schemaless_reader(io.BytesIO(written), parse_schema(_schema(NEWEST)), parse_schema(_schema(1)))


def test_case_47_a_version_from_the_future_is_refused_by_its_fingerprint() -> None:
    with pytest.raises(UndecodableRecord, match="unknown schema, fingerprint 0102030405060708: a newer watcher"):
        decode(b"\xc3\x01\x01\x02\x03\x04\x05\x06\x07\x08" + encode(EVENTS["pod"])[10:])


def _without(field: str) -> Callable[[Any], None]:
    return lambda thing: thing["fields"].remove(next(f for f in thing["fields"] if f["name"] == field))


def _with(**field: Any) -> Callable[[Any], None]:
    return lambda thing: thing["fields"].append(field)


def _changed(field: str, **parts: Any) -> Callable[[Any], None]:
    return lambda thing: next(f for f in thing["fields"] if f["name"] == field).update(parts)


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (_without("note"), []),
        (_with(name="size", type="int", default=0), []),
        (_without("name"), ["Thing.name is gone and had no default"]),
        (_with(name="size", type="int"), ["Thing.size is new and has no default"]),
        (_changed("name", type="int"), ["Thing.name has another type"]),
        (_changed("parts", type={"type": "array", "items": "string"}), ["Thing.parts has another type"]),
        (_changed("note", default="x"), ["Thing.note has another default"]),
        (
            _changed("op", type={**OP, "symbols": ["upsert", "delete", "read"]}),
            ["Op has new symbols, and old readers have no default for them"],
        ),
        (_changed("op", type={**OP, "symbols": ["upsert"]}), ["Op lost ['delete']"]),
        (lambda thing: thing.update(name="Other"), ["Thing is gone: what was written with it can no longer be read"]),
    ],
)
def test_case_47_what_would_break_a_reader_is_rejected(edit: Callable[[Any], None], says: list[str]) -> None:
    newer = copy.deepcopy(THING)
    edit(newer)
    assert complaints(THING, newer) == says


def test_case_47_an_added_enum_symbol_is_compatible_where_the_old_version_had_a_default() -> None:
    older = {**OP, "default": "upsert"}
    assert complaints(older, {**older, "symbols": [*OP["symbols"], "read"]}) == []


def test_case_47_the_op_is_text_so_that_an_unknown_one_is_refused_by_name_and_not_by_avro() -> None:
    [op] = [field for field in _schema(NEWEST)["fields"] if field["name"] == "op"]
    assert op["type"] == "string"
