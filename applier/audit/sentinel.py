"""Notices a Contrail that was wiped without waiting for an audit (shell): asks for a few objects that must be there.

One call a look, by turns for projects (a wipe) and for objects that chance picks (an older backup).
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Engine, text

from applier.audit import metrics
from applier.audit.calls import Calls
from applier.audit.scratch import NOTHING
from applier.outcome import Call
from schemas.store.engine import store_errors

PROJECT = "project"
_SURE = """
    d.cluster = :cluster AND NOT d.absent AND d.type NOT IN ('link', 'entry') AND a.status = 'applied'
    AND a.applied_generation = a.desired_generation AND a.updated_at < now() - interval '5 seconds'
    AND NOT EXISTS (SELECT FROM audit_finding o WHERE o.uuid = d.uuid AND o.resolved_at IS NULL)
"""
_SAMPLE = text(f"""
    SELECT d.uuid::text AS uuid, d.type, d.fq_name, coalesce(x.contrail_uuid, d.uuid)::text AS contrail_uuid
    FROM desired_object d JOIN apply_state a ON a.object_uuid = d.uuid LEFT JOIN adopted_object x ON x.uuid = d.uuid
    WHERE {_SURE} AND d.uuid > CAST(:after AS uuid) AND (CAST(:type AS text) IS NULL OR d.type = :type)
    ORDER BY d.uuid LIMIT :limit
""")
_STILL = text(f"""
    SELECT d.type || ' ' || d.fq_name FROM desired_object d JOIN apply_state a ON a.object_uuid = d.uuid
    WHERE {_SURE} AND d.uuid = ANY(CAST(:uuids AS uuid[])) ORDER BY d.uuid
""")
_LOOKED_AT = 60
_ASKED_FOR = 8


@dataclass(frozen=True, slots=True)
class _Sampled:
    uuid: str
    type: str
    fq_name: str
    contrail_uuid: str


class Sentinel:
    """Looks at a few objects of one cluster."""

    def __init__(self, engine: Engine, *, cluster: str) -> None:
        self._engine = engine
        self._cluster = cluster
        self._projects_next = True

    def look(self, calls: Calls, *, both: bool = False) -> list[str]:
        """Names of sampled objects that Contrail lacks; `both` asks for projects and for others.

        Raises ContrailUnavailable, StoreUnavailable and calls.Stopped.
        """
        projects, self._projects_next = self._projects_next, not self._projects_next
        lacking: list[str] = []
        if projects or both:
            lacking += self._ask(calls, self._sample(PROJECT, NOTHING)[:_ASKED_FOR])
        if not projects or both:
            lacking += self._ask(calls, self._by_chance())
        metrics.SENTINEL_MISSING.inc(len(lacking))
        return lacking

    def _by_chance(self) -> list[_Sampled]:
        found = self._sample(None, str(uuid.uuid4())) or self._sample(None, NOTHING)
        if not found:
            return []
        type_ = Counter(each.type for each in found).most_common(1)[0][0]
        return [each for each in found if each.type == type_][:_ASKED_FOR]

    def _sample(self, type_: str | None, after: str) -> list[_Sampled]:
        scope = {"cluster": self._cluster, "type": type_, "after": after, "limit": _LOOKED_AT}
        with store_errors("pick objects to look at", self._engine), self._engine.connect() as connection:
            return [_Sampled(*row) for row in connection.execute(_SAMPLE, scope)]

    def _ask(self, calls: Calls, sampled: Sequence[_Sampled]) -> list[str]:
        if not sampled:
            return []
        type_, uuids = sampled[0].type, [each.contrail_uuid for each in sampled]
        answer = calls.read(Call.LOOKUP, lambda client: client.read_many(type_, fields=("display_name",), uuids=uuids))
        there = {item["uuid"] for item in answer.json[f"{type_}s"]}
        lacking = [each.uuid for each in sampled if each.contrail_uuid not in there]
        if not lacking:
            return []
        with store_errors("look at objects again", self._engine), self._engine.connect() as connection:
            return list(connection.scalars(_STILL, {"cluster": self._cluster, "uuids": lacking}))
