"""All objects of the simulated API with their indexes (pure, but it changes): names, parents, references both ways.

It keeps the graph whole and decides nothing: what may be made, changed or deleted is decided by the callers.
"""

from __future__ import annotations

import copy
import uuid as uuids
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from schemas.contrail.shapes import ObjectType
from schemas.contrail.types import TYPES
from simulators.contrail.addressing import Addressing
from simulators.contrail.answers import Json
from simulators.contrail.numbers import Numbers

MakeUuid = Callable[[str], str]
"""Makes the uuid of a new object of the given type, or of a part of one ('subnet', 'policy-rule')."""


def random_uuid(_type: str) -> str:
    """A fresh uuid, as the original makes them."""
    return str(uuids.uuid4())


def now() -> str:
    """The time as the original writes it: UTC, microseconds, no zone."""
    return datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")


@dataclass(slots=True)
class Item:
    """One object. References are field -> target uuid -> attribute, back references type -> uuids of referrers."""

    type: str
    uuid: str
    fq_name: list[str]
    parent_type: str | None
    parent_uuid: str | None
    properties: dict[str, Json]
    references: dict[str, dict[str, Json]] = field(default_factory=dict)
    children: dict[str, dict[str, None]] = field(default_factory=dict)
    back_references: dict[str, dict[str, None]] = field(default_factory=dict)
    relaxed: set[str] = field(default_factory=set)
    """Uuids of referrers that do not keep this object from being deleted."""
    places: dict[str, list[str]] = field(default_factory=dict)
    """Positions of the elements of list properties that were changed one by one."""
    place: str = ""
    """What lists are sorted by, and the marker of a page that ends here."""

    @property
    def name(self) -> str:
        """Last part of the fq_name."""
        return self.fq_name[-1]

    @property
    def known(self) -> ObjectType:
        """Its type in the model."""
        return TYPES[self.type]

    @property
    def last_modified(self) -> str:
        """When it was changed; also its Etag."""
        return str(self.properties["id_perms"]["last_modified"])

    def referred(self, field_name: str) -> str | None:
        """Uuid of the first target of a reference field."""
        return next(iter(self.references.get(field_name, ())), None)


class State:
    """Everything the simulated server knows; `clear` forgets it."""

    def __init__(self, *, make_uuid: MakeUuid = random_uuid, clock: Callable[[], str] = now) -> None:
        self.make_uuid = make_uuid
        self.clock = clock
        self.clear()

    def clear(self) -> None:
        """Begin with nothing at all, not even what a first start makes."""
        self._items: dict[str, Item] = {}
        self._names: dict[str, dict[str, str]] = {type_: {} for type_ in TYPES}
        self._sorted: dict[str, list[Item]] = {}
        self.numbers = Numbers()
        self.addressing = Addressing()
        self.key_values: dict[str, Json] = {}
        self.aaa_mode = "no-auth"

    def copied(self) -> State:
        """A state of its own with the same contents."""
        twin = State(make_uuid=self.make_uuid, clock=self.clock)
        twin.become(self)
        return twin

    def become(self, other: State) -> None:
        """Forget everything, and know what `other` knows; it is not shared."""
        knowledge = {name: value for name, value in vars(other).items() if name not in ("make_uuid", "clock")}
        vars(self).update(copy.deepcopy(knowledge))

    def get(self, uuid: object) -> Item | None:
        """The object with this uuid."""
        return self._items.get(uuid) if isinstance(uuid, str) else None

    def __getitem__(self, uuid: str) -> Item:
        return self._items[uuid]

    def __contains__(self, uuid: str) -> bool:
        return uuid in self._items

    def named(self, type_: str, fq_name: Iterable[str]) -> Item | None:
        """The object of this type and fq_name."""
        uuid = self._names[type_].get(":".join(fq_name))
        return self._items[uuid] if uuid is not None else None

    def of_type(self, type_: str) -> list[Item]:
        """All objects of a type, in the order in which the original lists them: by name, then by uuid."""
        found = self._sorted.get(type_)
        if found is None:
            found = sorted((self._items[uuid] for uuid in self._names[type_].values()), key=lambda item: item.place)
            self._sorted[type_] = found
        return found

    def count(self, type_: str) -> int:
        """Number of objects of a type."""
        return len(self._names[type_])

    def children(self, item: Item, type_: str) -> Iterator[Item]:
        """Children of one type, oldest first."""
        return (self._items[uuid] for uuid in item.children.get(type_, ()) if uuid in self._items)

    def referrers(self, item: Item, type_: str) -> Iterator[Item]:
        """Objects of one type that refer to this one, by uuid."""
        return (self._items[uuid] for uuid in sorted(item.back_references.get(type_, ())))

    def add(self, item: Item) -> None:
        """Take in a new object with its references."""
        joined = ":".join(item.fq_name)
        item.place = f"{joined}:{item.uuid}"
        self._items[item.uuid] = item
        self._names[item.type][joined] = item.uuid
        self._sorted.pop(item.type, None)
        if item.parent_uuid is not None:
            self._items[item.parent_uuid].children.setdefault(item.type, {})[item.uuid] = None
        for targets in item.references.values():
            for target in targets:
                self._note(item, target)

    def remove(self, item: Item) -> None:
        """Forget an object, and every reference from and to it; its children become orphans."""
        del self._items[item.uuid]
        del self._names[item.type][":".join(item.fq_name)]
        self._sorted.pop(item.type, None)
        parent = self.get(item.parent_uuid)
        if parent is not None:
            parent.children[item.type].pop(item.uuid, None)
        for targets in item.references.values():
            for target in targets:
                self._forget(item, target)
        for referrers in item.back_references.values():
            for referrer in referrers:
                for targets in self._items[referrer].references.values():
                    targets.pop(item.uuid, None)

    def refer(self, item: Item, field_name: str, target: str, attr: Json) -> None:
        """Add a reference, or give it this attribute."""
        item.references.setdefault(field_name, {})[target] = attr
        self._note(item, target)

    def unrefer(self, item: Item, field_name: str, target: str) -> None:
        """Take a reference away, if it is there."""
        targets = item.references.get(field_name, {})
        if target in targets:
            del targets[target]
            self._forget(item, target)

    def replace_references(self, item: Item, field_name: str, wanted: dict[str, Json]) -> None:
        """Make these the references of one field."""
        for target in [t for t in item.references.get(field_name, ()) if t not in wanted]:
            self.unrefer(item, field_name, target)
        for target, attr in wanted.items():
            self.refer(item, field_name, target, attr)

    def touch(self, item: Item) -> None:
        """Note that an object was changed."""
        item.properties["id_perms"]["last_modified"] = self.clock()

    def _note(self, item: Item, target: str) -> None:
        self._items[target].back_references.setdefault(item.type, {})[item.uuid] = None

    def _forget(self, item: Item, target: str) -> None:
        if any(target in targets for targets in item.references.values() if item.uuid in self._items):
            return  # still referred to by another field
        found = self._items.get(target)
        if found is not None:
            found.back_references.get(item.type, {}).pop(item.uuid, None)
            found.relaxed.discard(item.uuid)
