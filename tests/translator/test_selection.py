"""Annotations that ask for interfaces, read strictly: what is wrong is named."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.errors import TranslationError
from tests.translator.facts import attachment, pod
from translator.translate.attachment import subnets
from translator.translate.registry import require_well_formed
from translator.translate.selection import NETWORKS, Selection, first_addresses, first_mac, selections


def read(value: object) -> tuple[Selection, ...]:
    """Selections of an annotation that is text, or objects."""
    text = value if isinstance(value, str) else json.dumps(value)
    return selections("Pod shop/web", "shop", {NETWORKS: text})


def test_a_comma_list() -> None:
    assert read("blue, infra/red ,other/x.y@eth1") == (
        Selection("shop", "blue", "net1"),
        Selection("infra", "red", "net2"),
        Selection("other", "x.y", "eth1"),
    )


def test_objects_with_addresses_and_mac() -> None:
    asked = {"name": "blue", "ips": ["FD01::7/64", "10.1.0.7"], "mac": "02:AA:00:00:00:01", "bandwidth": {}}
    assert read([asked]) == (Selection("shop", "blue", "net1", ("10.1.0.7", "fd01::7"), "02:aa:00:00:00:01"),)
    assert read([{"name": "blue", "ips": "10.1.0.7", "mac": None}])[0].addresses == ("10.1.0.7",)


@pytest.mark.parametrize(
    ("value", "accepted"),
    [
        ("blue,", '"name" and'),
        ("a/b/c", "a comma list"),
        ("a@b@c", "a comma list"),
        ("Blue", '"name" and'),
        ("../etc", '"name" and'),
        ("blue@", '"name" and'),
        ("blue@0123456789abcdef", '"name" and'),
        ("blue@a:b", '"name" and'),
        ("blue@..", '"name" and'),
        ("blue@eth0", "eth0 is there twice"),
        ("blue@net2,red", "net2 is there twice"),
        ("gr\u00fcn", '"name" and'),
        ("{}", "a comma list"),
        ("[", "a comma list"),
        ("[" * 100_000, "a comma list"),
        ('["blue"]', "a comma list"),
        ([{}], '"name" and'),
        ([{"name": 7}], '"name" and'),
        ([{"name": "blue", "namespace": None}], '"name" and'),
        ([{"name": "blue", "namespace": "a/b"}], '"name" and'),
        ([{"name": "blue", "interface": 1}], '"name" and'),
        ([{"name": "blue", "ips": {"a": 1}}], '"ips"'),
        ([{"name": "blue", "ips": [7]}], '"ips"'),
        ([{"name": "blue", "ips": ["10.1.0.7", "10.1.0.8"]}], '"ips"'),
        ([{"name": "blue", "ips": ["10.1.0.300"]}], '"ips"'),
        ([{"name": "blue", "ips": ["224.0.0.1"]}], '"ips"'),
        ([{"name": "blue", "ips": ["fe80::1%eth0"]}], '"ips"'),
        ([{"name": "blue", "mac": "02:00:00:00:00"}], '"mac"'),
        ([{"name": "blue", "mac": "01:00:00:00:00:01"}], '"mac"'),
        ([{"name": "blue", "mac": "00:00:00:00:00:00"}], '"mac"'),
        ([{"name": "blue", "mac": 2}], '"mac"'),
        ([{"name": "blue"}] * 65, "64 at most"),
        (",".join(["blue"] * 100_000), "64 at most"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_case_39_a_list_that_cannot_be_read_is_named(value: Any, accepted: str) -> None:
    text = value if isinstance(value, str) else json.dumps(value)
    with pytest.raises(TranslationError) as caught:
        require_well_formed(pod("web", annotations={NETWORKS: text}))
    said = str(caught.value)
    assert said.startswith(f"Pod shop/web: annotation {NETWORKS} is {text[:300]!r}; accepted is ")
    assert accepted in said.partition("accepted is ")[2] and len(said) < 1000


@pytest.mark.parametrize("text", ["", "10.1.0.7 10.1.0.8", "10.1.0.7,10.1.0.8", "{}", "7", "0.0.0.0", "[[]]"])
def test_case_39_addresses_that_cannot_be_read_are_named(text: str) -> None:
    with pytest.raises(TranslationError, match=r"Pod shop/web: annotation opencontrail.org/ips is .*accepted is one"):
        require_well_formed(pod("web", annotations={"opencontrail.org/ips": text}))


@pytest.mark.parametrize("text", ["", "02-00-00-00-00-01", "02:00:00:00:00:0g", "ff:ff:ff:ff:ff:ff"])
def test_case_39_a_mac_that_cannot_be_read_is_named(text: str) -> None:
    with pytest.raises(TranslationError, match=r"Pod shop/web: annotation opencontrail.org/mac is .*accepted is six"):
        require_well_formed(pod("web", annotations={"opencontrail.org/mac": text}))


def test_a_pod_that_asks_for_nothing() -> None:
    assert (selections("", "shop", {}), first_addresses("", {}), first_mac("", {})) == ((), (), "")


@pytest.mark.parametrize(
    "cidr",
    [
        "",
        "10.1.0.0",
        "10.1.0.0/33",
        "10.1.0.5/24",
        "10.1.0.0/30",
        "0.0.0.0/0",
        "224.0.0.0/8",
        "fd01::/126",
        "10.1.0.0/16,10.1.2.0/24",
        "10.1.0.0/24,",
        '{"a": "10.1.0.0/24"}',
        "[]",
        "[7]",
        '["10.1.0.0/24", null]',
        ",".join(f"10.{high}.{low}.0/24" for high in range(100) for low in range(100)),
    ],
    ids=lambda cidr: cidr[:24],
)
def test_case_39_subnets_that_cannot_be_read_are_named(cidr: str) -> None:
    with pytest.raises(TranslationError) as caught:
        require_well_formed(attachment(cidr=cidr))
    said = str(caught.value)
    label = "NetworkAttachmentDefinition shop/blue: annotation opencontrail.org/cidr"
    assert said.startswith(f"{label} is {cidr[:300]!r}; accepted is 1 to 64 subnets")


@pytest.mark.parametrize("cidr", ["10.1.0.0/24", '"10.1.0.0/24"', " 10.1.0.0/24 ", '["10.1.0.0/24"]'])
def test_one_subnet_in_every_form(cidr: str) -> None:
    assert subnets("", attachment(cidr=cidr).body) == ("10.1.0.0/24",)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "culprit"),
    [
        ({}, "accepted is exactly one of them"),
        ({"cidr": "10.1.0.0/24", "network": "{}"}, "accepted is exactly one of them"),
        ({"network": "{}"}, "annotation opencontrail.org/network is '{}'"),
        ({"cidr": "10.1.0.0/24", "ip_fabric_snat": "maybe"}, "ip_fabric_snat is 'maybe'"),
        ({"cidr": "10.1.0.0/24", "ip_fabric_forwarding": ""}, "ip_fabric_forwarding is ''"),
        ({"cidr": "10.1.0.0/24", "config": "{"}, "spec.config is '{'"),
        ({"cidr": "10.1.0.0/24", "config": "[]"}, "spec.config is '[]'"),
    ],
)
def test_case_39_an_attachment_of_ours_whose_network_cannot_be_told_is_named(
    given: dict[str, str], culprit: str
) -> None:
    with pytest.raises(TranslationError) as caught:
        require_well_formed(attachment(**given))
    assert str(caught.value).startswith("NetworkAttachmentDefinition shop/blue: ") and culprit in str(caught.value)


@pytest.mark.parametrize(
    "config", ['{"type": "macvlan"}', '{"plugins": [{"type": "bridge"}, 7]}', "{}", '{"plugins": 7}']
)
def test_attachments_of_other_plugins_may_say_anything(config: str) -> None:
    require_well_formed(attachment(config=config, cidr="nonsense", network="{"))


def test_a_configuration_that_is_no_json_is_nobodys() -> None:
    require_well_formed(attachment(config="{"))
    require_well_formed(attachment(config=""))
