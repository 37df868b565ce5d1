"""Judging worlds made by chance: exactly what differs is named, and nothing that is not ours is named for change."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from applier.audit.judge import fields_of, is_from_owner, judge, judge_link, judge_unknown
from applier.audit.values import DRIFT, Finding, Live, LiveLink, Problem, Wanted
from applier.rows import Row
from applier.writer import OwnerMark
from schemas.contrail import wire
from schemas.contrail.objects import ContrailObject, joined
from tests.applier.objects import NETWORK, annotations, pod, project

MARK = OwnerMark("k8s", "k8s")


def row_of(wanted: Any, **changed: Any) -> Row:
    values = {
        "uuid": wanted.uuid,
        "shard": 0,
        "type": wanted.type,
        "fq_name": joined(wanted.fq_name),
        "body": wanted.body(),
        "generation": 1,
        "applied_generation": 1,
    }
    return Row(**{**values, **changed})


def live_of(wanted: ContrailObject, **changed: Any) -> Live:
    fields = {**wire.update_fields(wanted), **changed}
    return Live(wanted.type, wanted.uuid, joined(wanted.fq_name), wanted.parent_uuid, fields)


CHANGES: dict[str, dict[str, Any]] = {
    "same": {},
    "filled": {"id_perms": {"enable": True}, "display_name": "x", "perms2": {"owner": "o"}},
    "edited": {"server_type": "virtual-server"},
    "unmarked": {"annotations": None},
    "remarked": {"annotations": annotations(kind="Pod", cluster="other")},
    "tagged": {"tag_refs": [{"to": ["label=x"], "uuid": "t"}]},
}
DIFFERENT = {"edited", "unmarked", "remarked", "tagged"}
objects = st.lists(
    st.tuples(
        st.sampled_from(sorted(CHANGES)),
        st.sampled_from(["wanted", "leaving", "busy", "unknown", "foreign"]),
        st.booleans(),
    ),
    max_size=12,
)


@given(objects)
def test_worlds_made_by_chance(world: list[tuple[str, str, bool]]) -> None:
    changed, orphans, foreign = set(), set(), set()
    found: list[Finding] = []
    for n, (change, whose, below) in enumerate(world):
        machine = pod("shop", f"web-{n}").machine
        live = live_of(machine, **CHANGES[change])
        if whose in ("unknown", "foreign"):
            if whose == "foreign":
                live = replace(live, fields={**live.fields, "annotations": annotations(owner="other")})
            judged = judge_unknown(live, mark=MARK, parent="project p" if below else None)
            ours = whose == "unknown" and change not in ("unmarked", "remarked")
            (orphans if ours else foreign if below else set()).add(live.uuid)
        else:
            row = row_of(machine, absent=whose == "leaving")
            judged = judge(live, Wanted(row, "shop", settled=whose != "busy"))
            if whose == "wanted" and change in DIFFERENT:
                changed.add(live.uuid)
        found += [judged] if judged else []
    assert {f.uuid for f in found if f.problem in DRIFT} == changed
    assert {f.uuid for f in found if f.problem is Problem.ORPHAN} == orphans
    assert {f.uuid for f in found if f.problem is Problem.FOREIGN} == foreign


def test_fields_of_server_and_links_are_not_compared() -> None:
    network = live_of(NETWORK, is_shared=False, virtual_network_network_id=4)
    assert judge(network, Wanted(row_of(NETWORK), "", settled=True)) is None
    policies = [{"to": ["a", "b"], "uuid": "p"}]
    linked = live_of(NETWORK, network_policy_refs=policies)
    assert judge(linked, Wanted(row_of(NETWORK), "", settled=True)) is not None
    assert judge(linked, Wanted(row_of(NETWORK), "", settled=True, linked=frozenset({"p"}))) is None
    assert judge(linked, Wanted(row_of(NETWORK), "", settled=True, linked=frozenset({"q"}))) is not None


def test_another_object_under_our_uuid_is_told_by_its_name() -> None:
    machine = pod("shop", "web-0").machine
    live = replace(live_of(machine), fq_name="somebody-elses")
    finding = judge(live, Wanted(row_of(machine), "shop", settled=True))
    assert finding is not None
    assert finding.detail == {"fq_name": ["k8s__shop__web-0", "somebody-elses"]}


def test_long_values_are_cut() -> None:
    machine = pod("shop", "web-0").machine
    live = live_of(machine, annotations=annotations(kind="x" * 5000))
    finding = judge(live, Wanted(row_of(machine), "shop", settled=True))
    assert finding is not None
    assert all(len(str(value)) < 600 for value in finding.detail["annotations"])


def test_what_the_server_gives_to_a_project_is_not_foreign() -> None:
    name = joined((*project("shop").fq_name, "default-application-policy-set"))
    assert judge_unknown(Live("application-policy-set", "u", name, "p"), mark=MARK, parent="project p") is None


def test_a_link_is_found_by_its_owners_name_or_address_in_any_case() -> None:
    link = pod("shop", "web-0", node="Node-1", node_address="192.0.2.1").link
    wanted = Wanted(row_of(link, type="link"), "shop", settled=True)
    reference = LiveLink("virtual-router", "r", "default-global-system-config:node-1", "", link.target_uuid)
    assert judge_link(wanted, [reference]) is None
    assert judge_link(wanted, [replace(reference, owner_fq_name="g:n9", owner_address="192.0.2.1")]) is None
    other = replace(reference, owner_fq_name="g:n9", owner_address="192.0.2.9")
    assert not is_from_owner(link, other)
    finding = judge_link(wanted, [other])
    assert finding is not None
    assert finding.problem is Problem.MISSING


def test_fields_to_compare_are_known_for_every_type() -> None:
    assert {"annotations", "virtual_network_refs"} <= set(fields_of("instance-ip"))
    assert "id_perms" not in fields_of("project")
