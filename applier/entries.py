"""One entry among those of others in a property of an object that is not ours: whether it is there, and what to write
if the property can be written as a whole only (pure).

Entries of others are repeated as they are, in their order, whatever is in them. Of ours only the key decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from applier.compare import is_same
from schemas.contrail.entries import EntryRule, entry_rule
from schemas.contrail.objects import Entry, Json

Elements = Sequence[Mapping[str, Json]]


@dataclass(frozen=True, slots=True)
class Held:
    """Another entry that ours cannot be beside: its key, and what both would be."""

    key: str
    what: str


def rule_of(entry: Entry) -> EntryRule:
    """How the entries of its property are told apart."""
    return entry_rule(entry.owner_type, entry.property_name)


def elements(entry: Entry, live: Json) -> list[Mapping[str, Json]]:
    """All entries of the property, given its value as Contrail has it."""
    return [each for each in (live or {}).get(rule_of(entry).items) or () if each is not None]


def is_there(entry: Entry, found: Elements) -> bool:
    """Whether the entry is among these as it shall be; told by position it is, by whatever position it has."""
    return any(_is_equal(entry, each) for each in _of_its_key(entry, found))


def is_absent(entry: Entry, found: Elements) -> bool:
    """Whether none of these has the entry's key."""
    return not _of_its_key(entry, found)


def differing(entry: Entry, found: Elements) -> Mapping[str, Json] | None:
    """What has the entry's key and says something else; None where there is no such, or no key in what it says."""
    if not rule_of(entry).key:
        return None
    return next((each for each in _of_its_key(entry, found) if not _is_equal(entry, each)), None)


def holder(entry: Entry, found: Elements) -> Held | None:
    """The entry of another key that takes ours its place."""
    rule = rule_of(entry)
    mine = tuple(entry.value.get(name) for name in rule.distinct)
    for each in found if mine else ():
        key = each.get(rule.key)
        if key != entry.key and tuple(each.get(name) for name in rule.distinct) == mine:
            return Held(str(key), ":".join(map(str, mine)))
    return None


def with_entry(entry: Entry, live: Json) -> dict[str, Json] | None:
    """The whole property with the entry, once, where it was or at the end; None if it is so."""
    found, rule = elements(entry, live), rule_of(entry)
    same = _of_its_key(entry, found)
    if len(same) == 1 and _is_equal(entry, same[0]):
        return None
    kept = [each for each in found if each.get(rule.key) != entry.key]
    at = found.index(same[0]) if same else len(kept)
    return {**(live or {}), rule.items: [*kept[:at], dict(entry.value), *kept[at:]]}


def without_entry(entry: Entry, live: Json) -> dict[str, Json] | None:
    """The whole property without the entry; None if it is so."""
    found, rule = elements(entry, live), rule_of(entry)
    kept = [each for each in found if each.get(rule.key) != entry.key]
    return None if len(kept) == len(found) else {**(live or {}), rule.items: kept}


def _of_its_key(entry: Entry, found: Elements) -> list[Mapping[str, Json]]:
    key = rule_of(entry).key
    return [each for each in found if (each.get(key) == entry.key if key else _is_equal(entry, each))]


def _is_equal(entry: Entry, element: Mapping[str, Json]) -> bool:
    return is_same(entry.property_name, dict(entry.value), dict(element))
