"""Pods of one namespace, found by their tags and addresses without looking at each of them every time (pure).

Two heads with blocks ask for the same pods once for each of their meetings: hundreds of times ten thousand.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import cast

from schemas.records import PodRecord
from translator.policy import blocks
from translator.policy.model import Tags
from translator.resource import Resource
from translator.translate import tags


class OwnPods:
    """`holders` are uids of the pods that have each membership tag; it may grow."""

    def __init__(self, pods: Iterable[Resource], holders: Mapping[str, Set[str]]) -> None:
        self._addresses: list[tuple[str, ...]] = []
        self._with: dict[tuple[str, str], set[int]] = {}
        self._places: dict[str, int] = {}
        self._holders = holders
        self._members: dict[str, set[int]] = {}
        self._inside: dict[tuple[str, ...], dict[int, tuple[str, ...]]] = {}
        for place, pod in enumerate(pods):
            record = cast(PodRecord, pod.body)
            self._addresses.append(record.pod_ips)
            self._places[pod.uid] = place
            for key, value in record.labels.items():
                self._with.setdefault((f"{tags.POD}.{key}", value), set()).add(place)

    def addresses(self, wanted: Tags, cidrs: tuple[str, ...]) -> list[str]:
        """Addresses in these prefixes of the pods that carry these tags."""
        inside = self._inside.get(cidrs)
        if inside is None:
            inside = self._inside[cidrs] = dict(self._in(cidrs))
        carrying = [*(self._with.get(label, set()) for label in wanted.labels), *map(self._having, wanted.members)]
        places = inside.keys() if not carrying else set.intersection(*carrying) & inside.keys()
        return [address for place in places for address in inside[place]]

    def _in(self, cidrs: tuple[str, ...]) -> Iterable[tuple[int, tuple[str, ...]]]:
        for place, addresses in enumerate(self._addresses):
            if found := tuple(each for each in addresses if blocks.covers_address(cidrs, each)):
                yield place, found

    def _having(self, text: str) -> set[int]:
        if text not in self._members:
            self._members[text] = {self._places[uid] for uid in self._holders[text] if uid in self._places}
        return self._members[text]
