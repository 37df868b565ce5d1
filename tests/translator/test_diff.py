"""Changes between what is stored and what is wanted."""

from __future__ import annotations

from schemas.contrail.objects import ContrailObject, Link, Reference
from translator.diff import StoredObject, patch, put, remove, wanted
from translator.resource import NOWHERE, Cause, Key

CAUSE = Cause(NOWHERE)
RESOURCE = Key("Pod/shop/web-0")
NETWORK = Reference("virtual-network", ("d", "p", "net"), "11111111-1111-5111-8111-111111111111")
FOREIGN = Reference("virtual-network", ("d", "p", "theirs"))


def interface(*references: Reference, **properties: object) -> ContrailObject:
    uuid, parent = "22222222-2222-5222-8222-222222222222", "33333333-3333-5333-8333-333333333333"
    return ContrailObject("virtual-machine-interface", ("d", "p", "i"), uuid, "project", properties, references, parent)


def stored(desired: ContrailObject, *, generation: int = 4, absent: bool = False) -> StoredObject:
    wish = wanted(desired, "shop")
    return StoredObject(wish.uuid, wish.type, wish.fq_name, wish.namespace, wish.body, wish.digest, generation, absent)


def test_equal_objects_have_equal_digests_whatever_the_order_they_were_made_in() -> None:
    one = interface(NETWORK, FOREIGN, b=1, a={"y": 1, "x": [2]})
    other = interface(FOREIGN, NETWORK, a={"x": [2], "y": 1}, b=1)
    assert wanted(one, "").digest == wanted(other, "").digest
    assert wanted(one, "").body == wanted(other, "").body
    assert wanted(one, "").digest != wanted(interface(NETWORK, b=1), "").digest


def test_edges_lead_to_objects_of_ours_only() -> None:
    assert wanted(interface(NETWORK, FOREIGN), "").edges == {
        (NETWORK.uuid, "ref"),
        ("33333333-3333-5333-8333-333333333333", "parent"),
    }
    link = Link("virtual-router", ("g", "n1"), "virtual-machine", ("vm",), "u")
    assert wanted(link, "shop").edges == {("u", "ref")}
    owned = Link("floating-ip", ("f",), "virtual-machine-interface", ("i",), "u", owner_uuid="o")
    assert wanted(owned, "shop").edges == {("u", "ref"), ("o", "ref")}


def test_an_object_belongs_to_the_namespace_of_its_annotations_a_link_to_its_source() -> None:
    annotations = {"key_value_pair": [{"key": "name", "value": "web"}, {"key": "namespace", "value": "shop"}]}
    assert wanted(interface(annotations=annotations), "elsewhere").namespace == "shop"
    assert wanted(interface(), "elsewhere").namespace == ""
    assert wanted(Link("a", ("b",), "c", ("d",), "e"), "elsewhere").namespace == "elsewhere"


def test_a_patch_names_changed_fields_only() -> None:
    before, after = interface(NETWORK, keep=1, change=1, go=1), interface(FOREIGN, keep=1, change=2, come=1)
    reference = {"to": ["d", "p", "net"], "uuid": NETWORK.uuid, "attr": None}
    assert patch(before.body(), after.body()) == {
        "change": [1, 2],
        "come": [None, 1],
        "go": [1, None],
        "virtual_network_refs": [[reference], [{"to": ["d", "p", "theirs"], "uuid": None, "attr": None}]],
    }


def test_an_update_says_before_after_and_edges() -> None:
    change = put(wanted(interface(), ""), stored(interface(NETWORK)), generation=5, resource=RESOURCE, cause=CAUSE)
    assert (change.op, change.existed, change.row.generation, change.row.absent) == ("update", True, 5, False)
    assert change.patch is not None and list(change.patch) == ["virtual_network_refs"]
    assert (change.edges_added, change.edges_removed) == (set(), {(NETWORK.uuid, "ref")})


def test_what_comes_back_from_absence_is_a_create_over_its_old_edges() -> None:
    old = stored(interface(NETWORK), absent=True)
    change = put(wanted(interface(NETWORK), ""), old, generation=5, resource=RESOURCE, cause=CAUSE)
    assert (change.op, change.existed, change.before, change.patch) == ("create", True, None, None)
    assert not change.edges_added and not change.edges_removed


def test_a_removal_keeps_the_body_and_the_edges() -> None:
    old = stored(interface(NETWORK))
    change = remove(old, generation=9, resource=RESOURCE, cause=CAUSE)
    assert (change.op, change.before, change.after) == ("delete", old.body, None)
    assert (change.row.body, change.row.absent, change.row.generation) == (old.body, True, 9)
    assert not change.edges_removed
