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
from schemas.events import ChangeEvent, Op, Source, change, marker
from schemas.identity import ResourceKey
from schemas.records import ContainerPort, NamespaceRecord, NodeAddress, NodeRecord, OwnerReference, PodRecord

DATA = Path(__file__).parent / "data"
SOURCE = Source(cluster="k8s", cluster_uid="c-1", watcher="w-1", version="0.1.0", observed_at=1_700_000_000_000_001)
POD = change(
    op=Op.UPSERT,
    epoch=3,
    key=ResourceKey("Pod", "shop", "cart-0"),
    uid="0c2b5d0e-5a3b-4a25-8f61-2f6a1c1a0001",
    resource_version="812",
    source=SOURCE,
    body=PodRecord(
        labels={"app": "cart", "tier": "ünïcode"},
        annotations={"opencontrail.org/network": "{}"},
        owners=(OwnerReference(api_version="apps/v1", kind="StatefulSet", name="cart", uid="u-9", controller=True),),
        node_name="node-a",
        phase="Running",
        ready=True,
        host_ips=("192.0.2.10",),
        pod_ips=("10.47.255.252",),
        ports=(ContainerPort(port=8080, name="http"), ContainerPort(port=9, protocol="SCTP")),
    ),
)
EVENTS = {
    "pod": POD,
    "namespace": change(
        op=Op.READ,
        epoch=1,
        key=ResourceKey("Namespace", "", "shop"),
        uid="u-2",
        resource_version="5",
        source=SOURCE,
        body=NamespaceRecord(labels={"a": "b"}, annotations={"opencontrail.org/isolation": "true"}, deleting=True),
    ),
    "node": change(
        op=Op.UPSERT,
        epoch=1,
        key=ResourceKey("Node", "", "node-a"),
        uid="u-3",
        resource_version="6",
        source=SOURCE,
        body=NodeRecord(addresses=(NodeAddress("InternalIP", "192.0.2.10"),), pod_cidrs=("10.0.0.0/24",)),
    ),
    "delete": change(
        op=Op.DELETE, epoch=1, key=ResourceKey("Pod", "shop", "x"), uid="u-4", resource_version="7", source=SOURCE
    ),
    "marker": marker(op=Op.SNAPSHOT_END, epoch=9, kind="Pod", partition=3, source=SOURCE),
}


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_survives_the_wire(name: str) -> None:
    assert decode(encode(EVENTS[name])) == EVENTS[name]


@pytest.mark.parametrize("version", range(1, NEWEST + 1))
@pytest.mark.parametrize("name", EVENTS)
def test_case_47_stored_bytes_of_every_released_version_stay_readable(name: str, version: int) -> None:
    stored = bytes.fromhex((DATA / f"{name}.v{version}.hex").read_text())
    read = decode(stored)
    assert (read.event_id, read.op, read.key) == (EVENTS[name].event_id, EVENTS[name].op, EVENTS[name].key)
    assert type(read.body) is type(EVENTS[name].body)


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
    again = change(
        op=Op.UPSERT, epoch=4, key=POD.key, uid=POD.uid, resource_version="812", source=SOURCE, body=POD.body
    )
    assert again.event_id == POD.event_id
