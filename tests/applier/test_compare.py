"""What is written to an object that is there already: the managed fields that differ, and nothing else."""

from __future__ import annotations

from typing import Any

from applier.compare import difference, is_same


def annotations(**pairs: str) -> dict[str, Any]:
    return {"key_value_pair": [{"key": k, "value": v} for k, v in pairs.items()]}


def ref(*to: str, uuid: str | None = None, attr: Any = None) -> dict[str, Any]:
    return {"to": list(to), "uuid": uuid, "attr": attr}


def test_equal_object_needs_no_write() -> None:
    desired = {"display_name": "a", "annotations": annotations(owner="k8s"), "tag_refs": [ref("t=1", uuid="u")]}
    live = {
        "display_name": "a",
        "annotations": annotations(owner="k8s"),
        "tag_refs": [{"to": ["t=1"], "uuid": "u", "attr": None, "href": "http://x"}],
        "id_perms": {"enable": True},
        "virtual_machine_interface_back_refs": [],
    }
    assert difference(desired, live, ["display_name", "annotations", "tag_refs"]) == {}


def test_only_what_differs_is_sent() -> None:
    desired = {"display_name": "a", "annotations": annotations(owner="k8s", labels="{}")}
    live = {"display_name": "a", "annotations": annotations(owner="k8s")}
    assert difference(desired, live) == {"annotations": desired["annotations"]}


def test_managed_fields_that_are_no_longer_wanted_are_cleared() -> None:
    live = {"security_group_refs": [ref("sg")], "port_security_enabled": True, "routing_instance_refs": [ref("ri")]}
    managed = ["security_group_refs", "port_security_enabled"]
    assert difference({}, live, managed) == {"security_group_refs": [], "port_security_enabled": None}


def test_order_of_annotations_and_references_does_not_matter() -> None:
    assert is_same("annotations", annotations(a="1", b="2"), annotations(b="2", a="1"))
    assert is_same("tag_refs", [ref("a"), ref("b")], [ref("b"), ref("a")])


def test_foreign_annotations_are_drift() -> None:
    assert not is_same("annotations", annotations(a="1"), annotations(a="1", b="2"))


def test_what_the_server_fills_in_is_not_drift() -> None:
    desired = {"service": {"protocol": "tcp", "dst_ports": {"start_port": 80, "end_port": 80}}}
    live = {"service": {"protocol": "tcp", "protocol_id": 6, "dst_ports": {"start_port": 80, "end_port": 80}}}
    assert difference(desired, live) == {}


def test_subnet_uuid_filled_into_a_flat_reference_is_not_drift() -> None:
    desired = [ref("default-domain", "p", "ipam", uuid="i", attr={"ipam_subnets": []})]
    live = [ref("default-domain", "p", "ipam", uuid="i", attr={"ipam_subnets": [{"subnet_uuid": "s"}]})]
    assert is_same("network_ipam_refs", desired, live)


def test_gateway_filled_into_a_subnet_is_not_drift() -> None:
    subnet = {"ip_prefix": "10.32.0.0", "ip_prefix_len": 12}
    desired = {"subnets": [{"subnet": subnet}]}
    live = {"subnets": [{"subnet": subnet, "default_gateway": "10.47.255.254", "dns_server_address": "10.47.255.253"}]}
    assert is_same("ipam_subnets", desired, live)


def test_attr_of_a_reference_counts() -> None:
    assert is_same("network_policy_refs", [ref("np", attr=None)], [ref("np", attr=None)])
    one, two = ({"sequence": {"major": number, "minor": 0}} for number in (1, 2))
    assert not is_same("network_policy_refs", [ref("np", attr=one)], [ref("np", attr=two)])


def test_target_made_anew_under_the_same_name_is_drift() -> None:
    assert not is_same("virtual_machine_refs", [ref("vm", uuid="new")], [ref("vm", uuid="old")])


def test_length_of_a_list_counts() -> None:
    rule = {"direction": ">"}
    assert not is_same("security_group_entries", {"policy_rule": [rule]}, {"policy_rule": [rule, rule]})


def test_empty_and_absent_are_the_same() -> None:
    assert difference({"tag_refs": [], "display_name": None}, {}) == {}
    assert difference({"tag_refs": []}, {"tag_refs": [ref("t")]}) == {"tag_refs": []}


def test_true_is_not_one() -> None:
    assert not is_same("port_security_enabled", True, 1)


def test_references_of_links_are_no_difference_and_are_sent_again_beside_what_changed() -> None:
    order = {"sequence": {"major": 0, "minor": 0}}
    live = {"network_policy_refs": [ref("own", uuid="o", attr=order), ref("linked", uuid="l", attr=order)]}
    own = {"network_policy_refs": [ref("own", uuid="o", attr=order)]}
    assert difference(own, live) == own
    assert difference(own, live, (), {"l"}) == {}
    new = ref("new", uuid="n", attr=order)
    assert difference({"network_policy_refs": [new]}, live, (), {"l"}) == {
        "network_policy_refs": [new, {"to": ["linked"], "uuid": "l", "attr": order}]
    }


def test_a_list_that_is_cleared_keeps_what_links_refer_to() -> None:
    managed = ["tag_refs"]
    live = {"tag_refs": [ref("mine", uuid="m"), ref("linked", uuid="l")]}
    assert difference({}, live, managed) == {"tag_refs": []}
    assert difference({}, live, managed, {"l"}) == {"tag_refs": [{"to": ["linked"], "uuid": "l"}]}
    assert difference({}, {"tag_refs": [ref("linked", uuid="l")]}, managed, {"l"}) == {}
