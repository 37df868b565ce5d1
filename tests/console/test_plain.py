"""The final table and what is said beside it, without a terminal."""

from __future__ import annotations

from console.observer import Look
from console.plain import leftovers, pod_table, progress, service_lines
from console.snapshot import Counts, DeadLetter, NetworkLine, PodLine, Reading, Snapshot, Trouble
from console.supervisor import Standing

NETWORK = "default-domain:k8s-default:k8s-default-pod-network"


def test_the_table_has_one_aligned_line_per_pod() -> None:
    pods = [
        PodLine("shop", "web-0", "node-1", NETWORK, "10.47.255.252", "ready"),
        PodLine("kube-system", "dns", "", NETWORK, "", "pending", "the pod is not scheduled to a node yet"),
    ]
    assert pod_table(pods) == [
        "NAMESPACE    NAME   NODE    NETWORK                                             ADDRESS        STATE",
        f"shop         web-0  node-1  {NETWORK}  10.47.255.252  ready",
        f"kube-system  dns    -       {NETWORK}  -              pending: the pod is not scheduled to a node yet",
    ]


def test_a_table_without_pods_is_its_headings() -> None:
    assert [line.split() for line in pod_table([])] == [["NAMESPACE", "NAME", "NODE", "NETWORK", "ADDRESS", "STATE"]]


def test_case_96_one_name_stays_on_one_line() -> None:
    lines = pod_table([PodLine("a\nb", "\x1b[2J", "n", NETWORK, "10.0.0.1", "ready")])
    assert len(lines) == 2
    assert lines[1].split()[:2] == ["a\\nb", "\\x1b[2J"]


def test_what_is_left_over_is_listed_with_its_reason() -> None:
    troubles = [Trouble("dead", "virtual-machine-interface", "d:p:x", "Contrail refused it: 400 bad mac")]
    letters = [DeadLetter("decode", "k8s.changes.k8s/3@17", "", "record has no value")]
    assert leftovers(troubles, letters, more=7) == [
        "dead: virtual-machine-interface d:p:x: Contrail refused it: 400 bad mac",
        "dead letter: decode at k8s.changes.k8s/3@17:  record has no value",
        "… and 7 more: contrail-kube status shows counts, the view `unapplied` has them all",
    ]


def test_progress_is_one_line() -> None:
    snapshot = Snapshot(
        counts=Counts({}, {"applied": 1200, "failed": 1}, {"applied": 300}, dead_letters=2),
        reading=Reading({0: 5, 1: 6}),
        networks=(NetworkLine(NETWORK, 50, 40),),
    )
    assert progress(Look(snapshot=snapshot, ends={0: 5, 1: 10}, problem="the store\nis away")) == (
        "11 of 15 events read (0/s) · 1,500 objects applied (0/s) · 0 pending · 1 failed · 2 dead letters"
        " · 40 of 50 addresses · the store\\nis away"
    )


def test_only_services_in_trouble_are_named() -> None:
    standings = [
        Standing("translator", 1, 0, 0.0, "", None),
        Standing("applier", 2, 0, 0.0, "", None),
        Standing("watchers", None, 1, 2.0, "signal 9", None),
    ]
    assert service_lines(standings, Look(waiting={"applier": "contrail: away"})) == [
        "applier: contrail: away",
        "watchers: down (signal 9), starts again in 2 s",
    ]
