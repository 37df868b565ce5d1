"""Whether Contrail's copy of an object is as it shall be, and what to send if not (pure).

Only fields that we manage count, and of a structured field only the parts that we set: the server fills defaults
and ids into almost everything that it is given.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from schemas.contrail.objects import Json

_EMPTY: tuple[Json, ...] = (None, [], {}, "")
_REFS = "_refs"
_MAP = "key_value_pair"
_SERVERS_KEYS = frozenset({"subnet_uuid"})
"""A list entry of nothing else was put there by the server: a network's reference to a flat IPAM gets one."""


def difference(
    desired: Mapping[str, Json], live: Mapping[str, Json], managed: Iterable[str] = (), linked: Collection[str] = ()
) -> dict[str, Json]:
    """Fields for a PUT that makes `live` as `desired`; empty when it is.

    `desired` and `live` are field -> value as on the wire. Fields of `managed` that `desired` lacks and `live`
    has are cleared. References to the uuids `linked` are Links' affair: they are no difference, and what is sent
    repeats those that are there.
    """
    beside = _linked(desired, live, linked) if linked else {}
    live = {**live, **{name: [ref for ref in live[name] if ref not in refs] for name, refs in beside.items()}}
    body = {name: value for name, value in desired.items() if not is_same(name, value, live.get(name))}
    for name in managed:
        if name not in desired and live.get(name) not in _EMPTY:
            body[name] = [] if name.endswith(_REFS) else None
    for name in body.keys() & beside.keys():
        body[name] = [*body[name], *map(_sent, beside[name])]
    return body


def _linked(desired: Mapping[str, Json], live: Mapping[str, Json], linked: Collection[str]) -> dict[str, list[Json]]:
    """By field, the references of `live` that only Links make."""
    found: dict[str, list[Json]] = {}
    for name in (name for name in live if name.endswith(_REFS)):
        named = [ref["to"] for ref in desired.get(name) or ()]
        if more := [ref for ref in live[name] or () if ref.get("uuid") in linked and ref["to"] not in named]:
            found[name] = more
    return found


def _sent(reference: Mapping[str, Json]) -> dict[str, Json]:
    return {name: reference[name] for name in ("to", "uuid", "attr") if reference.get(name) is not None}


def is_same(name: str, desired: Json, live: Json) -> bool:
    """Whether a field's live value says what the desired one says, beside what the server added."""
    if name.endswith(_REFS):
        return _same_references(desired or [], live or [])
    return _covers(desired, live)


def _same_references(desired: Json, live: Json) -> bool:
    found = {tuple(ref.get("to") or ()): ref for ref in live}
    if len(found) != len(desired):
        return False
    for ref in desired:
        other = found.get(tuple(ref["to"]))
        if other is None or not _covers(ref.get("attr"), other.get("attr")):
            return False
        # The same name under another uuid: the target was made anew, and the reference hangs in the air.
        if ref.get("uuid") and other.get("uuid") and ref["uuid"] != other["uuid"]:
            return False
    return True


def _covers(desired: Json, live: Json) -> bool:
    if isinstance(live, list):
        live = [entry for entry in live if not _is_servers(entry)]
    if desired in _EMPTY:
        return live in _EMPTY or (isinstance(desired, dict) and isinstance(live, dict))
    if isinstance(desired, dict) and isinstance(live, dict):
        return all(
            _as_map(value) == _as_map(live.get(key)) if key == _MAP else _covers(value, live.get(key))
            for key, value in desired.items()
        )
    if isinstance(desired, list) and isinstance(live, list):
        return len(desired) == len(live) and all(map(_covers, desired, live))
    return type(desired) is type(live) and bool(desired == live)


def without_servers(live: Json) -> Json:
    """A live value without the list entries that the server put there: what it would be to desire it so."""
    if isinstance(live, list):
        return [without_servers(entry) for entry in live if not _is_servers(entry)]
    if isinstance(live, dict):
        return {key: without_servers(value) for key, value in live.items()}
    return live


def _is_servers(entry: Json) -> bool:
    return isinstance(entry, dict) and entry.keys() == _SERVERS_KEYS


def _as_map(pairs: Json) -> dict[str, Json]:
    return {pair.get("key"): pair.get("value") for pair in pairs or ()}
