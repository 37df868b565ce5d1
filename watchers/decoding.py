"""Bytes of the Kubernetes API to typed values: watch lines and list pages (pure).

The hot path is one typed decode per line or page. Only what does not fit the type is looked at again,
piece by piece, so that one broken object costs itself and not its neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from schemas.errors import MalformedObject
from watchers.excerpt import excerpt
from watchers.kinds import Kind, Observed, observe
from watchers.kinds.kind import identify

T = TypeVar("T")
BEGINNING = 1024
"""Bytes of a broken object that are kept for a person to look at."""
LISTED = "k8s.io/initial-events-end"
"""Annotation of the bookmark that ends the initial events."""
NOT_JSON = (ValueError, RecursionError)
"""What msgspec raises: DecodeError and bad UTF-8 are ValueErrors, nesting without end is a RecursionError."""


@dataclass(frozen=True, slots=True)
class Change:
    """An object was added or modified, or is gone."""

    observed: Observed
    deleted: bool


@dataclass(frozen=True, slots=True)
class Bookmark:
    """Everything up to this version has been sent; '' where the server forgot to say which.

    `listed`: it ends the initial events of a watch that began as a list.
    """

    resource_version: str
    listed: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """A Status inside the stream: the watch has failed, though it was answered with 200."""

    code: int
    message: str
    retry_after: float


@dataclass(frozen=True, slots=True)
class Malformed:
    """An object that breaks its own type: its names as far as they can be read, the reason, and how it begins."""

    uid: str
    resource_version: str
    reason: str
    namespace: str = ""
    name: str = ""
    payload: bytes = b""
    size: int = 0


Event = Change | Bookmark | Failure | Malformed


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list; `following` is the token of the next one, '' on the last."""

    resource_version: str
    following: str
    items: tuple[Observed, ...]
    malformed: tuple[Malformed, ...]


class _Line(msgspec.Struct, Generic[T], gc=False):
    type: str
    object: T


class _ListMetadata(msgspec.Struct, gc=False, rename={"following": "continue", "resource_version": "resourceVersion"}):
    resource_version: str = ""
    following: str = ""


class _Page(msgspec.Struct, Generic[T], gc=False):
    metadata: _ListMetadata
    items: list[T] | None = None


class _Details(msgspec.Struct, gc=False, rename="camel"):
    retry_after_seconds: float = 0


class _Status(msgspec.Struct, gc=False):
    code: int = 0
    message: str = ""
    details: _Details | None = None


class _Name(msgspec.Struct, gc=False, rename="camel"):
    name: Any = ""
    namespace: Any = ""
    uid: Any = ""
    resource_version: Any = ""
    annotations: Any = None


class _Named(msgspec.Struct, gc=False):
    metadata: _Name | None = None


_raw_line = msgspec.json.Decoder(_Line[msgspec.Raw])
_raw_page = msgspec.json.Decoder(_Page[msgspec.Raw])
_status = msgspec.json.Decoder(_Status)
_named = msgspec.json.Decoder(_Named)


class Decoding:
    """The decoders of one kind."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._line = msgspec.json.Decoder(_Line[kind.input])  # type: ignore[name-defined]
        self._page = msgspec.json.Decoder(_Page[kind.input])  # type: ignore[name-defined]
        self._object = msgspec.json.Decoder(kind.input)

    def line(self, data: bytes) -> Event:
        """One line of a watch; raises MalformedObject when it is not one at all."""
        try:
            line = self._line.decode(data)
        except msgspec.ValidationError:
            return self._unusual(data)
        except NOT_JSON as error:
            raise _not_a_line(data, error) from error
        if line.type in ("ADDED", "MODIFIED", "DELETED"):
            try:
                return Change(observe(self._kind, line.object), line.type == "DELETED")
            except MalformedObject:
                return self._unusual(data)
        return self._unusual(data)

    def page(self, data: bytes) -> Page:
        """One page of a list; raises MalformedObject when it is none."""
        try:
            page = self._page.decode(data)
            items = tuple(observe(self._kind, item) for item in page.items or ())
        except (msgspec.ValidationError, MalformedObject):
            return self._broken_page(data)
        except NOT_JSON as error:
            raise MalformedObject(f"not JSON ({_reason(error)}), beginning {excerpt(data, 80)!r}") from error
        return Page(page.metadata.resource_version, page.metadata.following, items, ())

    def _unusual(self, data: bytes) -> Event:
        """What the fast path does not take: bookmarks, errors, broken objects."""
        try:
            line = _raw_line.decode(data)
            if line.type == "ERROR":
                status = _status.decode(line.object)
                wait = status.details.retry_after_seconds if status.details else 0
                return Failure(status.code, status.message, float(wait))
            if line.type == "BOOKMARK":
                meta = _name_of(line.object)
                marks = meta.annotations if isinstance(meta.annotations, dict) else {}
                return Bookmark(_text(meta.resource_version), marks.get(LISTED) == "true")
        except NOT_JSON as error:
            raise _not_a_line(data, error) from error
        if line.type not in ("ADDED", "MODIFIED", "DELETED"):
            raise MalformedObject(f"a watch line of unknown type {line.type[:80]!r}")
        deleted = line.type == "DELETED"
        one = self._object_of(line.object)
        if deleted and isinstance(one, Malformed):
            one = self._gone(one)
        return one if isinstance(one, Malformed) else Change(one, deleted)

    def _broken_page(self, data: bytes) -> Page:
        """A page one of whose items does not fit: item by item."""
        try:
            page = _raw_page.decode(data)
        except NOT_JSON as error:
            raise MalformedObject(f"not a list ({_reason(error)}), beginning {excerpt(data, 80)!r}") from error
        found = [self._object_of(item) for item in page.items or ()]
        return Page(
            page.metadata.resource_version,
            page.metadata.following,
            tuple(one for one in found if isinstance(one, Observed)),
            tuple(one for one in found if isinstance(one, Malformed)),
        )

    def _gone(self, malformed: Malformed) -> Observed | Malformed:
        """Of an object that is gone its names are enough: however broken it was, it must not stay for ever."""
        try:
            key = identify(self._kind, namespace=malformed.namespace, name=malformed.name, uid=malformed.uid)
        except MalformedObject:
            return malformed
        return Observed(key, malformed.uid, malformed.resource_version, None)

    def _object_of(self, raw: msgspec.Raw) -> Observed | Malformed:
        try:
            return observe(self._kind, self._object.decode(raw))
        except (MalformedObject, *NOT_JSON) as error:
            name = _name_of(raw)
            reason = str(error)
            if not isinstance(error, MalformedObject):
                reason = f"{self._kind.name} {_text(name.namespace)}/{_text(name.name)}: {_reason(error)}"
            return _malformed(name, reason, bytes(raw))


def _name_of(raw: msgspec.Raw) -> _Name:
    try:
        return _named.decode(raw).metadata or _Name()
    except NOT_JSON:
        return _Name()


def _malformed(name: Any, reason: str, data: bytes) -> Malformed:
    return Malformed(
        uid=_text(name.uid),
        resource_version=_text(name.resource_version),
        reason=reason,
        namespace=_text(name.namespace),
        name=_text(name.name),
        payload=excerpt(data, BEGINNING),
        size=len(data),
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _not_a_line(data: bytes, error: Exception) -> MalformedObject:
    return MalformedObject(f"not a watch line ({_reason(error)}): {len(data)} bytes, beginning {excerpt(data, 80)!r}")


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
