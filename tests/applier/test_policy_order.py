"""Case 76: a policy that is made, changed or removed in several calls is never half in effect.

Contrail applies what is linked to a policy set. Allowing: rules, then the policy with all of them, then the link.
Removing: the link, then the policy, then the rules. Changing: new rules, then one PUT, then the old rules go.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
import requests
from sqlalchemy import text

from schemas.contrail.objects import ContrailObject, Link, Reference
from schemas.identity import object_uuid
from simulators.contrail.faults import Fault, Trouble
from simulators.contrail.server import ContrailSimulator
from tests.applier.desired import DesiredStore
from tests.applier.objects import CLUSTER, annotations
from tests.applier.running import applying, until, until_applied

pytestmark = [pytest.mark.postgres, pytest.mark.process]
MANAGEMENT = "default-policy-management"
SET = (MANAGEMENT, "default-application-policy-set")
RULES = 5
ANY = {"any": True}


def rule(name: str, action: str) -> ContrailObject:
    return ContrailObject(
        "firewall-rule",
        (MANAGEMENT, name),
        object_uuid(CLUSTER, "firewall-rule", name),
        "policy-management",
        {
            "action_list": {"simple_action": action},
            "service": {"protocol": "tcp", "dst_ports": {"start_port": 80, "end_port": 80}},
            "endpoint_1": ANY,
            "endpoint_2": ANY,
            "direction": ">",
            "annotations": annotations(),
        },
    )


def group(name: str) -> ContrailObject:
    """An address group of one subnet."""
    subnet = {"subnet": [{"ip_prefix": "203.0.113.0", "ip_prefix_len": 24}]}
    uuid = object_uuid(CLUSTER, "address-group", name)
    properties = {"address_group_prefix": subnet, "annotations": annotations()}
    return ContrailObject("address-group", (MANAGEMENT, name), uuid, "policy-management", properties)


def rule_of(members: ContrailObject) -> ContrailObject:
    """A rule for what comes from this group."""
    plain = rule("of-a-group", "pass")
    said = {**plain.properties, "endpoint_1": {"address_group": ":".join(members.fq_name)}}
    return replace(plain, properties=said, needs=(members.uuid,))


def policy(rules: list[ContrailObject]) -> ContrailObject:
    """A policy of these rules in their order."""
    refs = [Reference(r.type, r.fq_name, r.uuid, {"sequence": f"{n:05}.0"}) for n, r in enumerate(rules, 1)]
    uuid = object_uuid(CLUSTER, "firewall-policy", "web")
    name = (MANAGEMENT, "k8s-shop-web")
    return ContrailObject(
        "firewall-policy", name, uuid, "policy-management", {"annotations": annotations()}, tuple(refs)
    )


def link(linked: ContrailObject) -> Link:
    return Link("application-policy-set", SET, linked.type, linked.fq_name, linked.uuid, attr={"sequence": "1.0"})


def rules(version: str) -> list[ContrailObject]:
    """Passes, and a denial of the rest at the end."""
    return [rule(f"{version}-{n}", "pass" if n < RULES else "deny") for n in range(1, RULES + 1)]


def in_effect(contrail: ContrailSimulator) -> list[str]:
    """Names of the rules of all policies that are linked to the set."""
    found = contrail.find("application-policy-set", *SET)
    assert found is not None
    names: list[str] = []
    for linked in found.get("firewall_policy_refs") or ():
        whole = contrail.find("firewall-policy", *linked["to"])
        assert whole is not None
        refs = sorted(whole["firewall_rule_refs"], key=lambda ref: str(ref["attr"]["sequence"]))
        names += [ref["to"][-1] for ref in refs]
    return names


def names(wanted: list[ContrailObject]) -> list[str]:
    return [each.fq_name[-1] for each in wanted]


def test_case_76_a_policy_takes_effect_whole_and_leaves_it_whole(
    store: DesiredStore, contrail: ContrailSimulator
) -> None:
    old, new = rules("old"), rules("new")
    with applying(store, contrail):
        # The third rule is refused: nothing is in effect, and a person sees what waits for what.
        contrail.faults.add(Fault(Trouble.STATUS, "POST", "/firewall-rules", 2, status=500, text="hiccup"))
        contrail.faults.add(Fault(Trouble.LATENCY, "POST", "/firewall-rules", 2))
        contrail.faults.add(Fault(Trouble.STATUS, "POST", "/firewall-rules", None, status=500, text="hiccup"))
        store.put(*old, policy(old), link(policy(old)))
        until(lambda: store.states()[link(policy(old)).uuid].status == "blocked", told=store.unfinished)
        assert in_effect(contrail) == [] and contrail.count("firewall-policy") == 0
        with store.engine.connect() as connection:
            shown = {r.type: r.reason for r in connection.execute(text("SELECT type, reason FROM unapplied"))}
        assert "waits for firewall-rule" in shown["firewall-policy"]
        contrail.faults.clear()
        until_applied(store)
        assert in_effect(contrail) == names(old)

        # All rules are replaced, and the last new one is refused: the old ones stay in effect, all of them.
        contrail.faults.add(Fault(Trouble.LATENCY, "POST", "/firewall-rules", RULES - 1))
        contrail.faults.add(Fault(Trouble.STATUS, "POST", "/firewall-rules", None, status=500, text="hiccup"))
        store.put(*new, policy(new))
        store.remove(*old)
        until(lambda: store.states()[policy(new).uuid].status == "blocked", told=store.unfinished)
        until(lambda: all(store.states()[o.uuid].status == "blocked" for o in old), told=store.unfinished)
        assert in_effect(contrail) == names(old)
        contrail.faults.clear()
        until_applied(store)
        assert in_effect(contrail) == names(new) and contrail.count("firewall-rule") == RULES

        # Removed, and the policy cannot be deleted: it is out of effect all the same.
        contrail.faults.add(Fault(Trouble.STATUS, "DELETE", "/firewall-policy/", None, status=500, text="hiccup"))
        store.remove(*new, policy(new), link(policy(new)))
        until(lambda: store.states()[policy(new).uuid].status == "failed", told=store.unfinished)
        assert in_effect(contrail) == [] and contrail.count("firewall-rule") == RULES
        contrail.faults.clear()
        until_applied(store)
    assert contrail.count("firewall-policy") == contrail.count("firewall-rule") == 0


MEMBERS = group("members")
OF_MEMBERS = rule_of(MEMBERS)


def groups_of(contrail: ContrailSimulator, wanted: ContrailObject) -> list[str]:
    """Names of the groups that Contrail has found for a rule; one for which it has found none is for all addresses."""
    found = contrail.find("firewall-rule", *wanted.fq_name)
    return [] if found is None else [ref["to"][-1] for ref in found.get("address_group_refs") or ()]


def test_a_rule_of_a_group_that_is_wanted_again_while_it_is_being_deleted_has_it(
    store: DesiredStore, contrail: ContrailSimulator
) -> None:
    with applying(store, contrail):
        store.put(MEMBERS)
        until_applied(store)
        contrail.faults.add(Fault(Trouble.LATENCY, "DELETE", "/address-group/", seconds=0.4))
        before = contrail.counters["DELETE", "address-group"]
        store.remove(MEMBERS)
        until(lambda: contrail.counters["DELETE", "address-group"] > before)
        store.put(MEMBERS, OF_MEMBERS)  # the group's delete is under way, and nobody can take it back
        until_applied(store)
        assert groups_of(contrail, OF_MEMBERS) == ["members"]


def test_a_rule_waits_for_its_group_to_be_made_anew_however_often_that_fails(
    store: DesiredStore, contrail: ContrailSimulator
) -> None:
    """An applier that was killed behind a delete leaves a group on record that Contrail does not have."""
    with applying(store, contrail):
        store.put(MEMBERS)
        until_applied(store)
    assert requests.delete(f"{contrail.url}/address-group/{MEMBERS.uuid}", timeout=5).status_code == 200
    store.remove(MEMBERS)
    store.put(MEMBERS, OF_MEMBERS)
    contrail.faults.add(Fault(Trouble.STATUS, "POST", "/address-groups", 1, status=500, text="hiccup"))
    with applying(store, contrail):
        until_applied(store)
    assert groups_of(contrail, OF_MEMBERS) == ["members"]
