"""VLAN tags of sub-interfaces, given out once each below a parent and remembered (shell; SQL).

A tag is an interface's until Contrail no longer has the interface: its row goes with that of the desired object. So a
tag survives restarts, and a Contrail that is filled again gets the tags that running pods use. The database's unique
index keeps any two appliers from giving out one tag twice.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from sqlalchemy import Connection, Engine, text

from applier.rows import Row
from applier.sub_interface import INTERFACE, Place, body_placed
from schemas.contrail.trunk import FIRST_TAG, LAST_TAG
from schemas.store.engine import store_errors

# Takes turns below one parent, so that two claims choose differently instead of one failing.
_TURN = text("SELECT pg_advisory_xact_lock(hashtextextended(CAST(:parent AS text), 802))")
_KNOWN = text("SELECT parent_uuid::text, tag FROM vlan_tag WHERE interface_uuid = CAST(:interface AS uuid)")
_FREE = text("""
    SELECT t.tag FROM generate_series(CAST(:first AS integer), CAST(:last AS integer)) AS t(tag)
    WHERE t.tag <> ALL(CAST(:taken AS integer[])) AND NOT EXISTS (
        SELECT 1 FROM vlan_tag v WHERE v.parent_uuid = CAST(:parent AS uuid) AND v.tag = t.tag
          AND v.interface_uuid <> CAST(:interface AS uuid))
    ORDER BY t.tag <> :wanted, t.tag LIMIT 1
""")
_GIVE = text("""
    INSERT INTO vlan_tag (interface_uuid, cluster, parent_uuid, parent_fq_name, tag)
    SELECT d.uuid, d.cluster, CAST(:parent AS uuid), :name, :tag
    FROM desired_object d WHERE d.uuid = CAST(:interface AS uuid)
    ON CONFLICT (interface_uuid) DO UPDATE
    SET parent_uuid = excluded.parent_uuid, parent_fq_name = excluded.parent_fq_name, tag = excluded.tag,
        given_at = now()
    RETURNING tag
""")
_PLACES = text("""
    SELECT interface_uuid::text, parent_uuid::text, parent_fq_name, tag FROM vlan_tag
    WHERE interface_uuid = ANY(CAST(:uuids AS uuid[]))
""")


class VlanTags:
    """The tags of one store; every call is one transaction and may raise StoreUnavailable. Thread-safe."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def claim(
        self, interface: str, parent_uuid: str, parent_name: str, *, taken: Collection[int], there: int | None = None
    ) -> int | None:
        """Tag of the interface below the parent, given to it now if it has none; None when it can have none.

        That is when no tag is left, or the one that it has in Contrail is given to another. `taken` are tags that
        others have in Contrail, `there` is the one that it has itself. It keeps the tag that it was given unless one
        of them says otherwise, or its parent is another.
        """
        with store_errors("give out a VLAN tag", self._engine), self._engine.begin() as connection:
            connection.execute(_TURN, {"parent": parent_uuid})
            known = connection.execute(_KNOWN, {"interface": interface}).one_or_none()
            wanted = there or (known.tag if known is not None else 0)
            ends = {"interface": interface, "parent": parent_uuid}
            if known is not None and known.parent_uuid == parent_uuid and known.tag == wanted and wanted not in taken:
                return int(wanted)
            bounds = {"first": FIRST_TAG, "last": LAST_TAG, "taken": sorted(taken), "wanted": wanted}
            tag: int | None = connection.scalar(_FREE, {**ends, **bounds})
            if tag is None or (there is not None and tag != there):
                return None
            connection.execute(_GIVE, {**ends, "name": parent_name, "tag": tag})
            return tag


def with_places(connection: Connection, rows: Sequence[Row]) -> list[Row]:
    """The rows with their places, where interfaces among them were given any."""
    nested = [row.uuid for row in rows if row.type == INTERFACE and row.body.get("trunk")]
    if not nested:
        return list(rows)
    places = _places(connection, nested)
    return [replace(row, body=body_placed(row.body, places[row.uuid])) if row.uuid in places else row for row in rows]


def _places(connection: Connection, uuids: Iterable[str]) -> dict[str, Place]:
    found = connection.execute(_PLACES, {"uuids": list(uuids)})
    return {uuid: Place(parent, name, tag) for uuid, parent, name, tag in found}
