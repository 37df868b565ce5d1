"""Objects and links as the config API takes them."""

from __future__ import annotations

import pytest

from schemas.contrail import wire
from schemas.contrail.objects import ContrailObject, Link, Reference
from schemas.contrail.shapes import reference_field
from schemas.contrail.types import TYPES
from schemas.errors import ModelError

UUID = "0a0b0c0d-0000-4000-8000-000000000001"
OTHER = "0a0b0c0d-0000-4000-8000-000000000002"
PROJECT = ("default-domain", "k8s-shop")
SEQUENCE = {"sequence": {"major": 0, "minor": 0}}
NETWORK = ContrailObject(
    "virtual-network",
    (*PROJECT, "pods"),
    UUID,
    "project",
    {"fabric_snat": False},
    (
        Reference("network-policy", (*PROJECT, "b"), OTHER, SEQUENCE),
        Reference("network-policy", (*PROJECT, "a"), None, SEQUENCE),
        Reference("network-ipam", (*PROJECT, "ipam"), OTHER, {"ipam_subnets": []}),
    ),
)


def test_create_body_has_names_parent_properties_and_references() -> None:
    assert wire.create_body(NETWORK) == {
        "virtual-network": {
            "fq_name": ["default-domain", "k8s-shop", "pods"],
            "uuid": UUID,
            "parent_type": "project",
            "fabric_snat": False,
            "network_ipam_refs": [
                {"to": ["default-domain", "k8s-shop", "ipam"], "uuid": OTHER, "attr": {"ipam_subnets": []}}
            ],
            "network_policy_refs": [
                {"to": ["default-domain", "k8s-shop", "a"], "attr": SEQUENCE},
                {"to": ["default-domain", "k8s-shop", "b"], "uuid": OTHER, "attr": SEQUENCE},
            ],
        }
    }


def test_update_body_leaves_names_out() -> None:
    assert wire.update_body(NETWORK)["virtual-network"].keys() == {
        "fabric_snat",
        "network_ipam_refs",
        "network_policy_refs",
    }


def test_child_of_the_root_names_no_parent() -> None:
    assert wire.create_fields(ContrailObject("virtual-machine", ("vm",), UUID)) == {"fq_name": ["vm"], "uuid": UUID}


@pytest.mark.parametrize("make", [wire.create_fields, wire.update_fields])
def test_nothing_that_breaks_the_model_becomes_a_body(make: object) -> None:
    with pytest.raises(ModelError):
        make(ContrailObject("virtual-machine", ("vm",), "no-uuid"))  # type: ignore[operator]


def test_paths_add_an_s_whatever_english_says() -> None:
    assert wire.collection_path("network-policy") == "/network-policys"
    assert wire.collection_path("virtual-DNS") == "/virtual-DNSs"
    assert wire.object_path("virtual-network", UUID) == f"/virtual-network/{UUID}"
    with pytest.raises(ModelError):
        wire.collection_path("virtual-networks")


def test_reference_fields_keep_capitals() -> None:
    assert reference_field("virtual-DNS") == "virtual_DNS_refs"
    assert reference_field("network-policy") == "network_policy_refs"


def test_managed_fields_leave_out_what_the_server_fills() -> None:
    interface = wire.managed_fields("virtual-machine-interface")
    assert {"annotations", "security_group_refs", "tag_refs", "port_security_enabled"} <= set(interface)
    assert not {"routing_instance_refs", "virtual_machine_interface_mac_addresses", "id_perms", "perms2"} & set(
        interface
    )
    assert not {"instance_ip_address", "instance_ip_family", "subnet_uuid"} & set(wire.managed_fields("instance-ip"))
    assert not {"is_shared", "virtual_network_network_id"} & set(wire.managed_fields("virtual-network"))
    assert not {"tag_refs", "match_tag_types"} & set(wire.managed_fields("firewall-rule"))


def test_managed_fields_exist_and_are_sorted() -> None:
    for name, known in TYPES.items():
        if name != "config-root":
            managed = wire.managed_fields(name)
            assert list(managed) == sorted(managed)
            assert set(managed) <= known.properties.keys() | known.references.keys()


LINK = Link("virtual-network", (*PROJECT, "pods"), "network-policy", (*PROJECT, "np"), OTHER, attr=SEQUENCE)


@pytest.mark.parametrize("operation", [wire.ADD, wire.DELETE])
def test_ref_update_names_both_ends(operation: str) -> None:
    assert wire.ref_update(LINK, UUID, operation) == {
        "type": "virtual-network",
        "uuid": UUID,
        "ref-type": "network-policy",
        "ref-uuid": OTHER,
        "ref-fq-name": ["default-domain", "k8s-shop", "np"],
        "operation": operation,
        "attr": SEQUENCE,
    }
