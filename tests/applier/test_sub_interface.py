"""Places of sub-interfaces, in bodies, in what is sent and in what Contrail has."""

from __future__ import annotations

from typing import Any

import pytest

from applier.answer import Answer
from applier.outcome import Call, classify
from applier.sub_interface import Place, body_placed, is_tag_refused, live_place, place_of, placed
from schemas.contrail import wire
from schemas.contrail.objects import ContrailObject
from schemas.contrail.trunk import Trunk
from tests.applier.objects import pod

TRUNK = Trunk("vm-1", address="192.168.7.10")
HERE = Place("5c3f2b6e-0000-4000-8000-0000000000c1", "default-domain:demo:vm-1", 7)
THERE = Place("5c3f2b6e-0000-4000-8000-0000000000c2", "default-domain:demo:vm-2", 8)
WANTED = pod("shop", "web-0", trunk=TRUNK).interface


def _again(wanted: ContrailObject) -> ContrailObject:
    """As the store keeps it, and gives it back."""
    return ContrailObject.from_body(wanted.type, ":".join(wanted.fq_name), wanted.uuid, wanted.body())


def test_the_store_keeps_of_what_it_is_a_sub_interface() -> None:
    assert _again(WANTED).trunk == TRUNK
    assert "trunk" not in pod("shop", "web-0").interface.body()


def test_nothing_is_sent_of_a_trunk_but_the_place() -> None:
    assert not any("trunk" in name for name in wire.create_fields(placed(WANTED, HERE)))
    fields = wire.create_fields(placed(WANTED, HERE))
    assert fields["virtual_machine_interface_refs"] == [{"to": HERE.parent_name.split(":"), "uuid": HERE.parent_uuid}]
    assert fields["virtual_machine_interface_properties"] == {"sub_interface_vlan_tag": 7}


@pytest.mark.parametrize("first", [None, THERE])
def test_an_interface_has_one_place_the_last_one_given(first: Place | None) -> None:
    before = WANTED if first is None else placed(WANTED, first)
    assert place_of(before) == first
    assert place_of(placed(before, HERE)) == HERE


def test_a_body_is_placed_like_the_object() -> None:
    body = body_placed(body_placed(WANTED.body(), THERE), HERE)
    found = ContrailObject.from_body(WANTED.type, ":".join(WANTED.fq_name), WANTED.uuid, body)
    assert wire.update_fields(found) == wire.update_fields(placed(WANTED, HERE))


def test_other_properties_of_the_interface_stay() -> None:
    special = {"virtual_machine_interface_properties": {"service_interface_type": "left"}}
    wanted = ContrailObject(WANTED.type, WANTED.fq_name, WANTED.uuid, "project", special, WANTED.references)
    properties: Any = placed(wanted, HERE).properties["virtual_machine_interface_properties"]
    assert properties == {"service_interface_type": "left", "sub_interface_vlan_tag": 7}


@pytest.mark.parametrize(
    ("tag", "refs", "found"),
    [
        (7, [{"to": ["default-domain", "demo", "vm-1"], "uuid": HERE.parent_uuid}], HERE),
        (0, [{"to": ["default-domain", "demo", "vm-1"], "uuid": HERE.parent_uuid}], None),
        (None, [{"to": ["default-domain", "demo", "vm-1"], "uuid": HERE.parent_uuid}], None),
        (7, [], None),
        (7, None, None),
    ],
)
def test_without_a_parent_or_with_tag_0_it_is_no_sub_interface(tag: Any, refs: Any, found: Place | None) -> None:
    properties = {"sub_interface_vlan_tag": tag}
    live = {"virtual_machine_interface_refs": refs, "virtual_machine_interface_properties": properties}
    assert live_place(live) == found


def test_the_words_of_a_tag_that_is_taken_are_those_that_were_recorded() -> None:
    text = "Two sub interfaces under same primary port can't have same Vlan tag"
    assert is_tag_refused(classify(Call.CREATE, Answer(400, text, None)))
    assert not is_tag_refused(classify(Call.CREATE, Answer(400, "Invalid sub-interface VLAN tag ID: 5000", None)))
