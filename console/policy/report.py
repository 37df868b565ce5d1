"""Answers about policies as text and as JSON (pure). Every name goes through `inert`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from console.policy.question import Matrix, Reply
from console.policy.semantics import Ruling
from console.terminal import inert

Json = Any
ALLOWED, DENIED = "allowed", "denied"
MARKS = "+ allowed, - denied, . itself or nothing to ask, ! Kubernetes and Contrail differ"


def told(replies: Sequence[Reply]) -> list[str]:
    """The replies to one question, a block for each that says something of its own."""
    lines: list[str] = []
    for number, reply in enumerate(replies):
        if number and (reply.allowed, reply.differs) == (replies[0].allowed, False):
            lines.append(f"the same from {reply.kubernetes.source.address} to {reply.kubernetes.target.address}")
            continue
        asked = reply.kubernetes
        ways = f"{asked.source.label} to {asked.target.label}, port {asked.port}"
        lines += [inert(f"{_word(reply.allowed)}: {ways}")]
        lines += [*_ruling(asked.egress, asked.source.label), *_ruling(asked.ingress, asked.target.label)]
        lines.append(inert(f"  contrail  {_word(reply.contrail.passes).ljust(7)}  source: {reply.contrail.source}"))
        lines.append(inert(f"                     target: {reply.contrail.target}"))
    return lines


def difference(replies: Iterable[Reply]) -> list[str]:
    """What is said loudly of replies in which the two do not agree."""
    found = [reply for reply in replies if reply.differs]
    if not found:
        return []
    lines = [f"KUBERNETES AND CONTRAIL DIFFER in {len(found)} answers: a fault of contrail-kube, please report it"]
    for reply in found[:10]:
        asked, said = reply.kubernetes, reply.contrail
        where = f"{asked.source.label} to {asked.target.label} port {asked.port}"
        words = f"Kubernetes {_word(reply.allowed)}, Contrail {_word(said.passes)}"
        lines.append(inert(f"  {where}: {words} (source: {said.source}; target: {said.target})"))
    return lines


def as_json(reply: Reply) -> dict[str, Json]:
    """One reply."""
    asked, said = reply.kubernetes, reply.contrail
    return {
        "from": _end(asked.source.pod, asked.source.address, asked.source.node),
        "to": _end(asked.target.pod, asked.target.address, asked.target.node),
        "port": str(asked.port),
        "allowed": reply.allowed,
        "egress": _plain(asked.egress),
        "ingress": _plain(asked.ingress),
        "contrail": {"allowed": said.passes, "source": said.source, "target": said.target},
        "differs": reply.differs,
    }


def grids(found: Matrix) -> list[str]:
    """One grid for each port: sources are rows, targets are columns, both in the order of the list at the left."""
    names = [_name(ends) for ends in found.ends]
    return _grids(found.ports, names, lambda row, column, port: _mark([found.cells.get((row, column, port))]))


def grids_of_namespaces(found: Matrix) -> list[str]:
    """The same, with all pods of a namespace together: `~` where some connections are allowed."""
    groups: dict[str, list[int]] = {}
    for number, ends in enumerate(found.ends):
        pod = ends[0].pod
        groups.setdefault(f"namespace {pod.namespace}" if pod is not None else _name(ends), []).append(number)
    names, places = list(groups), list(groups.values())

    def mark(row: int, column: int, port: str) -> str:
        return _mark([found.cells.get((one, two, port)) for one in places[row] for two in places[column]])

    return _grids(found.ports, names, mark)


def _grids(ports: Iterable[str], names: Sequence[str], mark: Any) -> list[str]:
    width, digits = max((len(name) for name in names), default=0), len(str(len(names)))
    numbers = [str(number).rjust(digits) for number in range(1, len(names) + 1)]
    lines: list[str] = []
    for port in ports:
        lines += [f"port {inert(port)}", " ".join([" " * (digits + 1 + width), *numbers])]
        for row, name in enumerate(names):
            cells = [mark(row, column, port).rjust(digits) for column in range(len(names))]
            lines.append(" ".join([numbers[row], name.ljust(width), *cells]))
        lines.append("")
    return lines


def _mark(replies: Iterable[Reply | None]) -> str:
    found = [reply for reply in replies if reply is not None]
    if any(reply.differs for reply in found):
        return "!"
    answers = {reply.allowed for reply in found}
    return "." if not answers else "~" if len(answers) == 2 else "+" if answers == {True} else "-"


def _ruling(ruling: Ruling, who: str) -> list[str]:
    by = f"{ruling.policy}, {ruling.rule}: " if ruling.policy else ""
    lines = [inert(f"  {ruling.direction.ljust(8)}  {_word(ruling.allowed).ljust(7)}  {who}: {by}{ruling.reason}")]
    if ruling.selecting:
        lines.append(inert(f"                     selected by {', '.join(ruling.selecting)}"))
    return lines


def _plain(ruling: Ruling) -> dict[str, Json]:
    return {
        "allowed": ruling.allowed,
        "reason": ruling.reason,
        "policy": ruling.policy or None,
        "rule": ruling.rule or None,
        "selecting": list(ruling.selecting),
    }


def _end(pod: Any, address: str, node: str) -> dict[str, Json]:
    return {"pod": None if pod is None else pod.label, "node": node or None, "address": address}


def _name(ends: Sequence[Any]) -> str:
    first = ends[0]
    return inert(first.pod.label if first.pod is not None else first.label)


def _word(allowed: bool) -> str:
    return ALLOWED if allowed else DENIED
