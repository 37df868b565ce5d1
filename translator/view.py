"""The view: how a translation asks for other resources; every question is recorded, absent answers included (pure).

When a resource changes, whatever asked for it is translated again: nobody keeps a list of dependents.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from schemas.records import SettingsRecord
from translator.resource import Key, Resource, key_of, list_key

Found = Mapping[Key, Resource | None]
"""Loaded resources by key; None: looked for and not there."""
Listed = Mapping[Key, tuple[Resource, ...]]
"""Loaded lists by list key, each ordered by namespace and name."""
_LONGEST_NAME = 253
"""Characters of a name in Kubernetes."""


def can_be(name: str) -> bool:
    """Whether a resource can have this name.

    What names another one (an owner, an endpoint's pod, a class) is often not checked by Kubernetes: it may be as long
    as an annotation, and what it names is a key of the store.
    """
    return len(name) <= _LONGEST_NAME and "/" not in name and name != "*"


class NotLoaded(Exception):
    """The caches lack these keys: load them and translate again. Never leaves the translator."""

    def __init__(self, keys: frozenset[Key]) -> None:
        super().__init__(", ".join(sorted(keys)))
        self.keys = keys


class View:
    """Answers one translation from what was loaded, and remembers what was asked."""

    __slots__ = ("_found", "_listed", "reads", "settings")

    def __init__(self, settings: SettingsRecord, found: Found, listed: Listed) -> None:
        self.settings = settings
        self.reads: set[Key] = set()
        self._found = found
        self._listed = listed

    def get(self, kind: str, namespace: str, name: str) -> Resource | None:
        """One resource, None if the log has not told of it (or of its deletion)."""
        if not can_be(name):
            return None
        key = key_of(kind, namespace, name)
        self.reads.add(key)
        if key not in self._found:
            raise NotLoaded(frozenset({key}))
        return self._found[key]

    def get_all(self, names: Iterable[tuple[str, str, str]]) -> list[Resource | None]:
        """Many resources by (kind, namespace, name), in that order; loaded together."""
        keys = [key_of(*name) if can_be(name[-1]) else None for name in names]
        asked = {key for key in keys if key is not None}
        self.reads |= asked
        if missing := frozenset(key for key in asked if key not in self._found):
            raise NotLoaded(missing)
        return [None if key is None else self._found[key] for key in keys]

    def list(self, kind: str, namespace: str | None = None) -> tuple[Resource, ...]:
        """All resources of a kind, of one namespace or (None) of all, ordered by namespace and name."""
        key = list_key(kind, namespace)
        self.reads.add(key)
        if key not in self._listed:
            raise NotLoaded(frozenset({key}))
        return self._listed[key]
