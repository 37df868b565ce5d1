"""From records to arrivals, and what is refused with which reason."""

from __future__ import annotations

import msgspec
import pytest

from schemas.codec import encode
from schemas.events import ChangeEvent
from schemas.letters import Letter, encode_letter
from tests.translator.facts import CLUSTER, SOURCE, begin, gone, pod, record
from translator.intake import MAX_PAYLOAD, Slice, intake


def taken(event: ChangeEvent, **fields: object) -> Slice:
    """Take one changed event in."""
    return intake(CLUSTER, [record(encode(msgspec.structs.replace(event, **fields)), 2, 7)], expected=7)


def refusal(part: Slice) -> tuple[str, str, str]:
    """Stage, class and text of the only refusal."""
    (letter,) = part.refused
    assert not part.arrivals
    return letter.stage, letter.error_class, letter.error


def test_a_good_record_arrives_with_its_key_and_text() -> None:
    part = taken(pod("web-0", labels={"b": "1", "a": "2"}))
    (arrival,) = part.arrivals
    assert (arrival.key, arrival.position.offset, part.next_offset, part.refused) == ("Pod/shop/web-0", 7, 8, [])
    assert b'"labels":{"a":"2","b":"1"}' in arrival.text
    assert taken(gone("web-0")).arrivals[0].text == taken(begin("Pod", 1)).arrivals[0].text == b""


def test_a_record_of_another_cluster_is_named() -> None:
    stage, kind, error = refusal(taken(pod("web-0"), source=msgspec.structs.replace(SOURCE, cluster="west")))
    assert (stage, kind) == ("decode", "UndecodableRecord")
    assert "'west'" in error and "CONTRAIL_KUBE_CLUSTER_NAME" in error


def test_an_event_id_that_is_none_is_named() -> None:
    assert "event_id is 'x'" in refusal(taken(pod("web-0"), event_id="x"))[2]


@pytest.mark.parametrize("name", ["", "a/b", "a\0b", "a:b", "a b", "a\n", "a" * 254])
def test_case_96_names_that_kubernetes_would_not_allow_are_refused(name: str) -> None:
    stage, kind, error = refusal(taken(pod("web-0"), name=name))
    assert (stage, kind) == ("fold", "MalformedObject")
    assert "name is" in error and "\0" not in error and len(error) < 1000


def test_case_96_texts_that_the_store_cannot_keep_are_refused() -> None:
    assert "NUL" in refusal(taken(pod("web-0", annotations={"note": "a\0b"})))[2]
    assert "NUL" in refusal(taken(pod("web-0", annotations={"note": "\\\0"})))[2]
    assert not taken(pod("web-0", annotations={"note": "\\u0000 and \\\\u0000"})).refused
    assert "NUL" in refusal(taken(pod("web-0"), resource_version="1\0"))[2]


def test_a_malformed_body_arrives_to_say_that_its_object_is_there() -> None:
    part = taken(pod("web-0", node="a/b"))
    assert [each.malformed for each in part.arrivals] == [True]
    assert [(each.stage, each.resource) for each in part.refused] == [("fold", "Pod/shop/web-0")]


def test_case_98_payloads_are_bounded_and_keys_that_are_none_are_left_out() -> None:
    for key in (None, b"nonsense", b"a/b/c/d", b"x" * 5000):
        part = intake(CLUSTER, [record(b"\xff" * 1_000_000, 2, 7, key)], expected=7)
        (letter,) = part.refused
        assert (letter.resource, len(letter.payload)) == ("", MAX_PAYLOAD)


def test_case_13_what_the_watchers_could_not_decode_is_a_dead_letter_with_its_beginning() -> None:
    letter = Letter(cluster=CLUSTER, watcher="w", kind="Pod", reason="not a watch line", size=9, payload=b"{half")
    found = intake(CLUSTER, [record(encode_letter(letter), 2, 7), record(encode(pod("web-0")), 2, 8)], expected=7)
    (dead,) = found.refused
    assert (dead.stage, dead.error_class, dead.resource, dead.payload) == ("decode", "MalformedObject", "", b"{half")
    assert "not a watch line (9 bytes, seen by watcher w)" in dead.error
    assert [each.key for each in found.arrivals] == ["Pod/shop/web-0"]
    named = msgspec.structs.replace(letter, namespace="shop", name="web-0")
    (dead,) = intake(CLUSTER, [record(encode_letter(named), 2, 7)], expected=7).refused
    assert dead.resource == "Pod/shop/web-0"


def test_half_a_letter_is_undecodable_like_any_other_garbage() -> None:
    value = encode_letter(Letter(cluster=CLUSTER, kind="Pod", reason="why", size=2000, payload=b"x" * 2000))
    assert len(value) < 1200, "the payload is cut"
    assert refusal(intake(CLUSTER, [record(value[:40], 2, 7)], expected=7))[1] == "UndecodableRecord"
