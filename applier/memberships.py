"""Membership tags and the rules that name them, in the order that leaves nothing half in effect (shell; SQL).

No reference leads from a firewall-policy to the links that give interfaces their membership tags. A policy is written
when the tags of its namespace are on every interface that is there; a tag that it no longer needs goes only then, or
when the policy is gone. An interface that is not there yet is not waited for: no address of it is known before it has
its tags. What changes its labels gets its new tags before and loses the old ones after that: whatever isolates it, by
a tag of its own or by membership, does so without a gap. What goes waits for what Contrail refused for good as well,
because then the rules and tags of before are still in effect.
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
_COLUMNS = """
    SELECT p.uuid::text, l.uuid::text, false, n.uuid::text, n.type, n.fq_name, n.absent,
           a.applied_generation IS NOT NULL AS in_place, false AS settled,
           a.status <> 'dead' AND a.next_attempt_at <= now() AS due
"""
_MOST = 5000
_IS_MISSING = "NOT l.absent AND t.applied_generation IS NULL AND t.status <> 'applied'"
_IS_TO_COME = f"{_IS_MISSING} AND t.status <> 'dead'"
# From the policy by its rules to their membership tags, and back from these to the links: indexes all the way.
LINKS_OF_POLICIES = text(f"""
    WITH pair AS MATERIALIZED (
        SELECT DISTINCT rules.from_uuid AS p, l.uuid AS l
        FROM desired_edge rules
        JOIN desired_edge ends ON ends.from_uuid = rules.to_uuid
        JOIN desired_object tag ON tag.uuid = ends.to_uuid AND tag.type = 'tag'
            AND starts_with(tag.fq_name, 'label=' || tag.cluster || '.sel.')
        JOIN desired_edge members ON members.to_uuid = tag.uuid
        JOIN desired_object l ON l.uuid = members.from_uuid AND {_LINK}
        JOIN apply_state t ON t.object_uuid = l.uuid
        WHERE rules.from_uuid = ANY(CAST(:uuids AS uuid[])) AND {_IS_TO_COME} AND {_OWNER_IS_THERE} LIMIT {_MOST}
    )
    {_COLUMNS.replace("p.uuid", "pair.p").replace("l.uuid", "pair.l")}
    FROM pair JOIN desired_object n ON n.uuid = pair.l JOIN apply_state a ON a.object_uuid = n.uuid
""")
"""What is still to be tagged before these policies are written."""
POLICIES_OF_LINKS = text(f"""
    WITH pair AS MATERIALIZED (
        SELECT p.uuid AS p, l.uuid AS l
        FROM desired_object l
        JOIN desired_object p ON p.cluster = l.cluster AND p.type = 'firewall-policy' AND p.namespace = l.namespace
        JOIN apply_state s ON s.object_uuid = p.uuid AND s.status <> 'applied'
        WHERE l.uuid = ANY(CAST(:uuids AS uuid[])) AND {_OWNER_IS_THERE} LIMIT {_MOST}
    )
    {_COLUMNS.replace("p.uuid", "pair.p").replace("l.uuid", "pair.l")}
    FROM pair JOIN desired_object n ON n.uuid = pair.p JOIN apply_state a ON a.object_uuid = n.uuid
""")
"""What is still to be written, or to go, before these tags may go."""
_LINKS_OF_OWNER = f"""
    desired_edge e JOIN desired_object l ON l.uuid = e.from_uuid AND {_LINK}
    JOIN apply_state t ON t.object_uuid = l.uuid
"""
LINKS_OF_OWNERS = text(f"""
    WITH pair AS MATERIALIZED (
        SELECT e.to_uuid AS p, l.uuid AS l FROM {_LINKS_OF_OWNER}
        WHERE e.to_uuid = ANY(CAST(:uuids AS uuid[])) AND {_IS_MISSING} LIMIT {_MOST}
    )
    {_COLUMNS.replace("p.uuid", "pair.p").replace("l.uuid", "pair.l")}
    FROM pair JOIN desired_object n ON n.uuid = pair.l JOIN apply_state a ON a.object_uuid = n.uuid
""")
"""Tags that interfaces and projects shall get, before these change."""
STAYING_OF_LINKS = text(f"""
    WITH gone AS MATERIALIZED (
        SELECT g.uuid AS l, (g.body #>> '{{owner,uuid}}')::uuid AS owner FROM desired_object g
        WHERE g.absent AND g.uuid = ANY(CAST(:uuids AS uuid[]))
    ), pair AS MATERIALIZED (
        (SELECT l.uuid AS p, gone.l AS l FROM gone JOIN {_LINKS_OF_OWNER} ON e.to_uuid = gone.owner
         WHERE {_IS_MISSING} LIMIT {_MOST})
        UNION ALL
        (SELECT o.uuid, gone.l FROM gone JOIN desired_object o ON o.uuid = gone.owner AND NOT o.absent
         JOIN apply_state t ON t.object_uuid = o.uuid
         WHERE t.applied_generation IS NOT NULL AND t.status <> 'applied' LIMIT {_MOST})
    )
    {_COLUMNS.replace("p.uuid", "pair.p").replace("l.uuid", "pair.l")}
    FROM pair JOIN desired_object n ON n.uuid = pair.p JOIN apply_state a ON a.object_uuid = n.uuid
""")
"""What comes before a tag leaves its interface or project: other tags for it, and its own change."""


def policies(rows: Iterable[Row]) -> list[str]:
    """Uuids of the policies that shall be."""
    return [row.uuid for row in rows if row.type == "firewall-policy" and not row.absent]


def leaving(rows: Iterable[Row]) -> list[str]:
    """Uuids of the membership links that shall go."""
    return [row.uuid for row in rows if row.absent and row.gives_tag]


def changing(rows: Iterable[Row]) -> list[str]:
    """Uuids of the interfaces and projects that change."""
    return [row.uuid for row in rows if row.wears_tags and row.in_place and not row.absent]
