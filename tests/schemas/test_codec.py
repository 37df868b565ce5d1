"""Every event survives the wire; every released schema version stays readable; garbage is named as what it is."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import HEADER_BYTES, MAGIC, NEWEST, decode, encode
from schemas.errors import UndecodableRecord
from schemas.events import ChangeEvent, change
from schemas.records import RECORD_OF_KIND
from tests.schemas.examples import EVENTS, POD, SOURCE

DATA = Path(__file__).parent / "data"


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_survives_the_wire(name: str) -> None:
    assert decode(encode(EVENTS[name])) == EVENTS[name]


@pytest.mark.parametrize("file", sorted(DATA.glob("*.hex")), ids=lambda file: str(file.stem))
def test_case_47_stored_bytes_of_every_released_version_stay_readable(file: Path) -> None:
    # Each field that the version had must be what it was: nothing of these examples is new since.
    assert decode(bytes.fromhex(file.read_text())) == EVENTS[file.stem.partition(".")[0]]


def test_every_record_has_an_example() -> None:
    assert {type(event.body) for event in EVENTS.values()} >= set(RECORD_OF_KIND.values())


def test_the_newest_version_writes_the_stored_bytes() -> None:
    for name, event in EVENTS.items():
        assert encode(event).hex() == (DATA / f"{name}.v{NEWEST}.hex").read_text().strip(), name


@given(st.binary(max_size=64))
def test_case_46_garbage_is_undecodable_and_never_anything_else(garbage: bytes) -> None:
    for value in (garbage, MAGIC + garbage, encode(POD)[:HEADER_BYTES] + garbage):
        try:
            decode(value)
        except UndecodableRecord:
            continue
        pytest.fail(f"{value.hex()} was read as an event")


def test_case_46_a_flipped_or_cut_record_never_escapes_the_error_tree() -> None:
    good = encode(POD)
    seeded = random.Random(46)
    for cut in range(len(good)):
        with pytest.raises(UndecodableRecord):
            decode(good[:cut])
    for _ in range(2000):
        value = bytearray(good)
        value[seeded.randrange(len(value))] = seeded.randrange(256)
        with contextlib.suppress(UndecodableRecord):
            assert isinstance(decode(bytes(value)), ChangeEvent)


def test_case_46_each_kind_of_damage_says_what_it_is() -> None:
    for value, says in (
        (None, "tombstone"),
        (b"", "empty"),
        (b"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a", "marker c301"),
        (MAGIC + b"12345678", "unknown schema, fingerprint 3132333435363738"),
        (encode(POD)[:-2], "cut short"),
        (bytes(1_000_000), "marker c301"),
    ):
        with pytest.raises(UndecodableRecord, match=says):
            decode(value)


def test_a_body_that_does_not_belong_is_refused() -> None:
    import msgspec

    bodiless = msgspec.structs.replace(POD, body=None)
    with pytest.raises(UndecodableRecord, match="without a body"):
        decode(encode(bodiless))
    with pytest.raises(UndecodableRecord, match="unknown kind='Gizmo'"):
        decode(encode(msgspec.structs.replace(POD, kind="Gizmo")))


def test_the_same_fact_has_the_same_id() -> None:
    again = change(op=POD.op, epoch=4, key=POD.key, uid=POD.uid, resource_version="812", source=SOURCE, body=POD.body)
    assert again.event_id == POD.event_id
