"""What a watched kind is, and the parts of the API's JSON that every kind shares (pure).

Inputs are typed decodings of only the fields that are needed: what a record drops is never built.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from schemas.errors import MalformedObject
from schemas.identity import ResourceKey
from schemas.records import OwnerReference, Record

Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
"""A port number; 0 stands for none."""


class OwnerInput(msgspec.Struct, gc=False, rename="camel"):
    """One entry of `metadata.ownerReferences`."""

    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool | None = None


class Metadata(msgspec.Struct, gc=False, rename="camel"):
    """`metadata` of any object. Everything has a default, because bookmarks and errors carry almost nothing."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    deletion_timestamp: str | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    owner_references: list[OwnerInput] | None = None

    def owners(self) -> tuple[OwnerReference, ...]:
        """The owner references as records, sorted by uid: their order means nothing."""
        found = self.owner_references
        if not found:
            return ()
        if len(found) > 1:
            found = sorted(found, key=lambda owner: owner.uid)
        return tuple(
            OwnerReference(
                api_version=o.api_version, kind=o.kind, name=o.name, uid=o.uid, controller=bool(o.controller)
            )
            for o in found
        )


@dataclass(frozen=True, slots=True)
class Kind:
    """One watched kind: where the API serves it, how its JSON is decoded, what becomes of it.

    `input` is a msgspec Struct with a `metadata` field; `normalize` takes one and gives the typed record, or raises
    MalformedObject with the field, what was read and what is accepted (`observe` says of which object).
    """

    name: str
    resource: str
    """Plural, as in RBAC rules and paths."""
    input: type[Any]
    normalize: Callable[[Any], Record]
    api_version: str = "v1"
    namespaced: bool = True
    never_empty: bool = False
    """Every cluster has some: an empty listing is then a fault, whatever was known before."""
    optional: bool = False
    """Served only where its CRD is installed. Where it is not, there is nothing to watch, and nothing is deleted."""
    metadata_only: bool = False
    """Asked for as PartialObjectMetadata: the server leaves spec and status out."""

    @property
    def group(self) -> str:
        """API group; '' is the core group."""
        return self.api_version.rpartition("/")[0]

    @property
    def path(self) -> str:
        """Path of the list of all objects of the cluster."""
        return f"{self.discovery_path}/{self.resource}"

    @property
    def discovery_path(self) -> str:
        """Path of the APIResourceList that names `resource` where the kind is served; 404 where its group is not."""
        return f"/{'apis' if self.group else 'api'}/{self.api_version}"

    @property
    def accept_list(self) -> str:
        """Accept header of a list."""
        return _partial("PartialObjectMetadataList") if self.metadata_only else "application/json"

    @property
    def accept_watch(self) -> str:
        """Accept header of a watch."""
        return _partial("PartialObjectMetadata") if self.metadata_only else "application/json"


def _partial(form: str) -> str:
    """A form without spec and status; whole objects from a server that knows no such form, whose rest is not read."""
    return f"application/json;as={form};g=meta.k8s.io;v=v1,application/json"


@dataclass(frozen=True, slots=True)
class Observed:
    """One object as it was seen: identity and normalized record; None of one that is gone and cannot be read."""

    key: ResourceKey
    uid: str
    resource_version: str
    record: Record | None


def observe(kind: Kind, raw: Any) -> Observed:
    """Normalize one decoded input; raises MalformedObject, naming the object and the field."""
    meta: Metadata = raw.metadata
    key = identify(kind, namespace=meta.namespace, name=meta.name, uid=meta.uid)
    try:
        record = kind.normalize(raw)
    except MalformedObject as error:
        raise MalformedObject(f"{kind.name} {meta.namespace}/{meta.name}: {error}") from error
    return Observed(key, meta.uid, meta.resource_version, record)


def identify(kind: Kind, *, namespace: str, name: str, uid: str) -> ResourceKey:
    """The key of an object with these names; raises MalformedObject where none can be known by them."""
    if not name or not uid:
        raise MalformedObject(f"{kind.name} {namespace}/{name}: metadata.{'uid' if name else 'name'} is missing")
    if kind.namespaced != bool(namespace):
        found = repr(namespace) if namespace else "missing"
        raise MalformedObject(f"{kind.name} {namespace}/{name}: metadata.namespace is {found}")
    if "/" in name or "/" in namespace:
        # The record key is Kind/namespace/name; the API server refuses such names for all kinds watched here.
        raise MalformedObject(f"{kind.name} {namespace}/{name}: metadata.name holds a '/'")
    return ResourceKey(kind.name, namespace, name)
