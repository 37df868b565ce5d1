"""What is shown without a terminal: progress lines for standard error, the final table for standard output (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from console.observer import Look
from console.screen import applying, reading
from console.snapshot import DeadLetter, PodLine, Trouble
from console.supervisor import Standing
from console.terminal import inert

HEADINGS = ("NAMESPACE", "NAME", "NODE", "NETWORK", "ADDRESS", "STATE")


def columns(rows: Iterable[Sequence[str]]) -> list[str]:
    """Rows as lines with aligned columns, two spaces apart, nothing cut, names inert."""
    shown = [[inert(cell) or "-" for cell in row] for row in rows]
    if not shown:
        return []
    widths = [max(len(row[i]) for row in shown) for i in range(len(shown[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in shown]


def pod_table(pods: Iterable[PodLine]) -> list[str]:
    """The final table: one line per pod, under a line of headings.

    A state other than 'ready' is followed by its reason.
    """
    rows = [HEADINGS]
    for pod in pods:
        state = pod.state if pod.state == "ready" or not pod.reason else f"{pod.state}: {pod.reason}"
        rows.append((pod.namespace, pod.name, pod.node, pod.network, pod.address, state))
    return columns(rows)


def leftovers(troubles: Sequence[Trouble], letters: Sequence[DeadLetter], *, more: int = 0) -> list[str]:
    """What could not be applied or read, with reasons; `more` is how many further ones are not listed."""
    lines = [f"{t.status}: {inert(t.type)} {inert(t.name)}: {inert(t.reason)}" for t in troubles]
    lines += [f"dead letter: {d.stage} at {inert(d.place)}: {inert(d.resource)} {inert(d.error)}" for d in letters]
    if more > 0:
        lines.append(f"… and {more:,} more: contrail-kube status shows counts, the view `unapplied` has them all")
    return lines


def progress(look: Look) -> str:
    """One line of progress."""
    snapshot = look.snapshot
    line = f"{reading(look)} · {applying(look)} · {snapshot.addressed:,} of {snapshot.interfaces:,} addresses"
    return f"{line} · {inert(look.problem)}" if look.problem else line


def service_lines(standings: Iterable[Standing], look: Look) -> list[str]:
    """One line per service that is down or not ready."""
    lines = []
    for standing in standings:
        if standing.pid is None:
            lines.append(f"{standing.name}: down ({standing.last_exit}), starts again in {standing.pause:.0f} s")
        elif reason := look.waiting.get(standing.name):
            lines.append(f"{standing.name}: {inert(reason)}")
    return lines
