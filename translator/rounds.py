"""Translating many resources against the store: what they ask for is loaded for all of them at once.

A translation that asks for what is not loaded is put aside and done again after one bulk load; so a batch
costs as many loads as its deepest chain of questions, not as it has resources.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping

import msgspec

from schemas.errors import MalformedObject, ModelError, TranslationError
from schemas.records import SettingsRecord
from translator.diff import Wanted
from translator.merge import Before
from translator.notice import NONE, Notices
from translator.outcomes import Wishes, wishes_of
from translator.resource import Key, Resource
from translator.store import Session
from translator.translate.registry import require_valid, translate
from translator.view import NotLoaded, View

logger = logging.getLogger(__name__)

MAX_ROUNDS = 64
"""Deeper chains of questions than any translation has: beyond it one asks without end."""

LONGEST_FAULT = 500

Failure = TranslationError | ModelError | MalformedObject


class Translated(msgspec.Struct, frozen=True, gc=False):
    """Per resource: what it wants by uuid, what it read, what it noticed, and why it could not be translated.

    `same` are those that want what they wanted before.
    """

    wishes: dict[Key, Mapping[str, Wanted]]
    same: set[Key]
    reads: dict[Key, frozenset[Key]]
    notices: dict[Key, Notices]
    failures: dict[Key, Failure]


class Rounds:
    """Translates resources of one transaction; keeps what it loaded for the next ones.

    `before` are the wishes that the store has: what is as it was needs no check, because it passed one then.
    """

    def __init__(self, session: Session, settings: SettingsRecord, before: Before) -> None:
        self._session = session
        self._settings = settings
        self._before = before
        self._found: dict[Key, Resource | None] = {}
        self._listed: dict[Key, tuple[Resource, ...]] = {}

    def know(self, resources: Mapping[Key, Resource | None]) -> None:
        """Resources that are at hand (None: known to be gone)."""
        self._found.update(resources)

    def found(self, key: Key) -> Resource | None:
        """A resource that is at hand, None if it is known to be gone."""
        return self._found[key]

    def load(self, keys: Iterable[Key]) -> None:
        """Make these single and list keys answerable."""
        single: set[Key] = set()
        for key in keys:
            if not key.endswith("/*"):
                single.add(key)
            elif key not in self._listed:
                kind, namespace, _ = key.split("/")
                self._listed[key] = tuple(self._session.listing(kind, None if namespace == "*" else namespace))
        single.difference_update(self._found)
        if single:
            loaded = self._session.resources(single)
            self._found.update({key: loaded.get(key) for key in single})

    def translate(self, keys: Collection[Key]) -> Translated:
        """Translate these resources; those that are gone want nothing and read nothing."""
        done = Translated({}, set(), {}, {}, {})
        self.load(keys)
        waiting = list(keys)
        for _ in range(MAX_ROUNDS):
            missing: set[Key] = set()
            again = []
            for key in waiting:
                if wants := self._translate(key, done):
                    missing |= wants
                    again.append(key)
            if not again:
                return done
            self.load(missing)
            waiting = again
        raise RuntimeError(f"translation asks without end: {waiting[:3]} want {sorted(missing)[:3]}")

    def _translate(self, key: Key, done: Translated) -> frozenset[Key]:
        """Translate one resource into `done`; returns what must be loaded first, empty if nothing."""
        resource = self._found[key]
        if resource is None:
            done.wishes[key], done.reads[key], done.notices[key] = {}, frozenset(), NONE
            return frozenset()
        view = View(self._settings, self._found, self._listed)
        try:
            wishes = wishes_of(resource, translate(resource, view))
            if self._is_same(key, wishes):
                done.same.add(key)
            done.wishes[key], done.notices[key] = wishes.wanted, wishes.notices
        except NotLoaded as ask:
            return ask.keys
        except (TranslationError, ModelError, MalformedObject) as error:
            done.failures[key] = error
        except Exception as error:  # a fault of ours must cost its resource, and not the partition behind it
            logger.exception("the translation failed, and is to be mended resource=%s", key)
            fault = f"{type(error).__name__}: {error}"[:LONGEST_FAULT]
            done.failures[key] = TranslationError(f"{key}: the translator is at fault, not the resource ({fault})")
        done.reads[key] = frozenset(view.reads)
        return frozenset()

    def _is_same(self, key: Key, wishes: Wishes) -> bool:
        """Whether the resource wants what it wanted before; what is not as it was is checked, and raises ModelError."""
        before = self._before.get(key, {})
        if wishes.digests == before:
            return True
        for uuid, digest in wishes.digests.items():
            if before.get(uuid) != digest:
                require_valid(wishes.desired[uuid])
        return False
