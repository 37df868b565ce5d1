"""Files to documents, as kubectl reads them: YAML, several documents to a file, or JSON, one value after another."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any

import yaml

from schemas.errors import SettingsError

Json = Any
_SPACE = " \t\r\n"


def documents(path: Path) -> Iterator[tuple[str, Json]]:
    """Each document of the file that is not empty, with the words that name it; raises SettingsError."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        found = _json(text) if text.lstrip(_SPACE).startswith("{") else None
        loaded = list(yaml.load_all(text, Loader=_Loader)) if found is None else found
    except (yaml.YAMLError, UnicodeDecodeError, OSError, RecursionError) as error:
        raise SettingsError(f"{path}: cannot be read as YAML or JSON: {' '.join(str(error).split())}") from error
    for number, document in enumerate(loaded, 1):
        place = f"{path}, document {number}" if len(loaded) > 1 else str(path)
        if document is not None:
            yield place, document


def _json(text: str) -> list[Json] | None:
    """The values of a text that is JSON, where tabs may stand; None for YAML that begins alike."""
    decoder, found, start = json.JSONDecoder(object_pairs_hook=_mapping), [], 0
    while rest := text[start:].lstrip(_SPACE):
        try:
            value, end = decoder.raw_decode(rest)
        except ValueError:
            return None
        found.append(value)
        start = len(text) - len(rest) + end
    return found


def _mapping(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise yaml.YAMLError(f"key {min(key for key in keys if keys.count(key) > 1)!r} stands twice in one mapping")
    return found


class _Loader(yaml.SafeLoader):
    """YAML as Kubernetes reads it: a date is a text, and a key that stands twice is a fault, not a choice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """A mapping whose keys differ."""
        keys = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        if twice := {key for key in keys if isinstance(key, Hashable) and keys.count(key) > 1}:
            raise yaml.YAMLError(f"key {min(map(str, twice))!r} stands twice in one mapping{node.start_mark}")
        return super().construct_mapping(node, deep=deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
