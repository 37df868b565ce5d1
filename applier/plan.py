"""The order in which unfinished objects are applied (pure).

Parents and targets of references come first; an object is deleted after whatever still refers to it; the delete
of an object comes before the create of another one with its name. What must not be before another object is as it is
wanted now (a strict edge) waits for just that; where it goes, it goes before that object changes, if it can. What
cannot go on names its blocker.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

from applier.rows import Edge, Neighbour, Row

_SHARED = {
    "firewall-rule": frozenset({"firewall-policy"}),
    "tag": frozenset({"virtual-machine-interface", "project"}),
}
"""Types that come and go while what refers to them stays, by those that do."""


@dataclass(frozen=True, slots=True)
class Step:
    """One row with the uuids that come before it: without `needs` it cannot succeed, `after` is only better."""

    row: Row
    needs: frozenset[str] = frozenset()
    after: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Blocked:
    """A row that cannot be applied now, and why; `by` is the row it waits for, None if none of this plan."""

    row: Row
    reason: str
    by: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in an order that is possible, and the rows that have to wait. Together: every row, once."""

    steps: tuple[Step, ...] = ()
    blocked: tuple[Blocked, ...] = ()


@dataclass(slots=True)
class _Draft:
    needs: dict[str, set[str]] = field(default_factory=dict)
    after: dict[str, set[str]] = field(default_factory=dict)
    blocked: dict[str, str] = field(default_factory=dict)


def plan(
    rows: Sequence[Row],
    edges: Iterable[Edge] = (),
    neighbours: Iterable[Neighbour] = (),
    *,
    held: Collection[str] = frozenset(),
) -> Plan:
    """Order the rows.

    `neighbours` are the ends of edges, and the leaving holders of names, that are not among the rows; `held`
    the uuids that are being applied already: rows wait for them instead of being blocked by them.
    """
    by_uuid = {row.uuid: row for row in rows}
    others = {n.uuid: n for n in neighbours if n.uuid not in by_uuid}
    draft = _Draft({u: set() for u in by_uuid}, {u: set() for u in by_uuid})
    # In one order, so that the reasons given do not depend on that of the input.
    for edge in sorted(edges, key=lambda edge: (edge.from_uuid, edge.to_uuid)):
        _follow(edge, by_uuid, others, held, draft)
    _free_names(by_uuid, others, held, draft)
    _let_go(by_uuid, draft)
    _let_join(by_uuid, draft)
    order = _order(by_uuid, draft)
    return _result(order, by_uuid, draft)


def _follow(
    edge: Edge, rows: dict[str, Row], others: dict[str, Neighbour], held: Collection[str], draft: _Draft
) -> None:
    source = rows.get(edge.from_uuid) or others.get(edge.from_uuid)
    target = rows.get(edge.to_uuid) or others.get(edge.to_uuid)
    if source is None or target is None or source is target:
        return
    if target.absent:
        # Nothing goes while something refers to it: not even where that shall go as well but cannot yet.
        if not source.absent:
            _block(draft, target, f"still needed by {source.label}")
            if edge.strict:
                _block(draft, source, f"waits for {target.label}, which is not wanted any more")
        else:
            _require(draft, target, source, rows, held, f"waits for the deletion of {source.label}")
    elif not source.absent:
        if not target.in_place or (edge.strict and not target.settled):
            _require(draft, source, target, rows, held, f"waits for {target.label}")
        elif target.uuid in rows and source.uuid in rows:
            draft.after[source.uuid].add(target.uuid)
    elif edge.strict and target.uuid in rows and source.uuid in rows:
        draft.after[target.uuid].add(source.uuid)


def _free_names(rows: dict[str, Row], others: dict[str, Neighbour], held: Collection[str], draft: _Draft) -> None:
    leaving: dict[tuple[str, str], list[Row | Neighbour]] = {}
    everything: list[Row | Neighbour] = sorted([*others.values(), *rows.values()], key=lambda end: end.uuid)
    for end in everything:
        if end.absent:
            leaving.setdefault((end.type, end.fq_name), []).append(end)
    for row in rows.values():
        if not row.absent and not row.in_place:
            for holder in leaving.get((row.type, row.fq_name), ()):
                _require(draft, row, holder, rows, held, f"waits until the earlier {holder.label} is deleted")


def _let_go(rows: dict[str, Row], draft: _Draft) -> None:
    """What others of its kind may still refer to goes after their writes: no edge tells any more which of them do."""
    holders = {
        type_: [row for row in rows.values() if row.in_place and row.type in by] for type_, by in _SHARED.items()
    }
    for row in rows.values():
        if row.absent and row.type in _SHARED:
            draft.after[row.uuid].update(holder.uuid for holder in holders[row.type])


def _let_join(rows: dict[str, Row], draft: _Draft) -> None:
    """Membership tags come before the policies whose rules may name them, and go after them.

    So they do with what wears them, and with each other: an interface is never without both what isolated it and what
    shall isolate it.
    """
    wearers = {row.uuid: row for row in rows.values() if row.wears_tags and row.in_place and not row.absent}
    tags = [row for row in rows.values() if row.gives_tag]
    coming = _by_owner(row for row in tags if not row.absent)
    for owner in wearers.keys() & coming.keys():
        draft.needs[owner].update(row.uuid for row in coming[owner] if not row.in_place)
    for row in (row for row in tags if row.absent):
        owner = _owner_of(row)
        draft.after[row.uuid].update(each.uuid for each in coming.get(owner, ()))
        draft.after[row.uuid].update({owner} & wearers.keys())
    policies = [row for row in rows.values() if row.type == "firewall-policy"]
    for row in rows.values() if policies else ():
        if row.gives_tag and row.absent:
            draft.after[row.uuid].update(policy.uuid for policy in policies)
        elif row.gives_tag:
            for policy in policies:
                draft.after[policy.uuid].add(row.uuid)


def _by_owner(links: Iterable[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for link in links:
        found.setdefault(_owner_of(link), []).append(link)
    return found


def _owner_of(link: Row) -> str:
    return link.body["owner"].get("uuid") or ""


def _require(
    draft: _Draft,
    later: Row | Neighbour,
    earlier: Row | Neighbour,
    rows: dict[str, Row],
    held: Collection[str],
    reason: str,
) -> None:
    if later.uuid not in rows:
        return
    if earlier.uuid in rows or earlier.uuid in held:
        draft.needs[later.uuid].add(earlier.uuid)
    else:
        _block(draft, later, reason)


def _block(draft: _Draft, row: Row | Neighbour, reason: str) -> None:
    if row.uuid in draft.needs:
        draft.blocked.setdefault(row.uuid, reason)


def _order(rows: dict[str, Row], draft: _Draft) -> list[str]:
    """Uuids so that what comes before stands before; breaks cycles, blocking rows where nothing else helps."""
    while True:
        graph = {u: sorted((draft.needs[u] | draft.after[u]) & rows.keys()) for u in sorted(rows)}
        try:
            return list(TopologicalSorter(graph).static_order())
        except CycleError as error:
            cycle: list[str] = error.args[1]  # each element comes before the next; first and last are the same
            _break(cycle, rows, draft)


def _break(cycle: list[str], rows: dict[str, Row], draft: _Draft) -> None:
    pairs = list(pairwise(cycle))
    wishes = [(earlier, later) for earlier, later in pairs if earlier not in draft.needs[later]]
    if wishes:
        earlier, later = wishes[0]
        draft.after[later].discard(earlier)
        return
    path = " -> ".join(rows[u].label for u in cycle)
    for earlier, later in pairs:
        draft.needs[later].discard(earlier)
        draft.blocked.setdefault(later, f"objects that need each other: {path}")


def _result(order: list[str], rows: dict[str, Row], draft: _Draft) -> Plan:
    steps: list[Step] = []
    blocked: list[Blocked] = []
    roots: dict[str, str] = {}  # blocked row -> the row at whose door it ends
    for uuid in order:
        row = rows[uuid]
        if uuid in draft.blocked:
            roots[uuid] = uuid
            blocked.append(Blocked(row, draft.blocked[uuid]))
        elif blockers := sorted(draft.needs[uuid] & roots.keys()):
            root = roots[uuid] = roots[blockers[0]]
            blocked.append(Blocked(row, f"waits for {rows[root].label}: {draft.blocked[root]}", by=root))
        else:
            after = frozenset(draft.after[uuid] - roots.keys())
            steps.append(Step(row, frozenset(draft.needs[uuid]), after))
    return Plan(tuple(steps), tuple(blocked))
