"""The live screen fits its terminal, shows totals with any number of pods, and is inert against names."""

from __future__ import annotations

import dataclasses

import pytest

from console.logfile import Problem
from console.observer import Look
from console.screen import View, draw, duration, fit, page_rows
from console.snapshot import Counts, NetworkLine, PodLine, Reading, Snapshot, Trouble
from console.supervisor import Standing

NETWORK = "default-domain:k8s-default:k8s-default-pod-network"


def _pods(number: int) -> tuple[PodLine, ...]:
    return tuple(PodLine("shop", f"web-{i}", "node-1", NETWORK, f"10.47.255.{i % 250}", "ready") for i in range(number))


def _view(*, pods: tuple[PodLine, ...] = (), total: int | None = None, troubles: tuple[Trouble, ...] = ()) -> View:
    wanted = len(pods) if total is None else total
    snapshot = Snapshot(
        counts=Counts({"Pod": wanted}, {"applied": 3 * wanted, "pending": 4}, {"applied": wanted}, applied_lately=12.0),
        reading=Reading({0: 100, 1: 23}),
        networks=(NetworkLine(NETWORK, wanted, wanted),),
        pods=pods,
        troubles=troubles,
    )
    return View(
        title="contrail-kube · cluster k8s · recording shop",
        elapsed=75.0,
        look=Look(snapshot=snapshot, ends={0: 100, 1: 50}, events_lately=40.0),
        standings=(Standing("translator", 4711, 0, 0.0, "", None), Standing("applier", 4712, 0, 0.0, "", None)),
        now=1000.0,
    )


def _text(view: View, width: int = 80, height: int = 24) -> str:
    return draw(view, width=width, height=height).plain


@pytest.mark.parametrize(("width", "height"), [(80, 24), (60, 15), (200, 60), (80, 8), (20, 5)])
@pytest.mark.parametrize("number", [0, 3, 5000])
def test_every_line_fits_whatever_the_terminal(width: int, height: int, number: int) -> None:
    long = tuple(dataclasses.replace(pod, name=pod.name + "x" * 240, node="n" * 200) for pod in _pods(min(number, 60)))
    troubles = (Trouble("blocked", "link", "n" * 300, "r" * 300),) * 5
    lines = _text(_view(pods=long, total=number, troubles=troubles), width, height).splitlines()
    assert len(lines) <= height
    assert max(len(line) for line in lines) <= max(width, 50), "columns have least widths of 49 together"


def test_a_page_of_thousands_of_pods_is_shown_with_totals() -> None:
    view = _view(pods=_pods(60), total=5000)
    text = _text(view)
    assert "of 5,000 · 5,000 with an address" in text
    assert text.count("web-") == page_rows(24, view)
    assert len(text.splitlines()) == 24


def test_totals_and_state_are_told() -> None:
    text = _text(_view(pods=_pods(2)))
    assert "123 of 150 events read (40/s)" in text
    assert "8 objects applied (12/s) · 4 pending" in text
    assert "working · 1m15s" in text
    assert "k8s-default-pod-network" in text and "default-domain" not in text


def test_a_pod_without_an_address_says_so() -> None:
    text = _text(_view(pods=(PodLine("shop", "web-0", "", NETWORK, "", "pending"),)))
    assert text.splitlines()[-2].split() == ["shop", "web-0", "-", "k8s-default-pod-network", "-", "pending"]


def test_a_service_that_is_down_or_not_ready_says_why() -> None:
    view = _view()
    down = Standing("applier", None, 3, 4.0, "exit code 1", Problem("it broke", 990.0))
    waiting = {"translator": "database: does not answer"}
    text = _text(dataclasses.replace(view, standings=(view.standings[0], down), look=Look(waiting=waiting)), 120)
    assert "down (exit code 1), starts again in 4 s · 3 restarts; 10s ago: it broke" in text
    assert "translator   database: does not answer" in text


def test_an_old_problem_is_not_shown_for_ever() -> None:
    old = Standing("applier", 1, 0, 0.0, "", Problem("long ago", 0.0))
    assert "long ago" not in _text(dataclasses.replace(_view(), standings=(old,)))


def test_case_96_names_cannot_drive_the_terminal() -> None:
    evil = "\x1b]0;pwned\x07\n[bold red]\u202e"
    view = _view(
        pods=(PodLine(evil, evil, evil, f"d:p:{evil}", evil, evil),), troubles=(Trouble("dead", "t", evil, evil),)
    )
    view = dataclasses.replace(view, title=evil, notes=(evil,))
    text = _text(view, 300, 40)
    assert not any(c in text for c in "\x1b\x07\u202e")
    assert "\\x1b]0;pwned\\x07\\n[bold red]\\u202e" in text, "shown as it is, not read as markup"


def test_one_column_is_squeezed_first_and_then_the_widest() -> None:
    assert fit([10, 50, 20], [5, 5, 5], 70, first=2) == [10, 50, 10]
    assert fit([10, 50, 20], [5, 5, 5], 60, first=2) == [10, 45, 5]
    assert fit([10, 10], [10, 10], 5, first=0) == [10, 10]
    assert fit([3, 4], [9, 9], 100, first=1) == [3, 4]


@pytest.mark.parametrize(("seconds", "text"), [(0, "0s"), (59.9, "59s"), (184, "3m04s"), (7500, "2h05m")])
def test_durations_are_short(seconds: float, text: str) -> None:
    assert duration(seconds) == text
