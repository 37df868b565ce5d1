"""GC and the start after a crash, over fakes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cni.answers import NOT_ALL_FREED
from cni.netlink import Label
from cni.records import ATTACHING
from cni.requests import Attachment, Request
from schemas.errors import PlugError, RequestRefused
from tests.cni.fakes import Fixture
from tests.cni.rows import row, uid_of


def _gc(*valid: str) -> Request:
    kept = frozenset(Attachment(container, "eth0") for container in valid)
    return Request(command="GC", version="1.1.0", network="contrail-k8s-cni", timeout=43, valid=kept)


def _add_three(node: Fixture) -> None:
    node.store.rows = tuple(row(f"web-{i}", uid_of(i), f"10.47.255.{i + 1}") for i in range(3))
    for i in range(3):
        node.add(container=f"c{i}", uid=uid_of(i), name=f"web-{i}")


def test_case_88_gc_frees_the_rest_and_keeps_the_listed(node: Fixture) -> None:
    _add_three(node)
    assert node.sweeper.collect(_gc("c1")) == 2
    assert [record.attachment.container for record in node.records.all()] == ["c1"]
    assert len(node.kernel.links) == 1 and list(node.vrouter.announced) == [uid_of(1)]


def test_case_88_gc_goes_on_after_an_error_and_tells_of_it(node: Fixture) -> None:
    _add_three(node)
    node.kernel.stuck = PlugError("device busy")
    with pytest.raises(RequestRefused, match="3 could not be freed: c0/eth0: device busy") as refused:
        node.sweeper.collect(_gc())
    assert refused.value.code == NOT_ALL_FREED
    node.kernel.stuck = None
    assert node.sweeper.collect(_gc()) == 3
    assert node.is_clean()


def test_gc_of_another_network_frees_nothing(node: Fixture) -> None:
    _add_three(node)
    assert node.sweeper.collect(replace(_gc(), network="other")) == 0
    assert len(node.kernel.links) == 3


def test_gc_frees_links_that_have_no_record(node: Fixture) -> None:
    _add_three(node)
    node.again()
    for path in (node.directory / "records").glob("c*.json"):
        path.unlink()
    node.again()
    assert node.sweeper.collect(_gc("c2")) == 2
    assert [label for _, _, label in node.kernel.links.values()] == [
        Label("contrail-k8s-cni", Attachment("c2", "eth0"))
    ]


def test_gc_leaves_alone_what_a_request_is_at_work_on(node: Fixture) -> None:
    _add_three(node)
    with node.held.hold("container c0", timeout=1):
        assert node.sweeper.collect(_gc("c1", "c2")) == 0
    assert len(node.records.all()) == 3


def test_case_82_the_start_undoes_an_add_that_was_killed(node: Fixture) -> None:
    node.add()
    (record,) = node.records.all()
    node.records.put(replace(record, phase=ATTACHING))
    assert node.again().sweeper.recover() == 1
    assert node.is_clean()


def test_the_start_leaves_attached_pods_alone(node: Fixture) -> None:
    _add_three(node)
    assert node.again().sweeper.recover() == 0
    assert len(node.kernel.links) == 3
