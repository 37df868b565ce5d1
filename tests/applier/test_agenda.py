"""What may run now, over plans that overlap."""

from __future__ import annotations

import random

from applier.agenda import Agenda
from applier.plan import plan
from applier.rows import Edge, Neighbour, Row


def row(name: str, *, generation: int = 1, absent: bool = False, applied: int | None = None) -> Row:
    return Row(name, 0, "virtual-machine", name, {}, generation, absent, applied_generation=applied)


def edges(*pairs: str) -> list[Edge]:
    return [Edge(source, target) for source, target in (pair.split(">") for pair in pairs)]


def taken(agenda: Agenda) -> list[str]:
    found = []
    while (next_row := agenda.take()) is not None:
        found.append(next_row.uuid)
    return found


def test_rows_run_when_what_they_need_is_done() -> None:
    agenda = Agenda()
    agenda.add(plan([row("vm"), row("vmi"), row("iip")], edges("vmi>vm", "iip>vmi")))
    assert taken(agenda) == ["vm"]
    agenda.done("vm")
    assert taken(agenda) == ["vmi"]
    agenda.done("vmi")
    assert taken(agenda) == ["iip"]


def test_independent_rows_run_together() -> None:
    agenda = Agenda()
    agenda.add(plan([row("a"), row("b"), row("c")]))
    assert sorted(taken(agenda)) == ["a", "b", "c"]


def test_dependents_of_a_failure_are_blocked_by_its_name_and_others_go_on() -> None:
    agenda = Agenda()
    agenda.add(plan([row("vm"), row("vmi"), row("iip"), row("other")], edges("vmi>vm", "iip>vmi")))
    assert sorted(taken(agenda)) == ["other", "vm"]
    blocked = agenda.failed("vm", "quota limit")
    assert [(b.row.uuid, b.reason) for b in blocked] == [
        ("vmi", "waits for virtual-machine vm: quota limit"),
        ("iip", "waits for virtual-machine vm: quota limit"),
    ]
    agenda.done("other")
    assert agenda.unfinished == 0


def test_a_failed_update_of_a_target_in_place_blocks_nobody() -> None:
    agenda = Agenda()
    agenda.add(plan([row("vn", generation=2, applied=1), row("vmi")], edges("vmi>vn")))
    assert taken(agenda) == ["vn"]
    assert agenda.failed("vn", "refused") == []
    assert taken(agenda) == ["vmi"]


def test_work_that_comes_later_waits_for_what_runs() -> None:
    agenda = Agenda()
    agenda.add(plan([row("vm")]))
    taken(agenda)
    agenda.add(
        plan([row("vmi")], edges("vmi>vm"), [Neighbour("vm", "virtual-machine", "vm", False, False)], held={"vm"})
    )
    assert taken(agenda) == []
    agenda.done("vm")
    assert taken(agenda) == ["vmi"]


def test_work_that_comes_after_the_failure_of_what_it_needs_is_blocked() -> None:
    agenda = Agenda()
    agenda.add(plan([row("vm")]))
    taken(agenda)
    agenda.failed("vm", "refused")
    late = plan([row("vmi")], edges("vmi>vm"), [Neighbour("vm", "virtual-machine", "vm", False, False)], held={"vm"})
    assert [b.reason for b in agenda.add(late)] == ["waits for virtual-machine vm: refused"]


def test_work_loaded_before_the_failure_of_what_it_needs_was_recorded_is_blocked() -> None:
    agenda = Agenda()
    agenda.add(plan([row("vm")]))
    taken(agenda)
    held = agenda.begin_load()
    agenda.failed("vm", "refused")
    agenda.recorded(["vm"])
    neighbours = [Neighbour("vm", "virtual-machine", "vm", False, False)]
    late = plan([row("vmi")], edges("vmi>vm"), neighbours, held=held.keys())
    assert [b.reason for b in agenda.add(late)] == ["waits for virtual-machine vm: refused"]


def test_work_loaded_before_the_success_of_what_it_needs_was_recorded_runs() -> None:
    agenda = Agenda()
    agenda.add(plan([row("vm")]))
    taken(agenda)
    held = agenda.begin_load()
    agenda.done("vm")
    agenda.recorded(["vm"])
    neighbours = [Neighbour("vm", "virtual-machine", "vm", False, False)]
    assert agenda.add(plan([row("vmi")], edges("vmi>vm"), neighbours, held=held.keys())) == []
    assert taken(agenda) == ["vmi"]


def test_a_newer_generation_replaces_one_that_waits() -> None:
    agenda = Agenda()
    agenda.add(plan([row("vm"), row("vmi")], edges("vmi>vm")))
    other = Neighbour("vm", "virtual-machine", "vm", False, False)
    agenda.add(plan([row("vmi", generation=2)], edges("vmi>vm"), [other], held={"vm"}))
    assert taken(agenda) == ["vm"]
    agenda.done("vm")
    found = agenda.take()
    assert found is not None and found.generation == 2
    assert agenda.take() is None


def test_a_newer_generation_of_one_that_runs_is_asked_for_again() -> None:
    agenda = Agenda()
    agenda.add(plan([row("vm")]))
    taken(agenda)
    agenda.add(plan([row("vm", generation=2, absent=True)]))
    assert agenda.held == {"vm": 1}
    agenda.done("vm")
    assert agenda.recorded(["vm"])
    assert agenda.held == {}


def test_what_comes_after_a_newer_generation_of_one_that_runs_waits_for_that() -> None:
    """Here a delete runs: what it leaves behind is not what is needed."""
    for strict in (True, False):
        agenda = Agenda()
        agenda.add(plan([row("vm", generation=2, absent=True, applied=1)]))
        assert taken(agenda) == ["vm"]
        anew = plan(
            [row("vm", generation=3, applied=1), row("vmi"), row("iip")], [Edge("vmi", "vm", strict), *edges("iip>vmi")]
        )
        assert agenda.add(anew) == [] and taken(agenda) == []
        agenda.done("vm")
        assert agenda.add(anew) == [] and taken(agenda) == []
        assert agenda.recorded(["vm"])  # so that all of it is loaded again
        agenda.add(anew)
        for each in ("vm", "vmi", "iip"):
            assert taken(agenda) == [each]
            agenda.done(each)


def test_rows_are_held_until_their_result_is_recorded() -> None:
    agenda = Agenda()
    agenda.add(plan([row("vm")]))
    taken(agenda)
    agenda.done("vm")
    assert agenda.held == {"vm": 1}
    assert not agenda.recorded(["vm"])
    assert len(agenda) == 0


def test_writes_go_before_deletes() -> None:
    agenda = Agenda()
    agenda.add(plan([row("a", absent=True, applied=1), row("b"), row("c", absent=True, applied=1), row("d")]))
    assert taken(agenda) == ["b", "d", "a", "c"]


def test_every_fourth_row_is_a_delete_however_many_writes_wait() -> None:
    agenda = Agenda()
    agenda.add(plan([row(f"w{n}") for n in range(8)] + [row("delete", absent=True, applied=1)]))
    assert taken(agenda)[3] == "delete"


def test_a_pod_that_was_begun_is_finished_first() -> None:
    agenda = Agenda()
    agenda.add(plan([row("a"), row("b"), row("a-vmi")], edges("a-vmi>a")))
    first = agenda.take()
    assert first is not None
    agenda.done("a")
    assert taken(agenda) == ["a-vmi", "b"]


def test_pods_that_were_begun_are_finished_in_the_order_in_which_they_got_so_far() -> None:
    agenda = Agenda()
    pods = [row(f"{name}{part}") for name in "abcde" for part in ("", "-vmi")]
    agenda.add(plan(pods, edges(*(f"{name}-vmi>{name}" for name in "abcde"))))
    assert [agenda.take(), agenda.take(), agenda.take()] == [row("a"), row("b"), row("c")]
    agenda.done("b")
    agenda.done("a")
    assert taken(agenda) == ["b-vmi", "a-vmi", "d", "e"]


def test_ready_rows_are_counted() -> None:
    agenda = Agenda()
    agenda.add(plan([row("a"), row("b"), row("a-vmi"), row("c", absent=True, applied=1)], edges("a-vmi>a")))
    assert agenda.ready == 3
    taken(agenda)
    assert agenda.ready == 0
    agenda.done("a")
    assert agenda.ready == 1


def test_what_began_survives_a_fresh_start() -> None:
    agenda = Agenda()
    agenda.add(plan([row("vm"), row("vmi")], edges("vmi>vm")))
    taken(agenda)
    agenda.drop_waiting()
    agenda.done("vm")
    assert taken(agenda) == []
    assert agenda.held == {"vm": 1}


def test_plans_that_contradict_each_other_are_noticed() -> None:
    agenda = Agenda()
    other = Neighbour("b", "virtual-machine", "b", False, False)
    agenda.add(plan([row("x"), row("a")], edges("a>x")))
    assert taken(agenda) == ["x"]
    agenda.add(plan([row("b")], edges("b>a"), [Neighbour("a", "virtual-machine", "a", False, False)], held={"a"}))
    agenda.add(plan([row("a", generation=2)], edges("a>b"), [other], held={"b"}))
    agenda.done("x")
    assert agenda.is_stuck
    agenda.drop_waiting()
    assert not agenda.is_stuck


def test_every_row_ends_whatever_fails() -> None:
    for seed in range(200):
        chance = random.Random(seed)
        names = [f"r{n:02}" for n in range(chance.randrange(1, 25))]
        links = [Edge(b, a) for n, b in enumerate(names) for a in names[:n] if chance.random() < 0.2]
        agenda = Agenda()
        ended = {b.row.uuid for b in agenda.add(plan([row(n) for n in names], links))}
        running: list[str] = []
        while agenda.unfinished:
            running += taken(agenda)
            uuid = running.pop(chance.randrange(len(running)))
            ended.add(uuid)
            if chance.random() < 0.3:
                ended.update(b.row.uuid for b in agenda.failed(uuid, "no"))
            else:
                agenda.done(uuid)
        assert ended == set(names), f"seed {seed}"
