"""Annotations are read strictly: what is wrong is named, and what worked before stays."""

from __future__ import annotations

import json

import msgspec
import pytest

from schemas.errors import TranslationError
from tests.translator.contrail import FollowingContrail, foreign_network, foreign_project
from tests.translator.facts import SETTINGS, namespace, node, pod, service
from tests.translator.states import History, rows
from translator.translate import annotated
from translator.translate.registry import require_well_formed

BLUE = {"domain": "default-domain", "project": "tenants", "name": "blue"}
PREFIX = "opencontrail.org"
BAD_NETWORKS = [
    "",
    "blue",
    "default-domain:tenants:blue",
    "[]",
    "null",
    json.dumps({"domain": "d", "project": "p"}),
    json.dumps({**BLUE, "name": ""}),
    json.dumps({**BLUE, "name": " "}),
    json.dumps({**BLUE, "name": 7}),
    json.dumps({**BLUE, "name": "a:b"}),
    json.dumps({**BLUE, "name": "a\x00b"}),
    json.dumps({**BLUE, "name": "a\ud800"}),
    "{'domain': 'd', 'project': 'p', 'name': 'a\\x00b'}",
    json.dumps({**BLUE, "name": "a\nb"}),
    json.dumps({**BLUE, "nmae": "blue"}),
    json.dumps(BLUE)[:-1],
    json.dumps({**BLUE, "families": "v5"}),
    json.dumps({**BLUE, "families": ""}),
    "__import__('os').system('true')",
    "(" * 5000,
    "[" * 100_000,
]


@pytest.mark.parametrize("key", ["isolation", "ip_fabric_snat", "ip_fabric_forwarding", "network-connect"])
@pytest.mark.parametrize("value", ["maybe", "", "1", "yes", "truefalse", "\u0442rue"])
def test_a_flag_that_is_neither_true_nor_false_is_named(key: str, value: str) -> None:
    with pytest.raises(TranslationError) as caught:
        require_well_formed(namespace(**{key.replace("-", "__"): value}))  # type: ignore[arg-type]
    assert str(caught.value) == (
        f"Namespace shop: annotation {PREFIX}/{key} is {value!r}; accepted is 'true' or 'false'"
    )


@pytest.mark.parametrize("text", BAD_NETWORKS, ids=lambda text: text[:20])
def test_case_39_a_network_that_cannot_be_read_is_named(text: str) -> None:
    for told in (namespace(network=text), pod("web", annotations={f"{PREFIX}/network": text})):
        with pytest.raises(TranslationError) as caught:
            require_well_formed(told)
        label = "Namespace shop" if told.kind == "Namespace" else "Pod shop/web"
        assert str(caught.value).startswith(f"{label}: annotation {PREFIX}/network is {text[:300]!r}; accepted is ")
        assert len(str(caught.value)) < 1000


def test_a_floating_ip_pool_needs_all_four_of_its_parts() -> None:
    held = {"domain": "d", "project": "p", "network": "n", "name": "pool"}
    assert annotated.pool("Service a/b", {annotated.POOL: json.dumps(held)}) == ("d", "p", "n", "pool")
    with pytest.raises(TranslationError, match=r'Namespace shop: annotation opencontrail.org/fip-pool is .*"network"'):
        require_well_formed(namespace(fip__pool=json.dumps(BLUE)))


def test_what_has_nothing_to_work_on_is_named() -> None:
    with pytest.raises(TranslationError, match="external-network needs a pod network of the namespace's own"):
        require_well_formed(namespace(external__network=json.dumps(BLUE)))
    with pytest.raises(TranslationError, match=r"network-connect needs opencontrail\.org/network beside it"):
        require_well_formed(namespace(network__connect="true"))
    require_well_formed(namespace(isolation="true", external__network=json.dumps(BLUE)))
    require_well_formed(namespace("default", external__network=json.dumps(BLUE)))


def test_case_39_a_bad_annotation_leaves_what_was_before_and_tells_once() -> None:
    good, bad = namespace(isolation="true"), namespace(isolation="perhaps")
    web, late = pod("web"), pod("late")
    history, contrail = History(), FollowingContrail()
    history.become((node(), good, web))
    before = history.dump()
    history.become((node(), bad, web))
    assert history.dump() == before
    history.become((node(), bad, web, late))
    assert [text.split(";")[0] for text in history.errors()] == [
        "Namespace shop: annotation opencontrail.org/isolation is 'perhaps'"
    ]
    assert history.dump() == rows((node(), good, web, late))
    contrail.follow(history.backend.store)
    history.become((node(), namespace(), web, late))
    assert history.errors() == []
    assert history.dump() == rows((node(), namespace(), web, late))


def test_forwarding_without_addresses_to_forward_changes_nothing_and_says_so() -> None:
    """New pods, members and policies go on as in the namespace without it."""
    settings = msgspec.structs.replace(SETTINGS, ip_fabric_subnets=())
    pods = (pod("web"), pod("late", labels={"opencontrail.org/name": "shop"}))
    history = History(settings)
    history.become((node(), namespace(isolation="true"), pods[0]))
    history.become((node(), namespace(isolation="true", ip_fabric_forwarding="true"), *pods))
    found, plain = history.dump(), rows((node(), namespace(isolation="true"), *pods), settings=settings)
    assert (found["objects"], found["sources"]) == (plain["objects"], plain["sources"])
    assert history.errors() == []
    assert history.notices() == {
        ("Namespace//shop", "ForwardingNotServed"): "annotation opencontrail.org/ip_fabric_forwarding is 'true'; "
        "accepted is 'false': the settings name no ip_fabric_subnets"
    }


def test_a_pod_that_was_never_well_formed_has_nothing() -> None:
    bad = pod("web", annotations={f"{PREFIX}/network": "{"})
    history = History()
    history.become((node(), namespace(), bad))
    assert history.dump()["objects"] == rows((node(), namespace()))["objects"]
    assert len(history.errors()) == 1


def test_a_network_that_does_not_exist_yet_waits_in_contrail_not_here() -> None:
    there = (foreign_project("tenants"), foreign_network("default-domain", "tenants", "blue"))
    history = History()
    history.become((node(), namespace(network=json.dumps(BLUE)), pod("web")))
    assert history.errors() == []
    with pytest.raises(AssertionError, match="blue"):
        FollowingContrail().follow(history.backend.store)
    FollowingContrail(*there).follow(history.backend.store)


def test_services_and_keys_that_we_do_not_read_are_left_alone() -> None:
    require_well_formed(service("s", annotations={f"{PREFIX}/network": "{"}))
    require_well_formed(namespace(isolation__service="nonsense"))
