"""Rows of the store as the applier sees them, and what it writes back (pure values)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from schemas.contrail.objects import ENTRY, LINK, Json

HELD_BACK = "not adopted: "
"""How the reason of a dead row begins that adoption holds back (applier/adoption)."""


@dataclass(frozen=True, slots=True)
class Alias:
    """That a desired object is served by an object of Contrail that a predecessor made under another uuid.

    `uuid`, `type` and `fq_name` are the store's, the others Contrail's; names are colon-joined. `kept` are fields of
    that object which stay as they are: with a value, whatever is desired; with None as long as nothing is desired.
    """

    uuid: str
    type: str
    fq_name: str
    contrail_uuid: str
    contrail_fq_name: str
    kept: Mapping[str, Json] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Row:
    """One unfinished object: what it shall be, and how far it came.

    `fq_name` is colon-joined, `body` is a ContrailObject's, Link's or Entry's, with the names and uuids that Contrail
    knows (applier/aliases.py); `applied_generation` is None while Contrail does not have the object as far as we know.
    """

    uuid: str
    shard: int
    type: str
    fq_name: str
    body: Mapping[str, Json] = field(compare=False, repr=False)
    generation: int
    absent: bool = False
    status: str = "pending"
    applied_generation: int | None = None
    attempts: int = 0
    alias: Alias | None = None
    """The object of Contrail that serves the row, where it is not one of the row's own uuid."""
    under: str = ""
    """Colon-joined name of the parent in Contrail, where the parent was adopted under another one; '' otherwise."""
    address: str | None = None
    """Of an instance-ip or floating-ip, the address that it had when it was last there: it may still be in use."""

    @property
    def contrail_uuid(self) -> str:
        """Under which uuid Contrail has, or shall have, the object."""
        return self.uuid if self.alias is None else self.alias.contrail_uuid

    @property
    def contrail_fq_name(self) -> str:
        """Under which colon-joined name Contrail has, or shall have, the object."""
        if self.alias is not None:
            return self.alias.contrail_fq_name
        return f"{self.under}:{self.fq_name.rpartition(':')[2]}" if self.under else self.fq_name

    @property
    def in_place(self) -> bool:
        """Whether Contrail has the object, in this or an earlier generation."""
        return self.applied_generation is not None

    @property
    def gives_tag(self) -> bool:
        """Whether it is a link that gives an interface, or a project, a membership tag."""
        return self.type == LINK and self.body.get("target", {}).get("type") == "tag"

    @property
    def wears_tags(self) -> bool:
        """Whether it is an interface or a project: links give it membership tags beside the tags that it names."""
        return self.type in ("virtual-machine-interface", "project")

    @property
    def settled(self) -> bool:
        """Never: a row is what is not applied yet."""
        return False

    @property
    def label(self) -> str:
        """How messages name the object."""
        return label(self.type, self.fq_name)


@dataclass(frozen=True, slots=True, order=True)
class Edge:
    """`from_uuid` needs `to_uuid`: as its parent, or by a reference; `strict`: as it is wanted now, not just there."""

    from_uuid: str
    to_uuid: str
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Neighbour:
    """The other end of an edge, or the earlier holder of a name, where it is not among the rows to apply."""

    uuid: str
    type: str
    fq_name: str
    absent: bool
    in_place: bool
    settled: bool = False
    """Whether Contrail has it as it is wanted now."""

    @property
    def label(self) -> str:
        """How messages name the object."""
        return label(self.type, self.fq_name)


def label(type_: str, fq_name: str) -> str:
    """`virtual-network default-domain:k8s-default:…`; of a link, owner and target; of an entry, its key and place."""
    if type_ == ENTRY:
        owner_type, _, rest = fq_name.partition(":")
        owner, name, key = rest.rsplit(":", 2)
        return f"entry {key} in {name} of {owner_type} {owner}"
    if type_ != LINK:
        return f"{type_} {fq_name}"
    owner_type, _, rest = fq_name.partition(":")
    owner, target_type, target_uuid = rest.rsplit(":", 2)
    return f"link from {owner_type} {owner} to {target_type} {target_uuid}"


class Status(StrEnum):
    """Values of apply_state.status."""

    PENDING = "pending"
    """Not tried yet, or the API was not able to answer: nothing is wrong with the object."""
    APPLIED = "applied"
    BLOCKED = "blocked"
    """Waits for something else: a parent, a target, a holder, an address, quota."""
    FAILED = "failed"
    """Contrail refused it; tried again a few times."""
    DEAD = "dead"
    """Contrail refused it as often as we try; a new generation or `applier retry --dead` tries again."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one attempt at one generation of one object, as it is recorded.

    `delay` is in seconds, and means nothing for APPLIED and DEAD; `observation` is the body of observed_object,
    for what Contrail decided by itself; APPLIED of an absent row means that it is gone.
    """

    row: Row
    status: Status
    reason: str = ""
    attempts: int = 0
    delay: float = 0.0
    observation: Mapping[str, Json] | None = None
    holders: tuple[tuple[str, str], ...] = ()
    """(type, uuid) of what keeps the object from being deleted; the record names them where the store knows them."""
    full: bool = False
    """It waits for an address or for quota, which others may give back."""
    missing: bool = False
    """Contrail lacks a parent or target of it again and again, which may be one that the store takes for applied."""
    lost: bool = False
    """The object that served the row is gone from Contrail: the row is served under its own uuid again."""
    untried: bool = False
    """BLOCKED by other rows of the store, without asking Contrail."""

    @property
    def done(self) -> bool:
        """Whether Contrail now has the object as it shall be, or no longer has it."""
        return self.status is Status.APPLIED
