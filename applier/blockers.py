"""Whether rows are still blocked when that is recorded (shell; SQL).

What blocks a row frees it when it is done, but only if the row is on record as blocked by then. It may be done
between the load that found the row blocked and the record that says so: by another applier, or by the last commit
of one that was killed. Nobody would wake the row then, and it would wait for its back-off. So whoever records a row
as blocked holds on to what blocks it, and looks once more.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, text

_BLOCKED = """
    unnest(CAST(:uuids AS uuid[])) AS x(uuid)
    JOIN desired_object d ON d.uuid = x.uuid
    JOIN apply_state s ON s.object_uuid = x.uuid
"""
# What `plan` blocks a row by. Wider than it must not be, or such rows wait for nothing; narrower neither, or they
# are loaded and blocked again and again. A few of many are enough: each of them frees the row when it is done.
_BLOCKERS = """
    SELECT n.uuid
    FROM desired_edge e JOIN desired_object n ON n.uuid = e.to_uuid JOIN apply_state t ON t.object_uuid = n.uuid
    WHERE NOT d.absent AND e.from_uuid = d.uuid AND n.uuid <> d.uuid
      AND NOT n.absent AND (t.applied_generation IS NULL OR (e.relation = 'after' AND t.status <> 'applied'))
    UNION ALL
    SELECT e.to_uuid
    FROM desired_edge e LEFT JOIN desired_object n ON n.uuid = e.to_uuid
    WHERE NOT d.absent AND e.from_uuid = d.uuid AND e.relation = 'after' AND (n.uuid IS NULL OR n.absent)
    UNION ALL
    SELECT n.uuid FROM desired_object n
    WHERE NOT d.absent AND s.applied_generation IS NULL
      AND n.absent AND n.type = d.type AND n.fq_name = d.fq_name AND n.uuid <> d.uuid
    UNION ALL
    SELECT n.uuid FROM desired_edge e JOIN desired_object n ON n.uuid = e.from_uuid
    WHERE d.absent AND e.to_uuid = d.uuid AND n.uuid <> d.uuid
    UNION ALL
    SELECT link.uuid
    FROM desired_edge iip
    JOIN desired_edge vmi ON vmi.from_uuid = iip.to_uuid
    JOIN desired_object machine ON machine.uuid = vmi.to_uuid AND machine.type = 'virtual-machine'
    JOIN desired_edge vm ON vm.to_uuid = machine.uuid
    JOIN desired_object link ON link.uuid = vm.from_uuid AND link.type = 'link' AND link.absent
    WHERE d.absent AND d.type = 'instance-ip' AND iip.from_uuid = d.uuid
    LIMIT 20
"""
_HOLD = text(f"""
    SELECT a.object_uuid FROM apply_state a
    WHERE a.object_uuid = ANY(ARRAY(SELECT b.uuid FROM {_BLOCKED} CROSS JOIN LATERAL ({_BLOCKERS}) b))
    ORDER BY a.object_uuid FOR SHARE
""")
_OWN = text("""
    SELECT object_uuid FROM apply_state WHERE object_uuid = ANY(CAST(:uuids AS uuid[])) ORDER BY object_uuid FOR UPDATE
""")
# Not at once: should the plan block a row that nothing here blocks, that costs ten loads a second and not more.
_RELEASE = text(f"""
    UPDATE apply_state a SET next_attempt_at = least(a.next_attempt_at, now() + interval '100 milliseconds')
    FROM {_BLOCKED}
    WHERE a.object_uuid = x.uuid AND a.status = 'blocked' AND NOT EXISTS ({_BLOCKERS})
    RETURNING a.shard
""")


def hold(connection: Connection, *, blocked: Sequence[str], leaving: Sequence[str]) -> None:
    """Lock what blocks these rows until the transaction ends, and rows that are about to go.

    To be called before anything is written: what blocks a row is then done either before, and seen by `release`, or
    after, and finds the row on record as blocked.
    """
    if leaving:
        connection.execute(_OWN, {"uuids": leaving})
    if blocked:
        connection.execute(_HOLD, {"uuids": blocked})


def release(connection: Connection, blocked: Collection[str]) -> set[int]:
    """Make those of the rows due that nothing blocks any more; returns their shards."""
    return set(connection.scalars(_RELEASE, {"uuids": sorted(blocked)})) if blocked else set()
