"""Histories from states: what a case is after every way to come there, as Felix expands its calculation-graph tests.

A state is the resources that exist, in the order in which they are told. `check` goes through the states in order,
with each state told backwards, backwards through the states, with nothing in between, alone, and squashed into one
batch; wherever a state is reached, the store holds the same rows, and a simulated Contrail has taken every step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import msgspec

from schemas.contrail.objects import ContrailObject
from schemas.events import ChangeEvent, Op, change
from schemas.identity import ResourceKey
from schemas.records import SettingsRecord
from tests.translator.contrail import FollowingContrail
from tests.translator.facts import SETTINGS, SOURCE
from tests.translator.rows import Dump, MemoryBackend
from tests.translator.world import World

State = tuple[ChangeEvent, ...]
Told = tuple[ChangeEvent, ...]
"""One thing that happened: an event, or a delete and the create of the successor, which no order can part."""

SQUASHED = "squashed"
LASTING = ("objects", "sources", "edges", "reads", "notices")
"""Tables that do not depend on the way."""


def check(
    *states: State,
    settings: SettingsRecord = SETTINGS,
    there: Iterable[Iterable[ContrailObject]] = (),
    follow: bool = True,
) -> None:
    """Every state is the same whatever the way; `there` is what Contrail has from others, `follow` asks it too."""
    there = [tuple(group) for group in there]
    every = (*states, ())
    alone = [rows(state, settings=settings) for state in every]
    for way, visited in ways(len(states)):
        history = History(settings)
        contrail = FollowingContrail(*there) if follow else None
        for number in visited[:-1] if way == SQUASHED else ():
            history.become(every[number], squashed=True)
        for number in visited[-1:] if way == SQUASHED else visited:
            history.become(every[number], backwards=way == "backwards inside")
            if contrail is not None:
                contrail.follow(history.backend.store)
            _require_same(f"{way}, state {number}", history.dump(), alone[number])


def check_leavers(state: State, **more: object) -> None:
    """What stays is as if the leaver had never been: {A, B} to {B} for every A, and back."""
    for leaver in state:
        rest = tuple(each for each in state if each is not leaver)
        check(state, rest, state, **more)  # type: ignore[arg-type]


def ways(states: int) -> Iterator[tuple[str, list[int]]]:
    """Name of each way and the numbers of the states that it visits; the one behind the last is the empty state."""
    numbers = list(range(states))
    yield "in order", numbers
    yield "backwards inside", numbers
    yield "backwards", numbers[::-1]
    yield "with nothing in between", [each for number in numbers for each in (number, states)]
    for number in numbers:
        yield "alone", [number]
    yield SQUASHED, numbers


def rows(state: State, *, settings: SettingsRecord = SETTINGS) -> Dump:
    """Rows of a store that was told this state in one batch, and nothing else."""
    history = History(settings)
    history.become(state, squashed=True)
    history.become(state)
    return history.dump()


class History:
    """A store with its bootstrap objects, and the state that it was told last."""

    def __init__(self, settings: SettingsRecord = SETTINGS) -> None:
        self.backend = MemoryBackend()
        self._world = World(self.backend.store, settings=settings, with_settings=True)
        self._now: dict[ResourceKey, ChangeEvent] = {}
        self._held: list[ChangeEvent] = []
        self._version = 0

    def become(self, state: State, *, backwards: bool = False, squashed: bool = False) -> None:
        """Tell what leads to this state, each event in a batch of its own; `squashed` holds it back for the next."""
        told = list(self._difference(state))
        if backwards:
            told.reverse()
        events = [self._at(event) for group in told for event in group]
        if squashed or self._held:
            self._held += events
        else:
            self._world.tell_each(events)
        if self._held and not squashed:
            self._world.tell(*self._held)
            self._held = []

    def switch(self, settings: SettingsRecord) -> None:
        """Go on with other settings, like a translator that is started again with them."""
        self._world = World(self.backend.store, settings=settings, with_settings=True)
        self._world.renew()

    def dump(self) -> Dump:
        """The tables that do not depend on the way, without generations and without what is absent."""
        dump = self.backend.dump()
        alive = {uuid: row[:6] for uuid, row in dump["objects"].items() if not row[7]}
        edges = {edge: True for edge in dump["edges"] if edge[0] in alive}
        same = {table: dump[table] for table in ("sources", "reads", "notices")}
        return {"objects": alive, "edges": edges, **same}

    def changes(self, act: Callable[[], object]) -> list[tuple[str, str]]:
        """What the act writes: (op, type) of every changed object, in order."""
        before = set(self.backend.store.tables.diffs)
        act()
        diffs = self.backend.store.tables.diffs
        return [(diffs[key].op, diffs[key].row.type) for key in diffs if key not in before]

    def notices(self) -> dict[tuple[str, str], str]:
        """Messages by (about, reason)."""
        return {place[1:]: message for place, (message, _) in self.backend.dump()["notices"].items()}

    def errors(self) -> list[str]:
        """Texts of the open dead letters."""
        return [x.letter.error for x in self.backend.store.tables.letters.values() if not x.resolved]

    def _difference(self, state: State) -> Iterator[Told]:
        wanted = {event.key: event for event in state}
        for key, event in list(self._now.items()):
            if key not in wanted:
                yield (_gone(event),)
        for key, event in wanted.items():
            old = self._now.get(key)
            if old is not None and old.uid != event.uid:
                yield _gone(old), event
            elif old is None or old.body != event.body:
                yield (event,)
        self._now = wanted

    def _at(self, event: ChangeEvent) -> ChangeEvent:
        self._version += 1
        return msgspec.structs.replace(event, resource_version=str(self._version))


def _gone(event: ChangeEvent) -> ChangeEvent:
    return change(op=Op.DELETE, epoch=1, key=event.key, uid=event.uid, resource_version="0", source=SOURCE, body=None)


def _require_same(way: str, found: Dump, wanted: Dump) -> None:
    for table in LASTING:
        assert found[table] == wanted[table], f"{way}: {table}"
