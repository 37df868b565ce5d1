"""What a running system's database knows: the facts that policies are about, and the objects that Contrail is given."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from sqlalchemy import Engine, text

from console.policy.picture import KINDS, Given
from schemas.records import RECORD_OF_KIND
from schemas.store.engine import store_errors
from translator.policy.evaluate import TYPES, Row

_RESOURCES = text(
    """
    SELECT kind, namespace, name, uid, body FROM k8s_resource
    WHERE cluster = :cluster AND kind = ANY(:kinds) ORDER BY kind, namespace, name
    """
)
_OBJECTS = text(
    """
    SELECT type, fq_name, uuid::text, body FROM desired_object
    WHERE cluster = :cluster AND NOT absent AND (type = ANY(:types) OR type = 'link')
    """
)
_LETTERS = text(
    """
    SELECT resource, error FROM dead_letter
    WHERE cluster = :cluster AND resolved_at IS NULL ORDER BY resource
    """
)


@dataclass(frozen=True, slots=True)
class Stored:
    """Facts, objects, and which policies were put aside: their text in the API is not the one that counts."""

    givens: tuple[Given, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]


def load(engine: Engine, *, cluster: str) -> Stored:
    """Everything at one moment, in one read-only transaction."""
    with store_errors("read policies", engine), engine.connect() as connection:
        connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with connection.begin():
            facts = connection.execute(_RESOURCES, {"cluster": cluster, "kinds": list(KINDS)})
            givens = tuple(
                Given(row.kind, row.namespace, row.name, row.uid, msgspec.convert(row.body, RECORD_OF_KIND[row.kind]))
                for row in facts
            )
            objects = connection.execute(_OBJECTS, {"cluster": cluster, "types": list(TYPES)})
            rows = tuple((row.type, row.fq_name, row.uuid, row.body) for row in objects)
            letters = connection.execute(_LETTERS, {"cluster": cluster}).all()
    aside = [row for row in letters if row.resource.partition("/")[0] in KINDS]
    return Stored(
        givens, rows, tuple(f"put aside, the state before counts: {row.resource}: {row.error}" for row in aside)
    )
