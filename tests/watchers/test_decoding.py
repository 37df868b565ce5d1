"""Watch lines and list pages, well-formed and not."""

from __future__ import annotations

import pytest

from schemas.errors import MalformedObject
from schemas.records import PodRecord
from tests.watchers.objects import bookmark, dump, line, listing, pod, status
from watchers.decoding import Bookmark, Change, Decoding, Failure, Malformed
from watchers.kinds import node
from watchers.kinds import pod as pods

DECODING = Decoding(pods.KIND)


@pytest.mark.parametrize(("kind", "deleted"), [("ADDED", False), ("MODIFIED", False), ("DELETED", True)])
def test_a_change_is_read_with_its_record(kind: str, deleted: bool) -> None:
    event = DECODING.line(line(kind, pod("web-0", version=5)))
    assert isinstance(event, Change)
    assert event.deleted is deleted
    assert (str(event.observed.key), event.observed.resource_version) == ("Pod/shop/web-0", "5")
    assert event.observed.record == PodRecord(labels={"app": "web"}, node_name="node-1", phase="Running")


def test_a_bookmark_is_read_with_its_version() -> None:
    assert DECODING.line(bookmark(7)) == Bookmark("7")


@pytest.mark.parametrize("thing", [{}, {"metadata": {}}, {"metadata": None}, {"metadata": {"resourceVersion": None}}])
def test_case_11_a_bookmark_without_metadata_says_nothing(thing: dict[str, object]) -> None:
    assert DECODING.line(line("BOOKMARK", thing)) == Bookmark("")


def test_case_3_an_error_inside_the_stream_is_a_failure() -> None:
    assert DECODING.line(line("ERROR", status(410, "too old"))) == Failure(410, "too old", 0.0)
    assert DECODING.line(line("ERROR", status(429, "slow", retryAfterSeconds=3))) == Failure(429, "slow", 3.0)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not json",
        b'{"type":"ADDED"',
        b"[]",
        b'{"type":"ADDED"}',
        b'{"type":"SURPRISE","object":{"metadata":{}}}',
        b'{"type":"ADDED","object":{"metadata":{"name":"\xff"}}}',
        b'{"type":"ADDED","object":{"metadata":{},"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
        b'{"type":"ADDED","object":{"metadata":{"x":NaN}}}',
    ],
)
def test_case_13_a_line_that_is_none_is_refused_with_its_beginning(data: bytes) -> None:
    with pytest.raises(MalformedObject):
        DECODING.line(data)


def test_an_object_of_a_wrong_type_is_named_with_its_field() -> None:
    broken = pod("web-0", version=9)
    broken["spec"]["containers"] = [{"ports": [{"containerPort": "eighty"}]}]
    event = DECODING.line(line("MODIFIED", broken))
    assert isinstance(event, Malformed)
    assert (event.uid, event.resource_version) == ("uid-web-0", "9")
    assert "Pod shop/web-0" in event.reason
    assert "$.spec.containers[0].ports[0].containerPort" in event.reason


@pytest.mark.parametrize("broken", [{"labels": ["no", "map"]}, {"ownerReferences": [{"uid": 5}]}])
def test_a_broken_object_that_is_deleted_is_gone_all_the_same(broken: dict[str, object]) -> None:
    thing = pod("web-0", version=9)
    thing["metadata"] |= broken
    assert isinstance(DECODING.line(line("MODIFIED", thing)), Malformed)
    event = DECODING.line(line("DELETED", thing))
    assert isinstance(event, Change) and event.deleted
    assert (str(event.observed.key), event.observed.uid) == ("Pod/shop/web-0", "uid-web-0")
    assert event.observed.resource_version == "9"


def test_a_deletion_that_names_nobody_is_malformed() -> None:
    thing = pod("web-0", version=9)
    thing["metadata"]["uid"] = 5
    assert isinstance(DECODING.line(line("DELETED", thing)), Malformed)


def test_an_object_without_uid_is_named() -> None:
    broken = pod("web-0")
    del broken["metadata"]["uid"]
    event = DECODING.line(line("ADDED", broken))
    assert isinstance(event, Malformed)
    assert event.reason == "Pod shop/web-0: metadata.uid is missing"


def test_a_page_has_items_version_and_the_next_pages_token() -> None:
    page = DECODING.page(listing(pod("a"), pod("b"), version=50, following="token"))
    assert [item.key.name for item in page.items] == ["a", "b"]
    assert (page.resource_version, page.following, page.malformed) == ("50", "token", ())


@pytest.mark.parametrize(
    ("body", "version"),
    [
        (b'{"metadata":{"resourceVersion":"5"},"items":null}', "5"),
        (b'{"metadata":{"resourceVersion":"5"}}', "5"),
        (b'{"metadata":{},"items":[]}', ""),
    ],
)
def test_case_16_a_list_of_null_is_empty_and_a_missing_version_shows(body: bytes, version: str) -> None:
    page = DECODING.page(body)
    assert (page.items, page.resource_version) == ((), version)


def test_one_broken_item_costs_itself_and_not_its_page() -> None:
    broken = pod("bad")
    broken["metadata"]["labels"] = ["not", "a", "map"]
    page = DECODING.page(listing(pod("a"), broken, pod("b"), version=50, following="more"))
    assert [item.key.name for item in page.items] == ["a", "b"]
    assert [m.uid for m in page.malformed] == ["uid-bad"]
    assert "Pod shop/bad" in page.malformed[0].reason
    assert (page.resource_version, page.following) == ("50", "more")


@pytest.mark.parametrize("body", [b"<html>proxy</html>", b"", b"[]", b'{"items":[]}'])
def test_a_body_that_is_no_list_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedObject):
        DECODING.page(body)


def test_case_15_huge_objects_are_read() -> None:
    big = pod("big", labels={f"label-{i}": "v" for i in range(10_000)})
    big["metadata"]["annotations"] = {"opencontrail.org/x": "y" * 262_144, "other": "z" * 1_000_000}
    big["spec"]["containers"] = [{"name": f"c{i}", "ports": [{"containerPort": i + 1}]} for i in range(1000)]
    event = DECODING.line(line("ADDED", big))
    assert isinstance(event, Change)
    record = event.observed.record
    assert isinstance(record, PodRecord)
    assert (len(record.labels), len(record.ports)) == (10_000, 1000)
    assert list(record.annotations) == ["opencontrail.org/x"]


def test_duplicate_keys_and_names_from_outside_are_inert() -> None:
    data = dump({"type": "ADDED", "object": pod("a")}).replace(
        b'"name":"a"', b'"name":"z","name":"a\\u0007\\u001b[31m"', 1
    )
    event = DECODING.line(data)
    assert isinstance(event, Change)
    assert event.observed.key.name == "a\x07\x1b[31m"


def test_each_kind_reads_its_own_fields() -> None:
    event = Decoding(node.KIND).line(line("ADDED", {"metadata": {"name": "n", "uid": "u", "resourceVersion": "1"}}))
    assert isinstance(event, Change)
    assert str(event.observed.key) == "Node//n"
