"""How long lists get: what many policies of one namespace cost in rules, and what is too much."""

from __future__ import annotations

import json

import msgspec
import pytest

from schemas.contrail import wire
from schemas.errors import TranslationError
from schemas.events import Op
from schemas.records import (
    AdminNetworkPolicyRecord,
    AdminPeer,
    AdminPods,
    AdminPort,
    AdminRule,
    LabelSelector,
    NetworkPolicyRecord,
    PolicyRule,
    Record,
)
from tests.policy.building import ALL, block, expressed, labelled, namespace, pods, port, rule, shop
from tests.policy.cluster import Cluster
from tests.policy.holding import store_of
from tests.policy.truth import firewall_of, require_equal
from tests.translator.facts import SETTINGS, event
from tests.translator.states import History
from translator.policy import emit, room
from translator.policy.model import Endpoint, Rule, Service
from translator.translate.registry import require_well_formed


def both(
    selector: LabelSelector, ingress: tuple[PolicyRule, ...], egress: tuple[PolicyRule, ...]
) -> NetworkPolicyRecord:
    return NetworkPolicyRecord(
        pod_selector=selector, isolates_ingress=True, isolates_egress=True, ingress=ingress, egress=egress
    )


def told(policies: list[NetworkPolicyRecord]) -> Cluster:
    """These policies in one namespace."""
    held = {("NetworkPolicy", "shop", f"p{number}"): each for number, each in enumerate(policies)}
    return Cluster({**shop().resources, **held}, shop().settings)


def rules(history: History) -> int:
    return sum(row.type == "firewall-rule" and not row.absent for row in history.backend.store.tables.objects.values())


def in_a_row(number: int) -> list[NetworkPolicyRecord]:
    """Each app is isolated both ways, reached by the one before it, and may ask anybody for names."""
    names = rule(ports=(port(53, protocol="UDP"),))
    return [
        both(
            labelled(app=f"a{each}"),
            (rule(pods(labelled(app=f"a{each - 1}")), ports=(port(80),)),),
            (rule(pods(labelled(app=f"a{each + 1}")), ports=(port(80),)), names),
        )
        for each in range(number)
    ]


@pytest.mark.parametrize("extra", [[], [both(ALL, (), ())]], ids=["each isolates its own", "one isolates all"])
def test_rules_of_many_policies_in_one_namespace_grow_with_their_number(extra: list[NetworkPolicyRecord]) -> None:
    found = [rules(store_of(told([*extra, *in_a_row(number)]))) for number in (20, 40)]
    assert 0 < found[1] < 2.1 * found[0] and found[1] <= 6 * 40


def closed_but_for_ten(number: int) -> Cluster:
    """So many namespaces that each deny all both ways, and allow ten others both ways."""
    cluster = Cluster()
    for each in range(number):
        cluster = namespace(cluster, f"n{each}")
        ten = [labelled(kubernetes_io__metadata_name=f"n{(each + step) % number}") for step in range(1, 11)]
        allowed = (rule(*(pods(of=other) for other in ten)),)
        cluster = cluster.with_("NetworkPolicy", f"n{each}", "deny", both(ALL, (), ()))
        cluster = cluster.with_("NetworkPolicy", f"n{each}", "allow", both(ALL, allowed, allowed))
    return cluster


def test_namespaces_that_deny_all_and_allow_ten_others_both_ways_are_25_rules_each() -> None:
    assert [rules(store_of(closed_but_for_ten(number))) for number in (12, 24)] == [25 * 12, 25 * 24]


MANY = expressed(("app", "In", tuple(f"a{number}" for number in range(32))))
TWENTY = tuple(port(1000 + number) for number in range(20))
FIFTY = tuple(pods(labelled(n=str(number))) for number in range(50))


def test_the_longest_list_and_the_largest_group_are_no_more_than_contrail_takes_at_once() -> None:
    settings = msgspec.structs.replace(SETTINGS, cluster="c" * 20)
    ends = [Endpoint(tags=(f"t{number}",)) for number in range(room.MOST)]
    wide = Endpoint(prefixes=tuple(f"2001:db8:ffff:ffff:ffff:ffff:ffff:{n:x}/128" for n in range(room.MOST_PREFIXES)))
    made = emit.policy_set(settings, "n" * 63, tuple(Rule(end, wide, Service(), True) for end in ends))
    sizes = {
        type_: max(len(json.dumps({type_: wire.create_fields(each)})) for each in made if each.type == type_)
        for type_ in (emit.POLICY, emit.GROUP)
    }
    assert min(sizes.values()) > 900_000 and max(sizes.values()) < 1_024_000, sizes


def refusal(kind: str, record: Record) -> str:
    space = "shop" if kind == "NetworkPolicy" else ""
    with pytest.raises(TranslationError) as refused:
        require_well_formed(event(Op.UPSERT, kind, space, "huge", 1, record))
    return str(refused.value)


def test_a_policy_of_too_many_pods_peers_and_ports_is_refused_before_anything_is_made_of_it() -> None:
    said = refusal("NetworkPolicy", both(MANY, (), (rule(), rule(*FIFTY, ports=TWENTY))))
    assert "NetworkPolicy shop/huge: spec.egress[1] makes 32000 rules" in said and f"accepted are {room.MOST}" in said
    said = refusal("NetworkPolicy", both(ALL, (), tuple(rule(*FIFTY, ports=TWENTY) for _ in range(5))))
    assert "NetworkPolicy shop/huge: spec makes 5000 rules" in said


def test_a_block_of_too_many_exceptions_is_refused() -> None:
    holes = tuple(f"10.{number // 250}.{number % 250}.7/32" for number in range(2000))
    said = refusal("NetworkPolicy", both(ALL, (rule(block("10.0.0.0/8", *holes)),), ()))
    assert "shop/huge: spec.ingress[0].from has blocks that are" in said and f"are {room.MOST_PREFIXES}" in said


def test_an_administrators_policy_that_is_too_large_is_refused() -> None:
    peers = tuple(AdminPeer(pods=AdminPods(pod_selector=labelled(n=str(number)))) for number in range(100))
    numbers = tuple(AdminPort(protocol="TCP", port=1 + number) for number in range(41))
    record = AdminNetworkPolicyRecord(ingress=(AdminRule(action="Deny", peers=peers, ports=numbers),))
    assert "AdminNetworkPolicy huge: spec makes 4100 rules for each namespace" in refusal("AdminNetworkPolicy", record)


def become(history: History, cluster: Cluster) -> None:
    """All changes in one batch."""
    history.become(cluster.events(), squashed=True)
    history.become(cluster.events())


def open_both_ways(number: int) -> list[NetworkPolicyRecord]:
    """Each app lets in and out whom it wants, by a port of its own: every one meets every other."""
    return [
        both(labelled(app=f"a{each}"), (rule(ports=(port(each + 1),)),), (rule(ports=(port(each + 1),)),))
        for each in range(number)
    ]


def test_a_list_that_is_too_long_leaves_the_earlier_one_and_says_why_until_it_is_short_again() -> None:
    before, after = told(open_both_ways(2)), told(open_both_ways(100))
    history = store_of(before)
    there = rules(history)
    become(history, after)
    (said,) = history.errors()
    assert "Namespace shop: its 100 NetworkPolicies" in said and f"more than {room.MOST} firewall rules" in said
    assert "The largest: p0 (2)" in said
    assert rules(history) == there
    become(history, told(open_both_ways(3)))
    assert history.errors() == []
    require_equal(told(open_both_ways(3)), firewall_of(history.backend.store))


def test_what_many_policies_say_alike_is_no_more_than_one_says() -> None:
    history = store_of(told([both(ALL, (rule(*FIFTY, ports=TWENTY),), ())] * 20))
    assert history.errors() == [] and rules(history) == 1000 + 5


@pytest.mark.slow
def test_hundreds_of_blocks_that_never_meet_hold_nobody_up() -> None:
    blocks = [rule(block(f"10.{32 + number // 250}.{number % 250}.0/28")) for number in range(600)]
    apart = [both(labelled(app=f"a{number}"), (each,), (each,)) for number, each in enumerate(blocks)]
    (said,) = store_of(told(apart)).errors()
    assert "too many pairs" in said
