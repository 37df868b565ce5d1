"""Membership tags and the rules that name them, in the order that leaves nothing half in effect (shell; SQL).

No reference leads from a firewall-policy to the links that give interfaces their membership tags. A policy is written
when the tags of its namespace are on every interface that is there; a tag that it no longer needs goes only then, or
when the policy is gone. An interface that is not there yet is not waited for: no address of it is known before it has
its tags.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import text

from applier.rows import Row

_LINK = "l.type = 'link' AND l.body #>> '{target,type}' = 'tag'"
_OWNER_IS_THERE = """
    EXISTS (SELECT FROM apply_state v JOIN desired_object o ON o.uuid = v.object_uuid
            WHERE v.object_uuid = (l.body #>> '{owner,uuid}')::uuid AND v.applied_generation IS NOT NULL
              AND NOT o.absent)
"""
PAIRS = f"""
    desired_object p JOIN apply_state s ON s.object_uuid = p.uuid AND s.status NOT IN ('applied', 'dead')
    JOIN apply_state t ON t.shard = s.shard AND t.status NOT IN ('applied', 'dead')
    JOIN desired_object l ON l.uuid = t.object_uuid AND {_LINK} AND l.cluster = p.cluster AND l.namespace = p.namespace
        AND (l.absent OR t.applied_generation IS NULL) AND {_OWNER_IS_THERE}
    WHERE p.type = 'firewall-policy' AND (l.absent OR NOT p.absent)
"""
"""Policies `p` with state `s`, and membership links `l` with state `t`, of which one comes before the other."""

_COLUMNS = """
    SELECT p.uuid::text, l.uuid::text, false, n.uuid::text, n.type, n.fq_name, n.absent,
           a.applied_generation IS NOT NULL AS in_place, false AS settled, a.next_attempt_at <= now() AS due
"""
_MOST = 5000
LINKS_OF_POLICIES = text(f"""
    WITH pair AS MATERIALIZED (
        SELECT p.uuid AS p, l.uuid AS l FROM {PAIRS} AND p.uuid = ANY(CAST(:uuids AS uuid[])) LIMIT {_MOST}
    )
    {_COLUMNS.replace("p.uuid", "pair.p").replace("l.uuid", "pair.l")}
    FROM pair JOIN desired_object n ON n.uuid = pair.l JOIN apply_state a ON a.object_uuid = n.uuid
""")
POLICIES_OF_LINKS = text(f"""
    WITH pair AS MATERIALIZED (
        SELECT p.uuid AS p, l.uuid AS l
        FROM {PAIRS} AND l.absent AND l.uuid = ANY(CAST(:uuids AS uuid[])) LIMIT {_MOST}
    )
    {_COLUMNS.replace("p.uuid", "pair.p").replace("l.uuid", "pair.l")}
    FROM pair JOIN desired_object n ON n.uuid = pair.p JOIN apply_state a ON a.object_uuid = n.uuid
""")


def policies(rows: Iterable[Row]) -> list[str]:
    """Uuids of the policies that shall be."""
    return [row.uuid for row in rows if row.type == "firewall-policy" and not row.absent]


def leaving(rows: Iterable[Row]) -> list[str]:
    """Uuids of the membership links that shall go."""
    return [row.uuid for row in rows if row.absent and row.gives_tag]
