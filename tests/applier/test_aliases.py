"""Desired objects as Contrail knows them where a predecessor made some of them."""

from __future__ import annotations

from typing import Any

from applier.aliases import as_known, body_as_known, managed_fields, uuids_named
from applier.rows import Alias, Row
from schemas.contrail.objects import Desired, Link, joined
from tests.applier.objects import NETWORK, pod, project

WEB = pod("shop", "web-0")
NETWORK_THERE = "11111111-2222-4333-8444-000000000001"
INTERFACE_THERE = "11111111-2222-4333-8444-000000000002"
MAC = {"mac_address": ["02:11:11:11:11:22"]}
TAGS = "tag_refs"

NETWORK_ALIAS = Alias(NETWORK.uuid, NETWORK.type, joined(NETWORK.fq_name), NETWORK_THERE, joined(NETWORK.fq_name))


def interface_alias(**kept: Any) -> Alias:
    name = joined(WEB.interface.fq_name)
    return Alias(
        WEB.interface.uuid, WEB.interface.type, name, INTERFACE_THERE, "default-domain:k8s-shop:web-0__u", kept
    )


def row(wanted: Desired) -> Row:
    return Row(wanted.uuid, 0, wanted.type, joined(wanted.fq_name), wanted.body(), 1)


def reference(body: Any, type_: str) -> Any:
    (found,) = [r for r in body["references"] if r["type"] == type_]
    return found


def test_without_aliases_a_row_is_the_very_same() -> None:
    wanted = row(WEB.interface)
    assert as_known(wanted, {}) is wanted
    assert as_known(wanted, {"other": NETWORK_ALIAS}) is wanted


def test_a_reference_to_an_adopted_object_names_what_contrail_has() -> None:
    known = as_known(row(WEB.interface), {NETWORK.uuid: NETWORK_ALIAS})
    assert reference(known.body, "virtual-network")["uuid"] == NETWORK_THERE
    assert reference(known.body, "virtual-machine")["uuid"] == WEB.machine.uuid
    assert (known.contrail_uuid, known.alias) == (WEB.interface.uuid, None)


def test_an_adopted_object_goes_by_contrails_uuid_and_name_and_keeps_the_stores() -> None:
    known = as_known(row(WEB.interface), {WEB.interface.uuid: interface_alias()})
    assert (known.uuid, known.contrail_uuid) == (WEB.interface.uuid, INTERFACE_THERE)
    assert (known.fq_name, known.contrail_fq_name) == (
        joined(WEB.interface.fq_name),
        "default-domain:k8s-shop:web-0__u",
    )
    address = as_known(row(WEB.address), {WEB.interface.uuid: interface_alias()})
    assert reference(address.body, WEB.interface.type)["to"] == ["default-domain", "k8s-shop", "web-0__u"]


def test_what_is_kept_takes_the_place_of_what_is_desired() -> None:
    alias = interface_alias(
        virtual_machine_interface_mac_addresses=MAC,
        virtual_network_refs=[{"to": ["d", "p", "other"], "uuid": NETWORK_THERE, "attr": None}],
    )
    body = body_as_known(WEB.interface.type, WEB.interface.body(), alias, {WEB.interface.uuid: alias})
    assert body["properties"]["virtual_machine_interface_mac_addresses"] == MAC
    assert reference(body, "virtual-network") == {
        "type": "virtual-network",
        "to": ["d", "p", "other"],
        "uuid": NETWORK_THERE,
        "attr": None,
    }


def test_what_cannot_change_is_not_fought_over() -> None:
    alias = Alias(WEB.address.uuid, "instance-ip", "x", INTERFACE_THERE, "web-0__v")
    assert "instance_ip_family" in WEB.address.properties
    body = body_as_known("instance-ip", WEB.address.body(), alias, {})
    assert body["properties"].keys() == {"annotations"}


def test_fields_kept_without_a_value_stay_until_something_is_desired() -> None:
    alias = interface_alias(**{TAGS: None})
    assert TAGS not in managed_fields(WEB.interface.type, alias)
    assert TAGS in managed_fields(WEB.interface.type, None)
    body = WEB.interface.body()
    body["references"].append({"type": "tag", "to": ["app=web"], "uuid": None, "attr": None})
    assert reference(body_as_known(WEB.interface.type, body, alias, {}), "tag")["to"] == ["app=web"]


def test_both_ends_of_a_link_are_rewritten() -> None:
    owner = project("shop")
    link = Link(owner.type, owner.fq_name, NETWORK.type, NETWORK.fq_name, NETWORK.uuid, owner_uuid=owner.uuid)
    there = Alias(owner.uuid, owner.type, joined(owner.fq_name), INTERFACE_THERE, "default-domain:k8s-shop")
    assert uuids_named("link", link.body()) == {owner.uuid, NETWORK.uuid}
    known = as_known(row(link), {owner.uuid: there, NETWORK.uuid: NETWORK_ALIAS})
    assert Link.from_body(known.body).owner_uuid == INTERFACE_THERE
    assert Link.from_body(known.body).target_uuid == NETWORK_THERE
    # An owner that Contrail is asked for by name stays so.
    router = as_known(row(WEB.link), {WEB.machine.uuid: NETWORK_ALIAS})
    assert Link.from_body(router.body).owner_uuid is None


def test_below_an_adopted_address_a_floating_ip_has_the_name_of_what_contrail_has() -> None:
    body = {"parent_type": "instance-ip", "properties": {}, "references": []}
    floating = Row("f", 0, "floating-ip", "cart__u__v4:f", body, 1)
    alias = Alias("a", "instance-ip", "cart__u__v4", NETWORK_THERE, "cart__there")
    assert as_known(floating, {"instance-ip cart__u__v4": alias}).contrail_fq_name == "cart__there:f"
    assert as_known(floating, {"instance-ip till__u__v4": alias}).contrail_fq_name == floating.fq_name


def test_a_property_names_what_was_adopted_as_contrail_does() -> None:
    ours = WEB.interface.uuid
    pairs = [{"key": "vmi", "value": ours}, {"key": "name", "value": "cart"}]
    body = {"properties": {"annotations": {"key_value_pair": pairs}}, "references": [], "needs": [ours]}
    assert uuids_named("loadbalancer-member", body) == {ours}
    known = body_as_known("loadbalancer-member", body, None, {ours: interface_alias()})
    assert known["properties"]["annotations"]["key_value_pair"] == [{**pairs[0], "value": INTERFACE_THERE}, pairs[1]]
    assert body_as_known("loadbalancer-member", body, None, {})["properties"] == body["properties"]
