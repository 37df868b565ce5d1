"""How long lists get: what many policies of one namespace cost in rules, and what is too much."""

from __future__ import annotations

import pytest

from schemas.records import LabelSelector, NetworkPolicyRecord, PolicyRule
from tests.policy.building import ALL, labelled, pods, port, rule, shop
from tests.policy.cluster import Cluster
from tests.policy.holding import store_of
from tests.translator.states import History


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
