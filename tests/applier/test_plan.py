"""The order of work: parents and targets first, deletes after what refers, names freed before they are taken."""

from __future__ import annotations

import uuid as uuid_module
from collections.abc import Iterable
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from applier.plan import Plan, plan
from applier.rows import Edge, Neighbour, Row


def row(
    name: str, *, absent: bool = False, applied: int | None = None, type_: str = "virtual-machine", **k: int
) -> Row:
    generation = k.get("generation", 1)
    return Row(name, 0, type_, k.get("fq_name", name), {}, generation, absent, applied_generation=applied)  # type: ignore[arg-type]


def neighbour(name: str, *, absent: bool = False, in_place: bool = False, type_: str = "virtual-machine") -> Neighbour:
    return Neighbour(name, type_, name, absent, in_place)


def edges(*pairs: str) -> list[Edge]:
    return [Edge(source, target) for source, target in (pair.split(">") for pair in pairs)]


def order(found: Plan) -> list[str]:
    return [step.row.uuid for step in found.steps]


def reasons(found: Plan) -> dict[str, str]:
    return {blocked.row.uuid: blocked.reason for blocked in found.blocked}


def test_parents_and_targets_come_first() -> None:
    found = plan([row("iip"), row("vmi"), row("vm"), row("project")], edges("iip>vmi", "vmi>vm", "vmi>project"))
    assert order(found)[-2:] == ["vmi", "iip"]
    assert {s.row.uuid: s.needs for s in found.steps}["vmi"] == {"vm", "project"}
    assert not found.blocked


def test_deletes_come_after_what_refers() -> None:
    rows = [row(name, absent=True, applied=1) for name in ("vm", "vmi", "iip", "link")]
    assert order(plan(rows, edges("iip>vmi", "vmi>vm", "link>vm"))) in (
        ["iip", "link", "vmi", "vm"],
        ["link", "iip", "vmi", "vm"],
        ["iip", "vmi", "link", "vm"],
    )


def test_a_name_is_freed_before_it_is_taken() -> None:
    old = Row("old", 0, "virtual-machine", "k8s__shop__web-0", {}, 2, absent=True, applied_generation=1)
    new = Row("new", 0, "virtual-machine", "k8s__shop__web-0", {}, 1)
    vmi = row("old-vmi", absent=True, applied=1)
    assert order(plan([new, old, vmi], edges("old-vmi>old"))) == ["old-vmi", "old", "new"]


def test_a_name_held_by_a_row_that_waits_blocks() -> None:
    new = Row("new", 0, "virtual-machine", "name", {}, 1)
    found = plan([new], [], [neighbour("name", absent=True, in_place=True)])
    assert reasons(found) == {"new": "waits until the earlier virtual-machine name is deleted"}


def test_blocked_rows_name_the_blocker_at_the_root() -> None:
    rows = [row("vmi"), row("iip")]
    found = plan(rows, edges("vmi>project", "iip>vmi"), [neighbour("project", type_="project")])
    assert reasons(found)["vmi"] == "waits for project project"
    assert reasons(found)["iip"] == "waits for virtual-machine vmi: waits for project project"
    assert not found.steps


def test_a_target_in_place_blocks_nobody() -> None:
    assert order(plan([row("vmi")], edges("vmi>vn"), [neighbour("vn", in_place=True)])) == ["vmi"]


def test_an_update_of_the_target_is_waited_for_but_not_needed() -> None:
    found = plan([row("vmi"), row("vn", applied=1, generation=2)], edges("vmi>vn"))
    assert order(found) == ["vn", "vmi"]
    step = found.steps[1]
    assert (step.needs, step.after) == (frozenset(), {"vn"})


def test_what_is_being_applied_is_waited_for() -> None:
    found = plan([row("vmi")], edges("vmi>vm"), [neighbour("vm")], held={"vm"})
    assert found.steps[0].needs == {"vm"}


def test_nothing_is_deleted_that_is_still_needed() -> None:
    found = plan([row("vn", absent=True, applied=1)], edges("vmi>vn"), [neighbour("vmi", in_place=True)])
    assert reasons(found) == {"vn": "still needed by virtual-machine vmi"}


def test_a_delete_waits_for_a_referrer_that_cannot_go_yet() -> None:
    found = plan([row("vm", absent=True, applied=1)], edges("vmi>vm"), [neighbour("vmi", absent=True, in_place=True)])
    assert reasons(found) == {"vm": "waits for the deletion of virtual-machine vmi"}


def test_case_64_a_cycle_is_reported_and_not_spun_on() -> None:
    found = plan([row("a"), row("b"), row("c"), row("free")], edges("a>b", "b>c", "c>a"))
    assert order(found) == ["free"]
    assert set(reasons(found)) == {"a", "b", "c"}
    assert all("need each other" in reason for reason in reasons(found).values())


def test_a_cycle_through_what_is_in_place_is_none() -> None:
    found = plan([row("a", applied=1, generation=2), row("b")], edges("a>b", "b>a"))
    assert sorted(order(found)) == ["a", "b"]


def _name(number: int) -> str:
    return str(uuid_module.UUID(int=number))


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[Row], list[Edge]]:
    size = draw(st.integers(1, 14))
    rows = [
        Row(
            _name(n),
            0,
            "virtual-machine",
            draw(st.sampled_from(["same", f"n{n}"])) if draw(st.booleans()) else f"n{n}",
            {},
            2,
            draw(st.booleans()),
            applied_generation=draw(st.sampled_from([None, 1])),
        )
        for n in range(size)
    ]
    pair = st.tuples(st.integers(0, size - 1), st.integers(0, size - 1))
    pairs = draw(st.lists(pair, max_size=30))
    return rows, [Edge(_name(a), _name(b)) for a, b in pairs if a != b]


@given(graphs())
def test_every_row_is_planned_or_blocked_and_nothing_comes_before_what_it_needs(
    graph: tuple[list[Row], list[Edge]],
) -> None:
    rows, links = graph
    found = plan(rows, links)
    steps = order(found)
    assert sorted(steps + list(reasons(found))) == sorted(r.uuid for r in rows)
    assert all(reasons(found).values())
    position = {uuid: n for n, uuid in enumerate(steps)}
    by_uuid = {r.uuid: r for r in rows}
    for earlier, later in _must_precede(by_uuid, links):
        if later in position:
            assert earlier in position, "a row runs although what it needs is blocked"
            assert position[earlier] < position[later]
    for step in found.steps:
        assert all(position[uuid] < position[step.row.uuid] for uuid in step.needs | step.after)


def _must_precede(rows: dict[str, Row], links: Iterable[Edge]) -> Iterable[tuple[str, str]]:
    for edge in links:
        source, target = rows[edge.from_uuid], rows[edge.to_uuid]
        if source.absent and target.absent:
            yield source.uuid, target.uuid
        elif not source.absent and not target.absent and not target.in_place:
            yield target.uuid, source.uuid


@given(graphs())
def test_acyclic_creations_are_never_blocked(graph: tuple[list[Row], list[Edge]]) -> None:
    rows, links = graph
    fresh = [Row(r.uuid, 0, r.type, f"n{r.uuid}", {}, 1) for r in rows]
    downward = [e for e in links if e.from_uuid > e.to_uuid]
    assert not plan(fresh, downward).blocked


@given(graphs())
def test_the_same_input_gives_the_same_plan(graph: tuple[list[Row], list[Edge]]) -> None:
    rows, links = graph
    assert plan(rows, links) == plan(list(reversed(rows)), list(reversed(links)))


def _strict(*pairs: str) -> list[Edge]:
    return [replace(edge, strict=True) for edge in edges(*pairs)]


def test_what_must_have_been_applied_as_it_is_wanted_now_is_needed_even_where_it_is_there() -> None:
    found = plan([row("fip"), row("list", applied=1, generation=2)], _strict("fip>list"))
    assert {step.row.uuid: step.needs for step in found.steps} == {"list": frozenset(), "fip": {"list"}}
    old = Neighbour("list", "firewall-policy", "list", False, in_place=True)
    assert reasons(plan([row("fip")], _strict("fip>list"), [old])) == {"fip": "waits for firewall-policy list"}
    present = Neighbour("list", "firewall-policy", "list", False, in_place=True, settled=True)
    assert order(plan([row("fip")], _strict("fip>list"), [present])) == ["fip"]
    assert plan([row("fip")], _strict("fip>list"), [old], held={"list"}).steps[0].needs == {"list"}


def test_what_goes_goes_before_that_changes_which_had_to_stand_first() -> None:
    found = plan([row("list", applied=1, generation=2), row("fip", absent=True, applied=1)], _strict("fip>list"))
    assert order(found) == ["fip", "list"]
    assert not found.steps[1].needs
    assert found.steps[1].after == {"fip"}


def test_what_must_stand_first_and_goes_itself_keeps_both_where_they_are() -> None:
    found = plan([row("fip"), row("rule", absent=True, applied=1)], _strict("fip>rule"))
    assert reasons(found)["fip"] == "waits for virtual-machine rule, which is not wanted any more"
    assert reasons(found)["rule"] == "still needed by virtual-machine fip"


def tagging(name: str, *, absent: bool = False, applied: int | None = None) -> Row:
    body = {"owner": {"uuid": "vmi"}, "target": {"type": "tag", "uuid": "tag"}}
    return Row(name, 0, "link", "virtual-machine-interface:a:b:tag:t", body, 1, absent, applied_generation=applied)


def test_rules_and_tags_go_after_the_writes_that_may_let_go_of_them() -> None:
    policy = row("policy", applied=1, type_="firewall-policy")
    interface = row("vmi", applied=1, type_="virtual-machine-interface")
    going = [
        row("rule", absent=True, applied=1, type_="firewall-rule"),
        row("tag", absent=True, applied=1, type_="tag"),
    ]
    assert order(plan([*going, policy, interface]))[:2] in (["policy", "vmi"], ["vmi", "policy"])
    leaving = row("policy", absent=True, applied=1, type_="firewall-policy")
    assert order(plan([going[0], leaving])) == ["policy", "rule"]


def test_membership_tags_come_before_the_policy_and_go_after_it() -> None:
    policy = row("policy", applied=1, type_="firewall-policy")
    assert order(plan([policy, tagging("joins")])) == ["joins", "policy"]
    assert order(plan([tagging("a-leaves", absent=True, applied=1), policy])) == ["policy", "a-leaves"]
    gone = row("policy", absent=True, applied=1, type_="firewall-policy")
    assert order(plan([tagging("a-leaves", absent=True, applied=1), gone])) == ["policy", "a-leaves"]
