"""Sub-interfaces of nested pods: below which interface, and under which tag (shell).

What was given is kept, and what Contrail has counts more: a pod that runs is tagged so. So Contrail is asked which tags
are in use below a parent before one is given out; that also finds those of strangers, and those that a store which was
lost had given.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

from applier.client import ContrailClient
from applier.outcome import Call, Outcome, Verdict, classify
from applier.rows import Row
from applier.sub_interface import (
    INTERFACE,
    PROPERTIES,
    Place,
    is_tag_refused,
    live_place,
    place_of,
    placed,
    tag_of,
)
from applier.trunks import Parent, Trunks
from applier.vlan_tags import VlanTags
from schemas.contrail.objects import ContrailObject, Json
from schemas.contrail.trunk import LAST_TAG, Trunk

T = TypeVar("T")
Tags = Mapping[str, int]
"""Tags in use below a parent, by the uuid of the sub-interface."""


class SubInterfaces:
    """Places of sub-interfaces; raises ContrailUnavailable and StoreUnavailable. Thread-safe."""

    def __init__(
        self,
        client: ContrailClient,
        *,
        trunks: Trunks,
        tags: VlanTags,
        remember: float = 300.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._trunks = trunks
        self._tags = tags
        self._remember = remember
        self._clock = clock
        self._lock = threading.Lock()
        self._in_use: dict[str, tuple[float, Tags]] = {}

    def made(
        self, row: Row, desired: ContrailObject, make: Callable[[ContrailObject], T], outcome_of: Callable[[T], Outcome]
    ) -> T | Outcome:
        """What `make` says to the interface with its place; another tag is tried when Contrail knows of a stranger."""
        assert desired.trunk is not None
        found: T | Outcome = self.placed(row, desired, make)
        if not isinstance(found, Outcome):
            outcome = outcome_of(found)
            if is_tag_refused(outcome):
                return self.placed(row, desired, make, afresh=True)
            if outcome.verdict is Verdict.WAIT:
                self._trunks.forget(desired.trunk)  # perhaps it is the parent that is missing
        return found

    def placed(
        self, row: Row, desired: ContrailObject, make: Callable[[ContrailObject], T], *, afresh: bool = False
    ) -> T | Outcome:
        """The same once; `afresh` asks Contrail for the tags in use even if they are remembered."""
        assert desired.trunk is not None
        place = self._claim(row, desired.trunk, afresh=afresh)
        return place if isinstance(place, Outcome) else make(placed(desired, place))

    def as_it_is(self, row: Row, desired: ContrailObject, live: Mapping[str, Json]) -> ContrailObject | Outcome:
        """The interface with the place that it was made with in Contrail, where no pod can have another yet."""
        there = live_place(live)
        if there is None:
            reason = f"{row.label} is in Contrail, but below no interface: its pod must be made anew"
            return Outcome(Verdict.REFUSED, reason)
        if there == place_of(desired):
            return desired
        tag = self._tags.claim(row.uuid, there.parent_uuid, there.parent_name, taken=(), there=there.tag)
        if tag is None:
            return _given_away(row, there.tag)
        return placed(desired, there)

    def _claim(self, row: Row, trunk: Trunk, *, afresh: bool) -> Place | Outcome:
        parent = self._trunks.find(trunk)
        if isinstance(parent, Outcome):
            return _waiting(parent)
        for ask in (afresh, True):
            in_use = self._tags_below(parent, afresh=ask)
            if isinstance(in_use, Outcome):
                return in_use
            taken = {tag for uuid, tag in in_use.items() if uuid != row.contrail_uuid}
            there = in_use.get(row.contrail_uuid)
            tag = self._tags.claim(row.uuid, parent.uuid, parent.name, taken=taken, there=there)
            if tag is not None:
                return Place(parent.uuid, parent.name, tag)
            if there is not None:
                return _given_away(row, there)
        reason = f"no VLAN tag is left: all {LAST_TAG:,} of {parent.name}, which carries node {trunk.node}, are in use"
        return Outcome(Verdict.FULL, reason)

    def _tags_below(self, parent: Parent, *, afresh: bool) -> Tags | Outcome:
        with self._lock:
            until, known = self._in_use.get(parent.uuid, (float("-inf"), {}))
        if self._clock() < until and not afresh:
            return known
        answer = self._client.read_many(INTERFACE, fields=(PROPERTIES,), referring_to=parent.uuid)
        outcome = classify(Call.LOOKUP, answer)
        if outcome.verdict is not Verdict.DONE:
            return outcome
        tags = {str(i["uuid"]): tag for i in answer.json[f"{INTERFACE}s"] if (tag := tag_of(i)) is not None}
        with self._lock:
            self._in_use[parent.uuid] = (self._clock() + self._remember, tags)
        return tags


def _given_away(row: Row, tag: int) -> Outcome:
    return Outcome(Verdict.RETRY, f"{row.label} has VLAN {tag} in Contrail, which the store has given to another")


def _waiting(missing: Outcome) -> Outcome:
    """For what is to be made, an absent parent is something to wait for."""
    return replace(missing, verdict=Verdict.WAIT, foreign=True) if missing.verdict is Verdict.GONE else missing
