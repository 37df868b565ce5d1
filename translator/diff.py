"""Old and new desired objects to changes (pure). An equal digest is no change: nothing is written anywhere."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Generic, TypeVar

import msgspec

from schemas.contrail.objects import ENTRY, ContrailObject, Desired, Json, Link, joined
from schemas.identity import shard_of
from schemas.store.tables import SHARDS
from translator.resource import Cause, Key, canonical, digest_of

Edge = tuple[str, str]
"""(target uuid, 'parent', 'ref' or 'after')."""

T = TypeVar("T")

_decode = msgspec.json.Decoder().decode


class Wanted(msgspec.Struct, frozen=True, gc=False):
    """One object, link or entry as one resource asks for it.

    `fq_name` is colon-joined; `body` is canonical JSON, `digest` its SHA-256; `edges` are its needs among
    objects of ours; `namespace` is the Kubernetes namespace it belongs to, '' if none.
    """

    uuid: str
    type: str
    fq_name: str
    namespace: str
    body: bytes
    digest: bytes
    edges: frozenset[Edge]


class StoredObject(msgspec.Struct, frozen=True, gc=False):
    """A row of the store; `body` is its JSON, canonical or as the database writes it."""

    uuid: str
    type: str
    fq_name: str
    namespace: str
    body: bytes
    digest: bytes
    generation: int
    absent: bool

    @property
    def shard(self) -> int:
        """Applier shard: its namespace's; of entries, which share the objects that they are in, one for all."""
        return shard_of("" if self.type == ENTRY else self.namespace, SHARDS)


class Change(msgspec.Struct, frozen=True, gc=False):
    """One desired object's change: the row as it becomes, and the row of `object_diff` that tells of it.

    `existed` says whether the store has a row; `before` and `after` are bodies, None where there is none;
    `patch` is {'field': [before, after]} of an update; `resource` is the source whose wish changed.
    """

    op: str
    row: StoredObject
    existed: bool
    before: bytes | None
    after: bytes | None
    patch: dict[str, list[Json]] | None
    edges_added: frozenset[Edge]
    edges_removed: frozenset[Edge]
    resource: Key
    cause: Cause


def wanted(desired: Desired, home: str) -> Wanted:
    """What a resource of namespace `home` asks for, ready to compare and store.

    An object's namespace is the one its owner annotations name, and a shared link has none, so that neither depends on
    who asks.
    """
    if isinstance(desired, ContrailObject):
        return _wanted_object(_Same(desired))
    if isinstance(desired, Link):
        return _wanted_link(_Same(desired), "" if desired.shared else home)
    text = canonical(desired.body())
    return Wanted(desired.uuid, desired.type, joined(desired.fq_name), home, text, digest_of(text), frozenset())


class _Same(Generic[T]):
    """An object or link as a cache key: equal to itself alone, so that looking it up need not look at it."""

    __slots__ = ("desired",)

    def __init__(self, desired: T) -> None:
        self.desired = desired

    def __hash__(self) -> int:
        return id(self.desired)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.desired is other.desired


@lru_cache(maxsize=12288)
def _wanted_object(same: _Same[ContrailObject]) -> Wanted:
    """Kept, because translations that keep their objects (a pod's) give the same ones again and again."""
    desired = same.desired
    text = canonical(desired.body())
    edges = {(reference.uuid, "ref") for reference in desired.references if reference.uuid is not None}
    edges.update((uuid, "ref") for uuid in desired.needs)
    edges.update((uuid, "after") for uuid in desired.after)
    if desired.parent_uuid is not None:
        edges.add((desired.parent_uuid, "parent"))
    return Wanted(
        desired.uuid,
        desired.type,
        joined(desired.fq_name),
        _annotated_namespace(desired),
        text,
        digest_of(text),
        frozenset(edges),
    )


@lru_cache(maxsize=4096)
def _wanted_link(same: _Same[Link], home: str) -> Wanted:
    link = same.desired
    text = canonical(link.body())
    edges = {(end, "ref") for end in (link.owner_uuid, link.target_uuid) if end is not None}
    edges.update((uuid, "after") for uuid in link.after)
    return Wanted(link.uuid, link.type, joined(link.fq_name), home, text, digest_of(text), frozenset(edges))


def put(new: Wanted, old: StoredObject | None, *, generation: int, resource: Key, cause: Cause) -> Change:
    """The change that makes the stored row as wanted; a row that is absent, or not there, is a create."""
    row = StoredObject(new.uuid, new.type, new.fq_name, new.namespace, new.body, new.digest, generation, absent=False)
    old_edges = frozenset() if old is None else _stored_edges(old, new)
    is_update = old is not None and not old.absent
    return Change(
        op="update" if is_update else "create",
        row=row,
        existed=old is not None,
        before=old.body if old is not None and is_update else None,
        after=new.body,
        patch=patch(_decode(old.body), _decode(new.body)) if old is not None and is_update else None,
        edges_added=new.edges - old_edges,
        edges_removed=old_edges - new.edges,
        resource=resource,
        cause=cause,
    )


def remove(old: StoredObject, *, generation: int, resource: Key, cause: Cause) -> Change:
    """The change that makes the stored row absent; its edges stay until Contrail confirms the delete."""
    return Change(
        op="delete",
        row=msgspec.structs.replace(old, generation=generation, absent=True),
        existed=True,
        before=old.body,
        after=None,
        patch=None,
        edges_added=frozenset(),
        edges_removed=frozenset(),
        resource=resource,
        cause=cause,
    )


def patch(before: dict[str, Any], after: dict[str, Any]) -> dict[str, list[Json]]:
    """Changed fields as {'field': [before, after]}, None for a missing side.

    Fields are the properties under their own names, references as `<type>_refs` with underscores, and
    everything else of the body (`parent_type`, `after`; a Link's `owner`, `target`, `attr`; an Entry's `value`) under
    its key.
    """
    old, new = _fields(before), _fields(after)
    names = sorted(old.keys() | new.keys())
    return {name: [old.get(name), new.get(name)] for name in names if old.get(name) != new.get(name)}


def _fields(body: dict[str, Any]) -> dict[str, Json]:
    fields = {key: value for key, value in body.items() if key not in ("properties", "references")}
    fields.update(body.get("properties", {}))
    for reference in body.get("references", ()):
        fields.setdefault(f"{reference['type'].replace('-', '_')}_refs", []).append(
            {key: value for key, value in reference.items() if key != "type"}
        )
    return fields


def _annotated_namespace(desired: ContrailObject) -> str:
    pairs = desired.properties.get("annotations", {}).get("key_value_pair", ())
    return next((str(pair["value"]) for pair in pairs if pair["key"] == "namespace"), "")


def _stored_edges(old: StoredObject, new: Wanted) -> frozenset[Edge]:
    """Edges of the stored row, from its body; its parent is the new one's, because a uuid never changes its parent."""
    body = _decode(old.body)
    ends = [reference["uuid"] for reference in body.get("references", ())] + body.get("needs", [])
    ends += [body[end].get("uuid") for end in ("owner", "target") if end in body]
    parents = {edge for edge in new.edges if edge[1] == "parent"}
    later = {(uuid, "after") for uuid in body.get("after", ())}
    return frozenset((end, "ref") for end in ends if end is not None) | later | parents
