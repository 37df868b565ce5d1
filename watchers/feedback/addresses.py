"""Which status of services and ingresses is to be written, from what is served and what was written (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from watchers.feedback.subject import Subject


@dataclass(frozen=True, slots=True)
class Written:
    """What the object with this uid was told last; `held` names who kept us from it, '' where nobody did."""

    uid: str
    addresses: tuple[str, ...]
    resource_version: str = ""
    held: str = ""


@dataclass(frozen=True, slots=True)
class Announcement:
    """One service or ingress: `subject` is None where there is none of the name any more.

    `ready` are its addresses that Contrail has, `wanted` and `complete` say whether it shall have any and has all.
    `announced` is its status as the watchers told of it at `resource_version`; None where they do not.
    """

    key: str
    subject: Subject | None
    resource_version: str = ""
    announced: tuple[str, ...] | None = None
    wanted: bool = False
    ready: tuple[str, ...] = ()
    complete: bool = True
    written: Written | None = None


@dataclass(frozen=True, slots=True)
class Write:
    """Addresses to be written; none: to be taken back. `again` says that the same was written before.

    `announced` is what the status held at `resource_version`, as far as is known.
    """

    subject: Subject
    addresses: tuple[str, ...]
    again: bool = False
    announced: tuple[str, ...] | None = None
    resource_version: str = ""

    @property
    def is_there(self) -> bool:
        """Whether the status said so before, whoever wrote it."""
        return self.announced is not None and set(self.announced) == set(self.addresses)


@dataclass(frozen=True, slots=True)
class Forget:
    """The object that was told something is gone."""

    key: str


def due(found: Iterable[Announcement]) -> Iterator[Write | Forget]:
    """What is to be done, in the order of what was found."""
    for each in found:
        if (act := _due(each)) is not None:
            yield act


def _due(found: Announcement) -> Write | Forget | None:
    subject, written = found.subject, found.written
    if subject is None:
        return Forget(found.key) if written else None
    mine = written if written is not None and written.uid == subject.uid else None
    if not found.wanted:
        return Write(subject, ()) if mine else Forget(found.key) if written else None
    if not found.ready:
        return None  # one that is made anew comes back, mostly with the address that it had
    if mine is None or mine.held or mine.addresses != found.ready:
        if mine is not None and not mine.held and not found.complete and set(found.ready) < set(mine.addresses):
            return None
        return _write(subject, found, again=mine is not None and mine.addresses == found.ready)
    if found.announced is not None and set(found.announced) != set(found.ready) and _is_later(found, mine):
        return _write(subject, found, again=True)
    return None


def _write(subject: Subject, found: Announcement, *, again: bool) -> Write:
    return Write(subject, found.ready, again, found.announced, found.resource_version)


def _is_later(found: Announcement, written: Written) -> bool:
    """Whether the watchers saw the object after our write."""
    versions = (found.resource_version, written.resource_version)
    return all(version.isdecimal() for version in versions) and int(versions[0]) > int(versions[1])
