"""Which references from an object of ours the store's Links make (shell; SQL).

A Link may refer from an object that somebody desires as well: a policy put on a network beside the network's own. A
write of the object replaces whole lists, so it must say again what Links added. A Link's id is computed from both its
ends, so that one look by id tells, at the moment of the write, whoever made the Link.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, text

from applier.rows import Row
from schemas.contrail.objects import Json
from schemas.contrail.shapes import reference_field
from schemas.contrail.types import type_of
from schemas.identity import link_uuid
from schemas.store.engine import store_errors

_ADOPTED = text("""
    SELECT contrail_uuid::text AS contrail_uuid, uuid::text AS uuid FROM adopted_object
    WHERE contrail_uuid = ANY(CAST(:uuids AS uuid[]))
""")
# One that shall be absent counts: the Link's own row takes the reference away, and only then.
_LINKS = text("SELECT uuid::text FROM desired_object WHERE uuid = ANY(CAST(:uuids AS uuid[])) AND type = 'link'")


@dataclass(frozen=True, slots=True)
class Beside:
    """A reference that Contrail has and the object's row does not name; `owner` is the store's colon-joined name."""

    owner_type: str
    owner: str
    target_type: str
    target_uuid: str


def beside(row: Row, live: Mapping[str, Json]) -> list[Beside]:
    """References of an object as Contrail has it that a write of the row would take away (pure)."""
    named = {(reference_field(r["type"]), tuple(r["to"])) for r in row.body["references"]}
    written = {field for field, _ in named}
    return [
        Beside(row.type, row.fq_name, rule.target, reference["uuid"])
        for field, rule in type_of(row.type).references.items()
        if field in written or not rule.filled
        for reference in live.get(field) or ()
        if reference.get("uuid") and (field, tuple(reference["to"])) not in named
    ]


def made_by_links(connection: Connection, found: Collection[Beside]) -> frozenset[Beside]:
    """Those of these references that Links make."""
    if not found:
        return frozenset()
    ours = {r.contrail_uuid: r.uuid for r in connection.execute(_ADOPTED, {"uuids": [b.target_uuid for b in found]})}
    ids = {link_uuid(b.owner_type, b.owner, b.target_type, ours.get(b.target_uuid, b.target_uuid)): b for b in found}
    return frozenset(ids[uuid] for uuid in connection.scalars(_LINKS, {"uuids": list(ids)}))


class Links:
    """Asks the store for one object at a time. Thread-safe."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def targets(self, row: Row, live: Mapping[str, Json]) -> frozenset[str]:
        """Uuids, as Contrail has them, of what Links refer to from the row's object; raises StoreUnavailable."""
        if not (found := beside(row, live)):
            return frozenset()
        with store_errors("ask for links", self._engine), self._engine.connect() as connection:
            return frozenset(made.target_uuid for made in made_by_links(connection, found))
