"""What an audit sees and finds (pure values)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from applier.rows import Row, label
from schemas.contrail.objects import Json, annotations_of, joined


class Problem(StrEnum):
    """Values of audit_finding.problem."""

    CHANGED = "changed"
    """Contrail has the object, but not as it shall be."""
    MISSING = "missing"
    """Contrail lacks an object that it had."""
    ORPHAN = "orphan"
    """Contrail has an object with our mark that nothing in the store wants."""
    FOREIGN = "foreign"
    """An object that is not ours hangs below one of ours; it is left alone."""


DRIFT = frozenset({Problem.CHANGED, Problem.MISSING})
"""What a repair is for."""


@dataclass(frozen=True, slots=True)
class Live:
    """An object as a list of Contrail shows it; `fq_name` is colon-joined, `fields` are those that were asked for."""

    type: str
    uuid: str
    fq_name: str
    parent_uuid: str | None = None
    fields: Mapping[str, Json] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, type_: str, item: Mapping[str, Json]) -> Live:
        """From one item of a list."""
        return cls(type_, item["uuid"], joined(item["fq_name"]), item.get("parent_uuid"), item)

    @property
    def annotations(self) -> dict[str, str]:
        """Annotations by key."""
        return annotations_of(self.fields)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A row of the store beside its object in Contrail.

    `settled`: Contrail had its newest generation before the audit began, so that a difference is drift. `linked`
    are uuids, as Contrail has them, of what Links refer to from the object, beside what the row itself says.
    """

    row: Row
    namespace: str
    settled: bool
    linked: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class LiveLink:
    """One reference from an owner of links, as Contrail has it."""

    owner_type: str
    owner_uuid: str
    owner_fq_name: str
    owner_address: str
    target_uuid: str
    attr: Json = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference; `uuid` is the store's row if there is one, else the object's in Contrail."""

    uuid: str
    type: str
    fq_name: str
    namespace: str
    problem: Problem
    reason: str
    detail: Mapping[str, Json] = field(default_factory=dict, compare=False)

    @property
    def label(self) -> str:
        """How messages name the object."""
        return label(self.type, self.fq_name)
