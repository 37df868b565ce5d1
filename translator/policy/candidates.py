"""Which decisions of a run can meet one of the other direction, without asking each (pure).

Two values of one label are never on one pod. So of many decisions about pods of many labels few can meet another one,
and they are found by a label: a namespace of a thousand policies would else ask each of each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from translator.policy.model import NO_TAGS, Decision, Tags


class Candidates:
    """Decisions of a run that concern pods of the own namespace as peers, in their order."""

    def __init__(self, run: Sequence[Decision]) -> None:
        self._run = [each for each in run if each.peer.here is not None]
        self._by_own = _ByLabel([each.own for each in self._run])
        self._by_peer = _ByLabel([each.peer.here or NO_TAGS for each in self._run])

    def of(self, one: Decision) -> Iterator[Decision]:
        """All that have own pods among the peers of `one`, and peers among its own pods; perhaps some more."""
        found = [*self._by_own.carrying(one.peer.here or NO_TAGS), *self._by_peer.carrying(one.own)]
        if not found:
            return iter(self._run)
        fewest = min(found, key=lambda places: sum(map(len, places)))
        return (self._run[place] for place in sorted(place for places in fewest for place in places))


class _ByLabel:
    """Places of tags by the labels in them."""

    def __init__(self, every: Sequence[Tags]) -> None:
        self._with: dict[str, dict[str, list[int]]] = {}
        for place, tags in enumerate(every):
            for key, value in tags.labels:
                self._with.setdefault(key, {}).setdefault(value, []).append(place)
        self._without = {key: self._lacking(key, len(every)) for key in self._with}

    def carrying(self, wanted: Tags) -> Iterator[tuple[list[int], list[int]]]:
        """For each label in question: who demands this value of it, and who demands none."""
        for key, value in wanted.labels:
            if key in self._with:
                yield self._with[key].get(value, []), self._without[key]

    def _lacking(self, key: str, number: int) -> list[int]:
        held = {place for places in self._with[key].values() for place in places}
        return [place for place in range(number) if place not in held]
