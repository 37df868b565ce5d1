"""Objects that nobody should send: each is a record that survives the wire, or an error that names object and field."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import decode, encode
from schemas.errors import MalformedObject
from schemas.events import Op, Source, change
from tests.watchers.kinds.golden import ALL, DECODINGS, Json, Pair, event, observed, pairs
from watchers.decoding import Change, Event, Malformed
from watchers.inventory import digest

PAIRS = pairs()
STRANGE: list[Any] = [
    None,
    True,
    -1,
    0,
    2**31,
    2**63,
    10**30,
    1.5,
    1e308,
    "",
    "x",
    "80",
    "\0",
    "'; DROP TABLE k8s_resource; --",
    "\r\nSet-Cookie: x",
    "../../etc/passwd",
    "\x1b[2J",
    "\u2028\ufeff𝔘",
    [],
    {},
    [[]],
    [None],
    [{}],
    {"a": "b"},
    {"": ""},
]


def _places(thing: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = thing.items() if isinstance(thing, dict) else enumerate(thing) if isinstance(thing, list) else ()
    return [path, *(place for key, value in inner for place in _places(value, (*path, key)))]


def _with(thing: Json, path: tuple[Any, ...], value: Any) -> Json:
    changed = copy.deepcopy(thing)
    place: Any = changed
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return changed


def _survives(kind: str, said: Event) -> None:
    """A record goes over the wire and has a digest; anything else says of what it is and why."""
    if not isinstance(said, Change):
        assert isinstance(said, Malformed)
        assert said.reason.startswith(f"{kind} ")
        return
    seen = said.observed
    assert len(digest(seen.record)) == 12
    source = Source(cluster="k8s")
    sent = change(
        op=Op.READ, epoch=1, key=seen.key, uid=seen.uid, resource_version="1", source=source, body=seen.record
    )
    assert decode(encode(sent)) == sent


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: str(pair.name))
def test_case_96_a_strange_value_in_any_place_is_a_record_or_a_named_error(pair: Pair) -> None:
    for number, place in enumerate(_places(pair.object)[1:]):
        for value in STRANGE[number % 3 :: 3]:
            _survives(pair.kind, event(pair.kind, _with(pair.object, place, value)))


@settings(max_examples=15)
@given(st.sampled_from(PAIRS), st.randoms(use_true_random=False), st.data())
def test_case_96_any_json_in_any_places_is_a_record_or_a_named_error(
    pair: Pair, draw: random.Random, data: st.DataObject
) -> None:
    thing = pair.object
    for _ in range(draw.randint(1, 3)):
        value = data.draw(
            st.recursive(
                st.none()
                | st.booleans()
                | st.integers()
                | st.floats(allow_nan=False, allow_infinity=False)
                | st.text(),
                lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
                max_leaves=6,
            )
        )
        thing = _with(thing, draw.choice(_places(thing)[1:]), value)
    _survives(pair.kind, event(pair.kind, thing))


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize(
    "text",
    [
        '{"metadata":{"name":"x","uid":"u","namespace":"s"},"spec":' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"metadata":{"name":"x","uid":"u","labels":{"a":NaN}}}',
        '{"metadata":{"name":"\\ud800","uid":"u","namespace":"s"}}',
        '{"metadata":{"name":"x","uid":"u","labels":{"a":' + "9" * 5000 + "}}}",
        '{"metadata":null}',
        '{"metadata":{}}',
        "{}",
        "null",
        "[]",
        '"x"',
    ],
    ids=["deep", "NaN", "surrogate", "huge number", "no metadata", "empty", "nothing", "null", "list", "text"],
)
def test_case_96_what_is_no_object_is_refused(kind: str, text: str) -> None:
    try:
        said = DECODINGS[kind].line(b'{"type":"ADDED","object":' + text.encode() + b"}")
    except MalformedObject:
        return
    assert isinstance(said, Malformed)


def test_case_96_of_duplicate_keys_the_last_counts() -> None:
    text = '{"metadata":{"name":"x","uid":"u","namespace":"s"},"spec":{"clusterIPs":["1.1.1.1"],"clusterIPs":["None"]}}'
    said = DECODINGS["Service"].line(b'{"type":"ADDED","object":' + text.encode() + b"}")
    assert isinstance(said, Change)
    assert said.observed.record.headless  # type: ignore[union-attr]


def _repeated(thing: Json, path: tuple[Any, ...], count: int) -> Json:
    changed = copy.deepcopy(thing)
    place: Any = changed
    for step in path:
        place = place[step]
    place[:] = [copy.deepcopy(place[0]) for _ in range(count)]
    return changed


@pytest.mark.parametrize(
    ("name", "path", "count"),
    [
        ("endpoint_slice", ("endpoints",), 1000),
        ("network_policy", ("spec", "ingress"), 1000),
        ("network_policy", ("spec", "ingress", 0, "from"), 5000),
        ("service_load_balancer", ("spec", "ports"), 5000),
        ("ingress", ("spec", "rules"), 1000),
        ("pod_several_interfaces", ("metadata", "ownerReferences"), 5000),
        ("service_chain", ("spec", "traffic"), 5000),
        ("admin_network_policy", ("spec", "ingress", 0, "from"), 5000),
    ],
)
def test_case_15_an_object_as_large_as_etcd_takes_is_read(name: str, path: tuple[Any, ...], count: int) -> None:
    [pair] = [pair for pair in PAIRS if pair.name == name]
    thing = _repeated(pair.object, path, count)
    thing["metadata"]["annotations"] = {"other": "z" * 250_000}
    thing["metadata"]["labels"] = {f"label-{i}": "v" for i in range(10_000)} | thing["metadata"].get("labels", {})
    _survives(pair.kind, event(pair.kind, thing))
    observed(pair.kind, thing)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: str(pair.name))
def test_case_16_items_of_a_list_have_neither_kind_nor_version(pair: Pair) -> None:
    items = [{key: value for key, value in pair.object.items() if key not in ("kind", "apiVersion")}]
    page = DECODINGS[pair.kind].page(msgspec.json.encode({"metadata": {"resourceVersion": "7"}, "items": items}))
    assert [item.record for item in page.items] == [pair.record]
    assert page.malformed == ()
    assert DECODINGS[pair.kind].page(b'{"metadata":{"resourceVersion":"7"},"items":null}').items == ()


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: str(pair.name))
def test_nulls_instead_of_what_is_absent_are_a_record_or_a_named_error(pair: Pair) -> None:
    for place in _places(pair.object)[1:]:
        _survives(pair.kind, event(pair.kind, json.loads(json.dumps(_with(pair.object, place, None)))))
