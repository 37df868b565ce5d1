"""The objects of every type that other tests apply."""

from __future__ import annotations

from schemas.contrail.objects import ContrailObject
from tests.applier.everything import everything, missing_types
from translator.translate.registry import require_valid

FIRST = everything()
CHANGED = everything(changed=True)


def test_there_is_one_of_every_type_that_can_be_ours() -> None:
    assert not missing_types(FIRST)
    assert not missing_types(CHANGED)


def test_some_come_again_under_another_uuid() -> None:
    known = {(o.type, o.fq_name): o.uuid for o in FIRST}
    again = [o for o in CHANGED if known.get((o.type, o.fq_name), o.uuid) != o.uuid]
    assert {o.type for o in again} >= {"virtual-machine", "project", "tag", "firewall-policy"}


def test_every_object_changes() -> None:
    before = {o.uuid: o.body() for o in FIRST if isinstance(o, ContrailObject)}
    same = {o.type for o in CHANGED if isinstance(o, ContrailObject) and before.get(o.uuid) == o.body()}
    assert same <= {"project", "network-ipam", "virtual-network", "virtual-machine-interface", "instance-ip"}


def test_the_model_takes_them_all() -> None:
    for wanted in (*FIRST, *CHANGED):
        require_valid(wanted)


def test_a_name_with_colons_is_read_back_from_the_store() -> None:
    (target,) = (o for o in FIRST if o.type == "route-target")
    assert isinstance(target, ContrailObject)
    assert ContrailObject.from_body(target.type, ":".join(target.fq_name), target.uuid, target.body()) == target
