"""The live screen: one page of text from a look at the pipeline (pure).

Every name from the cluster goes through `cells`, which makes it inert, and nothing is read as markup.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from console.observer import Look
from console.snapshot import NetworkLine, PodLine
from console.supervisor import Standing
from console.terminal import cells, inert

MAX_NETWORKS = 4
MAX_TROUBLES = 3
RECENT = 120.0
"""Seconds for which a service's last problem is shown."""
GAP = "  "
_STATE_STYLE = {"ready": "green", "pending": "yellow", "blocked": "magenta", "failed": "red", "dead": "bold red"}
_HEADINGS = ("NAMESPACE", "POD", "NODE", "NETWORK", "ADDRESS", "STATE")
_LEAST = (9, 12, 6, 8, 7, 7)
"""Widths below which a column is not squeezed."""
_NETWORK = 3
"""The column that is squeezed before any other: networks are few, and pods differ in the ends of their names."""


@dataclass(frozen=True, slots=True)
class View:
    """All that the screen shows: what runs, for how many seconds, the last look at it, how its services stand.

    `now` is the clock of the standings' problems; `notes` are warnings beside the services.
    """

    title: str
    elapsed: float
    look: Look
    standings: tuple[Standing, ...]
    now: float
    notes: tuple[str, ...] = ()


def draw(view: View, *, width: int, height: int) -> Text:
    """The whole screen: at most `height` lines of at most `width` characters."""
    return Text("\n").join(_lines(view, width, page_rows(height, view))[:height])


def page_rows(height: int, view: View) -> int:
    """Rows left for pods on a screen of this height."""
    return max(1, height - len(_lines(view, 80, 0)))


def short(network: str) -> str:
    """A network's own name, without its domain and project."""
    return network.rpartition(":")[2]


def duration(seconds: float) -> str:
    """'12s', '3m04s', '2h05m'."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"


def reading(look: Look) -> str:
    """How far the bus was read, in one line."""
    end = "" if look.end is None else f" of {look.end:,}"
    return f"{look.snapshot.reading.events:,}{end} events read ({look.events_lately:.0f}/s)"


def applying(look: Look) -> str:
    """How far Contrail has followed, in one line."""
    counts = look.snapshot.counts
    parts = [f"{counts.unapplied('applied'):,} objects applied ({counts.applied_lately:.0f}/s)"]
    parts.append(f"{counts.unapplied('pending'):,} pending")
    parts += [f"{counts.unapplied(s):,} {s}" for s in ("failed", "blocked", "dead") if counts.unapplied(s)]
    if counts.dead_letters:
        parts.append(f"{counts.dead_letters:,} dead letters")
    return " · ".join(parts)


def service_state(standing: Standing, waiting: str | None) -> tuple[str, str]:
    """What a service is doing, and the style of it; `waiting` is why it is not ready, None if it is."""
    if standing.pid is None:
        return f"down ({standing.last_exit}), starts again in {standing.pause:.0f} s", "red"
    if waiting is not None:
        return waiting, "yellow"
    return "running", "green"


def fit(natural: Sequence[int], least: Sequence[int], room: int, *, first: int) -> list[int]:
    """Widths of columns that fit into `room` together, none below `least`.

    The column `first` is squeezed before the others, and then whichever is widest.
    """
    widths = list(natural)
    widths[first] = min(widths[first], max(least[first], widths[first] - (sum(widths) - room)))
    while sum(widths) > room:
        loose = [i for i, width in enumerate(widths) if width > least[i]]
        if not loose:
            break
        widths[max(loose, key=lambda i: widths[i])] -= 1
    return widths


def _lines(view: View, width: int, rows: int) -> list[Text]:
    look = view.look
    lines = [_heading(view, width), Text(cells(reading(look), width)), Text(cells(applying(look), width)), Text()]
    lines += [_service(standing, view, width) for standing in view.standings]
    lines += [Text(cells(line, width), style="yellow") for line in _warnings(view)]
    if look.snapshot.networks:
        lines += [Text(), *_networks(look.snapshot.networks, width)]
    return [*lines, Text(), *_pods(look.snapshot.pods[:rows], width), _footer(look, rows, width)]


def _heading(view: View, width: int) -> Text:
    right = f"{'all applied' if view.look.settled else 'working'} · {duration(view.elapsed)}"
    left = cells(view.title, width - len(right) - 2)
    return Text(left.ljust(width - len(right)) + right, style="bold reverse")


def _service(standing: Standing, view: View, width: int) -> Text:
    state, style = service_state(standing, view.look.waiting.get(standing.name))
    said = [] if not standing.restarts else [f"{standing.restarts} restart{'s' * (standing.restarts != 1)}"]
    if standing.problem is not None and view.now - standing.problem.at < RECENT:
        said.append(f"{duration(view.now - standing.problem.at)} ago: {standing.problem.text}")
    line = Text(cells(standing.name, 13).ljust(13))
    line.append(cells(state, width - 13), style=style)
    if said and (room := width - len(line.plain) - 3) > 10:
        line.append(" · " + cells("; ".join(said), room), style="dim")
    return line


def _warnings(view: View) -> list[str]:
    look = view.look
    lines = [*view.notes, *([look.problem] if look.problem else [])]
    for trouble in look.snapshot.troubles[:MAX_TROUBLES]:
        lines.append(f"{trouble.status}: {trouble.reason} ({trouble.type} {trouble.name})")
    return lines


def _networks(networks: Sequence[NetworkLine], width: int) -> list[Text]:
    shown = networks[:MAX_NETWORKS]
    room = min(width - 30, max(7, *(len(inert(short(line.network))) for line in shown)))
    lines = [Text(f"{'NETWORK'.ljust(room)}{GAP}INTERFACES{GAP}WITH ADDRESS", style="bold")]
    for line in shown:
        name = cells(short(line.network), room).ljust(room)
        lines.append(Text(f"{name}{GAP}{line.interfaces:>10,}{GAP}{line.addressed:>12,}"))
    return lines


def _pods(pods: Sequence[PodLine], width: int) -> list[Text]:
    rows = [(p.namespace, p.name, p.node or "-", short(p.network), p.address or "-", p.state) for p in pods]
    natural = [max(len(inert(row[i])) for row in (_HEADINGS, *rows)) for i in range(len(_HEADINGS))]
    widths = fit(natural, _LEAST, width - len(GAP) * (len(_HEADINGS) - 1), first=_NETWORK)
    lines = [Text(GAP.join(h.ljust(w) for h, w in zip(_HEADINGS, widths, strict=True))[:width], style="bold")]
    for row in rows:
        text = GAP.join(cells(cell, w).ljust(w) for cell, w in zip(row, widths, strict=True))[:width]
        line = Text(text)
        line.stylize(_STATE_STYLE.get(row[-1], ""), len(text) - widths[-1])
        lines.append(line)
    return lines


def _footer(look: Look, rows: int, width: int) -> Text:
    snapshot, shown = look.snapshot, look.snapshot.pods[:rows]
    last = snapshot.first + len(shown)
    span = f"{snapshot.first + 1:,}–{last:,} of {max(snapshot.interfaces, last):,}" if shown else "no pods yet"
    text = f"{span} · {snapshot.addressed:,} with an address · n, p: pages · q or Ctrl-C: stop"
    return Text(cells(text, width), style="dim")
