"""The reference of the firewall: objects written by hand, and what a vrouter does with them."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.contrail.objects import LINK, ContrailObject, Link, Reference, joined
from tests.policy.cluster import Spot
from tests.policy.contrail_firewall import Broken, ContrailFirewall, Sessions

MANAGEMENT = "default-policy-management"
WEB, DB, OUT = Spot("10.0.0.1", pod="a/web"), Spot("10.0.0.2", pod="a/db"), Spot("203.0.113.7")
UIDS = {"a/web": "u-web", "a/db": "u-db"}
TCP, UDP, ICMP = ("TCP", 80), ("UDP", 80), ("ICMP", 0)
ANY = {"any": True}
Row = tuple[str, str, str, dict[str, Any]]


def row(object_: ContrailObject) -> Row:
    return object_.type, joined(object_.fq_name), object_.uuid, object_.body()


def tag(text: str) -> ContrailObject:
    kind, _, value = text.partition("=")
    return ContrailObject("tag", (text,), f"t-{text}", None, {"tag_type_name": kind, "tag_value": value})


def interface(name: str, *tags: str) -> list[Row]:
    machine = ContrailObject("virtual-machine", (name,), f"u-{name}")
    references = tuple(Reference("tag", (each,)) for each in tags)
    network, to = Reference("virtual-network", ("d", "p", "net")), Reference("virtual-machine", (name,))
    return [
        row(machine),
        row(
            ContrailObject(
                "virtual-machine-interface", ("d", "p", name), name, "project", {}, (*references, network, to)
            )
        ),
    ]


def firewall(*rules: dict[str, Any], extra: tuple[Row, ...] = (), sequences: tuple[str, ...] = ()) -> ContrailFirewall:
    """Interfaces web and db under one policy with these rules, in the order of the sequences."""
    known = (
        "label=web",
        "label=db",
        "label=net",
        "label=pro",
        "application=a",
        "application=b",
        "tier=one",
        "tier=two",
    )
    ordered = sequences or tuple(f"{number:05}.0" for number in range(len(rules)))
    members = tuple(
        Reference("firewall-rule", (MANAGEMENT, f"r{number}"), None, {"sequence": sequence})
        for number, sequence in enumerate(ordered)
    )
    policy = ContrailObject("firewall-policy", (MANAGEMENT, "fp"), "fp", "policy-management", {}, members)
    to = (
        Reference("firewall-policy", (MANAGEMENT, "fp"), None, {"sequence": "1.0"}),
        Reference("tag", ("application=a",)),
    )
    made = [
        ContrailObject(
            "project",
            ("d", "p"),
            "p",
            "domain",
            {},
            (Reference("tag", ("application=a",)), Reference("tag", ("label=pro",))),
        ),
        ContrailObject(
            "virtual-network",
            ("d", "p", "net"),
            "n",
            "project",
            {},
            (Reference("tag", ("label=net",)), Reference("tag", ("tier=two",))),
        ),
        policy,
        ContrailObject("application-policy-set", (MANAGEMENT, "set"), "set", "policy-management", {}, to),
        ContrailObject(
            "address-group",
            (MANAGEMENT, "out"),
            "g",
            "policy-management",
            {"address_group_prefix": {"subnet": [{"ip_prefix": "203.0.113.0", "ip_prefix_len": 24}]}},
        ),
        *(tag(each) for each in known),
        *(
            ContrailObject("firewall-rule", (MANAGEMENT, f"r{n}"), f"r{n}", "policy-management", each)
            for n, each in enumerate(rules)
        ),
    ]
    ends = [*interface("web", "label=web", "tier=one"), *interface("db", "label=db")]
    return ContrailFirewall([*map(row, made), *ends, *extra])


def says(
    action: str, one: Any, two: Any, protocol: str = "any", low: int = 0, high: int = 65535, **more: Any
) -> dict[str, Any]:
    service = {"protocol": protocol, "dst_ports": {"start_port": low, "end_port": high}}
    return {
        "action_list": {"simple_action": action},
        "endpoint_1": one,
        "endpoint_2": two,
        "service": service,
        "direction": ">",
        **more,
    }


def passes(asked: ContrailFirewall, source: Spot, target: Spot, port: tuple[str, int] = TCP) -> bool:
    return asked.allows(source, target, [port], UIDS)[0]


def tags(*names: str) -> dict[str, Any]:
    return {"tags": [f"label={each}" for each in names]}


def test_what_no_rule_knows_is_dropped() -> None:
    assert not passes(firewall(says("pass", tags("db"), ANY)), WEB, DB)
    assert "the implicit deny" in firewall().why(WEB, DB, TCP, UIDS)


def test_an_interface_without_a_policy_set_passes_everything() -> None:
    free = interface("free", "application=b")
    asked = firewall(extra=tuple(free))
    spot, uids = Spot("10.0.0.3", pod="a/free"), {**UIDS, "a/free": "u-free"}
    assert asked.allows(OUT, spot, [TCP], uids) == (True,)
    assert asked.allows(WEB, spot, [TCP], uids) == (False,), "the source's own list drops it"


def test_the_first_rule_in_sequence_decides_and_sequences_are_texts() -> None:
    rules = (says("deny", ANY, ANY), says("pass", ANY, ANY))
    assert not passes(firewall(*rules), WEB, DB)
    assert passes(firewall(*rules, sequences=("00001.0", "00000.5")), WEB, DB)
    assert passes(firewall(*rules, sequences=("9.0", "10.0")), WEB, DB), "'10.0' sorts before '9.0'"
    with pytest.raises(Broken, match="one sequence"):
        passes(firewall(*rules, sequences=("1.0", "1.0")), WEB, DB)


def test_all_tags_of_an_endpoint_must_be_there_own_or_inherited() -> None:
    assert passes(firewall(says("pass", tags("web", "net", "pro"), tags("db"))), WEB, DB)
    assert not passes(firewall(says("pass", tags("web", "db"), tags("db"))), WEB, DB)
    assert not passes(firewall(says("pass", tags("web"), tags("pro"))), WEB, OUT)


def test_of_a_type_that_is_no_label_the_nearest_tag_counts() -> None:
    asked = firewall()
    assert asked.tags_of("u-web") >= {"tier=one", "label=net", "label=pro", "application=a"}
    assert "tier=two" not in asked.tags_of("u-web") and "tier=two" in asked.tags_of("u-db")


def test_links_are_references_of_their_owner() -> None:
    link = Link("virtual-machine-interface", ("d", "p", "db"), "tag", ("label=web",), "t-label=web")
    extra: Row = (LINK, "", link.uuid, link.body())
    assert passes(firewall(says("pass", ANY, tags("web", "db")), extra=(extra,)), WEB, DB)


@pytest.mark.parametrize(
    ("endpoint", "found"),
    [
        ({"subnet": {"ip_prefix": "10.0.0.2", "ip_prefix_len": 32}}, [True, False]),
        ({"address_group": f"{MANAGEMENT}:out"}, [False, True]),
        (ANY, [True, True]),
        ({}, [True, True]),
        ({"subnet": {"ip_prefix": "::", "ip_prefix_len": 0}}, [False, False]),
    ],
)
def test_addresses_are_compared_within_their_family(endpoint: dict[str, Any], found: list[bool]) -> None:
    asked = firewall(says("pass", ANY, endpoint))
    assert [passes(asked, WEB, DB), passes(asked, WEB, OUT)] == found


def test_services_are_of_a_protocol_and_a_range_and_any_has_no_ports() -> None:
    asked = firewall(says("pass", ANY, ANY, "tcp", 80, 90))
    assert [passes(asked, WEB, DB, each) for each in (("TCP", 80), ("TCP", 90), ("TCP", 91), UDP, ICMP)] == [
        True,
        True,
    ] + [False] * 3
    asked = firewall(says("pass", ANY, ANY, "any", 1, 1))
    assert all(passes(asked, WEB, DB, each) for each in (TCP, UDP, ICMP))


def test_directions_and_matching_tags() -> None:
    assert not passes(firewall(says("pass", tags("db"), tags("web"))), WEB, DB)
    assert passes(firewall(says("pass", tags("db"), tags("web")) | {"direction": "<"}), WEB, DB)
    assert passes(firewall(says("pass", tags("db"), tags("web")) | {"direction": "<>"}), WEB, DB)
    assert not passes(firewall(says("pass", ANY, ANY, match_tags={"tag_list": ["tier"]})), WEB, DB)
    assert passes(firewall(says("pass", ANY, ANY, match_tags={"tag_list": []})), WEB, DB)


def test_replies_pass_and_only_these() -> None:
    asked = Sessions(firewall(says("pass", tags("web"), tags("db"), "tcp", 80, 80)), UIDS)
    assert not asked.packet(DB, WEB, "TCP", 80, 50000)
    assert asked.packet(WEB, DB, "TCP", 50000, 80) and asked.packet(DB, WEB, "TCP", 80, 50000)
    assert not asked.packet(DB, WEB, "TCP", 80, 50001)


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (says("pass", {"tags": ["label=none"]}, ANY), "tag label=none"),
        (says("pass", {"address_group": f"{MANAGEMENT}:none"}, ANY), "address-group"),
        (says("alert", ANY, ANY), "action"),
        (says("pass", {**tags("web"), "any": True}, ANY), "endpoint"),
        (says("pass", ANY, ANY, "foo"), "protocol"),
    ],
)
def test_what_contrail_would_refuse_or_misread_is_a_fault(rule: dict[str, Any], text: str) -> None:
    with pytest.raises(Broken, match=text):
        firewall(rule)


def test_policies_of_sets_for_all_applications_are_asked_first() -> None:
    """The agent puts those of global sets before all others, and on interfaces without a tag as well."""
    closed = ContrailObject(
        "firewall-rule", (MANAGEMENT, "closed"), "c", "policy-management", says("deny", tags("web"), ANY, "tcp", 80, 80)
    )
    to = Reference("firewall-rule", (MANAGEMENT, "closed"), None, {"sequence": "1.0"})
    policy = ContrailObject("firewall-policy", (MANAGEMENT, "global"), "gp", "policy-management", {}, (to,))
    above = Reference("firewall-policy", (MANAGEMENT, "global"), None, {"sequence": "9.0"})
    every = ContrailObject(
        "application-policy-set", (MANAGEMENT, "every"), "gs", "policy-management", {"all_applications": True}, (above,)
    )
    asked = firewall(says("pass", ANY, ANY), extra=(row(closed), row(policy), row(every)))
    assert not passes(asked, WEB, DB) and passes(asked, WEB, DB, UDP) and passes(asked, OUT, DB)
    other = firewall(extra=(row(closed), row(policy), row(every), *interface("free", "application=b")))
    assert not other.allows(OUT, Spot("10.0.0.3", pod="a/free"), [UDP], {**UIDS, "a/free": "u-free"})[0]


def test_two_sets_for_one_application_are_a_fault() -> None:
    other = ContrailObject(
        "application-policy-set",
        (MANAGEMENT, "two"),
        "s2",
        "policy-management",
        {},
        (Reference("tag", ("application=a",)),),
    )
    with pytest.raises(Broken, match="their order is undefined"):
        firewall(extra=(row(other),))
