"""What is wrong, as the store has it, and what was told of it (shell; SQL): a fixed number of statements."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import Engine, TextClause, text

from schemas.store.engine import store_errors
from watchers.feedback.problems import Problem, Stuck, held, noticed, unapplied, unread
from watchers.feedback.store import asked
from watchers.feedback.subject import Subject
from watchers.feedback.telling import Told

_NO_SETTINGS = "NOT starts_with({}, 'Settings/')"
"""The settings are no object of Kubernetes: whoever runs the cluster reads of them in the log and in `status`."""
_LETTERS = text(f"""
    SELECT DISTINCT ON (resource) resource, uid, error_class, error FROM dead_letter
    WHERE cluster = :cluster AND resolved_at IS NULL AND resource <> '' AND {_NO_SETTINGS.format("resource")}
    ORDER BY resource, last_at DESC, id DESC LIMIT :limit
""")
_STUCK = text(f"""
    SELECT s.resource, a.status, d.type, d.fq_name, a.reason
    FROM apply_state a
    JOIN desired_object d ON d.uuid = a.object_uuid AND d.cluster = :cluster AND NOT d.absent
    JOIN desired_source s ON s.object_uuid = d.uuid AND s.cluster = d.cluster
    WHERE a.status <> 'applied' AND a.status IN ('failed', 'blocked', 'dead') AND a.reason <> ''
      AND {_NO_SETTINGS.format("s.resource")}
    ORDER BY s.resource LIMIT :limit
""")
_NOTICES = text(f"""
    SELECT about, reason, array_agg(message) AS messages, bool_and(normal) AS normal FROM resource_notice
    WHERE cluster = :cluster AND {_NO_SETTINGS.format("about")} GROUP BY about, reason
    ORDER BY about, reason LIMIT :limit
""")
_HELD = text("""
    SELECT resource, uid, held FROM written_back
    WHERE cluster = :cluster AND part = 'addresses' AND held <> '' ORDER BY resource LIMIT :limit
""")
_KNOWN = text("""
    SELECT r.* FROM json_to_recordset(CAST(:keys AS json)) k(kind text, namespace text, name text)
    CROSS JOIN LATERAL (
        SELECT kind || '/' || namespace || '/' || name AS resource, uid, api_version,
               CASE WHEN kind = 'EndpointSlice' THEN body ->> 'service' END AS service
        FROM k8s_resource
        WHERE cluster = :cluster AND kind = k.kind AND namespace = k.namespace AND name = k.name OFFSET 0
    ) r
""")
_TOLD = text("""
    SELECT resource, reason, uid, message, event, normal, count, over, extract(epoch FROM since)::float8 AS since,
           coalesce(extract(epoch FROM told_at), 0)::float8 AS told_at
    FROM told_event WHERE cluster = :cluster ORDER BY resource, reason
""")
_RECORD = text("""
    INSERT INTO told_event (cluster, resource, reason, uid, message, normal, event, count, over, since, told_at)
    SELECT :cluster, n.resource, n.reason, n.uid, n.message, n.normal, n.event, n.count, n.over,
           to_timestamp(n.since), CASE WHEN n.told_at > 0 THEN to_timestamp(n.told_at) END
    FROM json_to_recordset(CAST(:rows AS json))
        n(resource text, reason text, uid text, message text, normal boolean, event text, count integer, over boolean,
          since float8, told_at float8)
    ON CONFLICT (cluster, resource, reason) DO UPDATE SET
        uid = excluded.uid, message = excluded.message, normal = excluded.normal, event = excluded.event,
        count = excluded.count, over = excluded.over, since = excluded.since, told_at = excluded.told_at
""")
_FORGET = text("""
    DELETE FROM told_event t USING json_to_recordset(CAST(:rows AS json)) n(resource text, reason text)
    WHERE t.cluster = :cluster AND t.resource = n.resource AND t.reason = n.reason
""")


@dataclass(frozen=True, slots=True)
class Known:
    """An object of Kubernetes as the store knows it; `service` is the key of a slice's service, else ''."""

    subject: Subject
    service: str = ""


class ProblemStore:
    """Problems and Events of one cluster; raises StoreUnavailable and StoreMismatch. Each call is one transaction."""

    def __init__(self, engine: Engine, cluster: str) -> None:
        self._engine = engine
        self._cluster = cluster

    def problems(self, limit: int) -> tuple[list[Problem], bool]:
        """All that is wrong or worth knowing, by resource; and whether a limit has cut something off."""
        letters = self._all("read dead letters", _LETTERS, limit=limit)
        stuck = self._all("read what is not applied", _STUCK, limit=4 * limit)
        notices = self._all("read notices", _NOTICES, limit=limit)
        holders = self._all("read what others hold", _HELD, limit=limit)
        found = [unread(row.resource, row.uid, row.error_class, row.error) for row in letters]
        for resource, rows in groupby(stuck, key=lambda row: row.resource):
            found.append(unapplied(resource, [Stuck(r.status, r.type, r.fq_name, r.reason) for r in rows]))
        found += [noticed(row.about, row.reason, row.messages, normal=row.normal) for row in notices]
        found += [held(row.resource, row.uid, row.held) for row in holders]
        cut = len(stuck) >= 4 * limit or max(map(len, (letters, notices, holders))) >= limit
        return found, cut

    def known(self, keys: Collection[str]) -> dict[str, Known]:
        """Those of the objects that are there."""
        names = ("kind", "namespace", "name")
        parts = [dict(zip(names, key.split("/"), strict=True)) for key in sorted(keys) if key.count("/") == 2]
        rows = self._all("read whom problems are about", _KNOWN, keys=json.dumps(parts)) if parts else ()
        return {row.resource: _known(row) for row in rows}

    def told(self) -> list[Told]:
        """What was told, and what is about to be."""
        return [Told(**row._mapping) for row in self._all("read what was told", _TOLD)]

    def record(self, rows: Sequence[Told], forgotten: Sequence[Told] = ()) -> None:
        """Put these rows on record, and take those off it."""
        if not rows and not forgotten:
            return
        with store_errors("put Events on record", self._engine), self._engine.begin() as connection:
            for statement, told in ((_RECORD, rows), (_FORGET, forgotten)):
                if told:
                    values = [{name: getattr(each, name) for name in Told.__slots__} for each in told]
                    connection.execute(statement, {"cluster": self._cluster, "rows": json.dumps(values)})

    def _all(self, doing: str, statement: TextClause, **values: Any) -> Sequence[Any]:
        with store_errors(doing, self._engine), self._engine.connect() as connection:
            return asked(connection, statement, {"cluster": self._cluster, **values})


def _known(row: Any) -> Known:
    subject = Subject.of(row.resource, uid=row.uid, api_version=row.api_version)
    return Known(subject, f"Service/{subject.namespace}/{row.service}" if row.service else "")
