"""Contrail on its way from one desired state to the next: every write by itself, in any order that the plan permits.

What an agent sees between two writes is the objects as they are then. A rule whose address group is not there yet, or a
policy whose rule is not, is a fault of the order (`Broken`).
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

from applier.plan import plan
from applier.rows import Edge, Row
from tests.policy.contrail_firewall import ContrailFirewall
from translator.memory import MemoryStore

UNNOTICED = frozenset({"firewall-rule", "tag", "tag-type", "instance-ip", "virtual-machine", "security-group"})


class HalfWay:
    """What Contrail has of a store's objects."""

    def __init__(self) -> None:
        self._has: dict[str, Row] = {}

    def follow(self, store: MemoryStore, order: random.Random | None = None) -> Iterator[str]:
        """Write by write, to the store's present state; ready writes go in any order.

        Yields what was written, '' for what no agent takes note of: rules and tags alone do nothing.
        """
        rows = {row.uuid: row for row in self._ahead(store)}
        edges = [Edge(source, target) for source, ends in store.tables.edges.items() for target, _ in ends]
        while rows:
            steps = plan(list(rows.values()), edges).steps
            assert steps, f"nothing can be written: {[row.label for row in rows.values()]}"
            done: set[str] = set()
            waiting = list(steps)
            while waiting:
                ready = [step for step in waiting if (step.needs | step.after) <= done | (step.needs - rows.keys())]
                step = ready[0] if order is None else order.choice(ready)
                waiting.remove(step)
                done.add(step.row.uuid)
                del rows[step.row.uuid]
                yield self._write(step.row)

    def firewall(self) -> ContrailFirewall:
        """What the agents make of it now."""
        return ContrailFirewall((row.type, row.fq_name, row.uuid, row.body) for row in self._has.values())

    def _write(self, row: Row) -> str:
        if row.type == "firewall-rule" and not row.absent:
            self._require_ends(row)
        verb = "deletes" if row.absent else "changes" if row.uuid in self._has else "creates"
        if row.absent:
            self._has.pop(row.uuid, None)
        else:
            self._has[row.uuid] = row
        return "" if row.type in UNNOTICED else f"{verb} {row.label}"

    def _require_ends(self, row: Row) -> None:
        """The API looks for a rule's tags and groups when it is written: a group that is not there is never found."""
        there = {(held.type, held.fq_name) for held in self._has.values()}
        for end in (row.body["properties"].get(name) or {} for name in ("endpoint_1", "endpoint_2")):
            wanted = [("tag", tag) for tag in end.get("tags") or ()]
            wanted += [("address-group", end["address_group"])] if end.get("address_group") else []
            missing = [name for type_, name in wanted if (type_, name) not in there]
            assert not missing, f"{row.label} is written before {', '.join(missing)}"

    def _ahead(self, store: MemoryStore) -> Iterator[Row]:
        for stored in store.tables.objects.values():
            had = self._has.get(stored.uuid)
            if (had is None and stored.absent) or (had is not None and had.generation == stored.generation):
                continue
            yield Row(
                stored.uuid,
                stored.shard,
                stored.type,
                stored.fq_name,
                json.loads(stored.body),
                stored.generation,
                absent=stored.absent,
                applied_generation=None if had is None else had.generation,
            )
