"""The tables of Contrail's types: whole, and the same as those of the official client."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.contrail.shapes import CONFIG_ROOT, Many, Scalar, Struct
from schemas.contrail.types import TYPES, depths, type_of
from schemas.errors import ModelError
from tests.simulators import vnc_client

NAMED = [
    "domain",
    "project",
    "virtual-network",
    "network-ipam",
    "network-policy",
    "security-group",
    "virtual-machine",
    "virtual-machine-interface",
    "instance-ip",
    "floating-ip-pool",
    "floating-ip",
    "virtual-router",
    "loadbalancer",
    "loadbalancer-listener",
    "loadbalancer-pool",
    "loadbalancer-member",
    "loadbalancer-healthmonitor",
    "service-health-check",
    "service-appliance-set",
    "service-template",
    "service-instance",
    "port-tuple",
    "logical-router",
    "route-table",
    "interface-route-table",
    "tag-type",
    "tag",
    "policy-management",
    "application-policy-set",
    "firewall-policy",
    "firewall-rule",
    "address-group",
    "service-group",
    "global-vrouter-config",
    "global-system-config",
    "routing-instance",
]


@pytest.mark.parametrize("name", NAMED)
def test_knows_every_type_that_translation_can_need(name: str) -> None:
    assert type_of(name).name == name


def test_parents_and_targets_are_types_too() -> None:
    for known in TYPES.values():
        assert set(known.parents) <= TYPES.keys(), known.name
        assert {rule.target for rule in known.references.values()} <= TYPES.keys(), known.name


def test_every_type_has_tags_and_annotations() -> None:
    for known in TYPES.values():
        assert "tag_refs" in known.references
        assert known.properties["annotations"].key == "key"


def test_collections_name_a_list_in_their_structure() -> None:
    for known in TYPES.values():
        for rule in known.properties.values():
            if rule.items:
                assert isinstance(rule.shape, Struct)
                assert isinstance(rule.shape.fields[rule.items], Many)
            if rule.key:
                assert rule.element is not None
                assert rule.key in rule.element.fields


def test_depth_of_a_name_follows_from_its_parents() -> None:
    assert depths("virtual-network") == {3}
    assert depths("virtual-machine") == {1}
    assert depths("virtual-machine-interface", "virtual-machine") == {2}
    assert depths("tag") == {1, 3}
    assert depths("floating-ip", "floating-ip-pool") == {5}


def test_unknown_type_is_named_with_what_is_like_it() -> None:
    with pytest.raises(ModelError, match=r"no type 'virtual-netwrok'; is 'virtual-network' meant\?"):
        type_of("virtual-netwrok")
    with pytest.raises(ModelError):
        type_of(CONFIG_ROOT)


@pytest.fixture(scope="module")
def official() -> dict[str, Any]:
    try:
        python = vnc_client.python()
    except vnc_client.Unavailable as error:
        pytest.skip(f"official client unavailable: {error}")
    script = Path(vnc_client.__file__).with_name("vnc_client_schema.py")
    done = subprocess.run([python, script], capture_output=True, text=True, timeout=120, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_types_are_those_of_the_official_client(official: dict[str, Any]) -> None:
    for name, known in TYPES.items():
        theirs = official[name]
        assert list(known.parents) == theirs["parents"], name
        assert sorted(known.properties) == theirs["properties"], name
        ours = {f: [r.target, r.attr.name if r.attr else None] for f, r in known.references.items()}
        assert ours == {f: held for f, held in theirs["references"].items() if held[0] in TYPES}, name


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_structures_are_those_of_the_official_client(official: dict[str, Any]) -> None:
    checked = set()
    for known in TYPES.values():
        shapes: list[Any] = [rule.shape for rule in known.properties.values()]
        shapes += [rule.attr for rule in known.references.values() if rule.attr]
        for shape in shapes:
            for held in _structures(shape):
                assert sorted(held.fields) == official["structures"][held.name], held.name
                checked.add(held.name)
    assert len(checked) > 100


def _structures(shape: Scalar | Struct | Many) -> Iterator[Struct]:
    if isinstance(shape, Many):
        yield from _structures(shape.of)
    elif isinstance(shape, Struct):
        yield shape
        for field in shape.fields.values():
            yield from _structures(field)
