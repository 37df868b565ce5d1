"""The golden pairs: a realistic object of each kind as the API server writes it, and the record that it becomes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import yaml

from schemas.records import RECORD_OF_KIND, Record
from watchers.decoding import Change, Decoding, Event
from watchers.kinds import BUILT_IN, OPTIONAL, Observed

Json = dict[str, Any]
ALL = {kind.name: kind for kind in (*BUILT_IN, *OPTIONAL)}
DECODINGS = {name: Decoding(kind) for name, kind in ALL.items()}


@dataclass(frozen=True, slots=True)
class Pair:
    """Of the record the file names what differs from the defaults."""

    name: str
    kind: str
    object: Json
    record: Record


def pairs() -> list[Pair]:
    """All golden pairs, by file."""
    return [_pair(path) for path in sorted((Path(__file__).parent / "golden").glob("*.yaml"))]


def _pair(path: Path) -> Pair:
    text = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)
    kind = text.get("kind", text["object"]["kind"])
    return Pair(path.stem, kind, text["object"], msgspec.convert(text["record"], RECORD_OF_KIND[kind]))


def event(kind: str, thing: Json) -> Event:
    """What a watch line with the object says."""
    return DECODINGS[kind].line(msgspec.json.encode({"type": "MODIFIED", "object": thing}))


def observed(kind: str, thing: Json) -> Observed:
    """The object as it is observed; fails where it is malformed."""
    said = event(kind, thing)
    assert isinstance(said, Change), said
    return said.observed


def refusal(kind: str, thing: Json) -> str:
    """Why the object is malformed; fails where it is not."""
    said = event(kind, thing)
    assert not isinstance(said, Change), said
    return str(getattr(said, "reason", said))
