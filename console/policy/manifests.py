"""Manifests as kubectl takes them: YAML or JSON, several documents, lists; what they say of pods and policies.

Reads files. Each object goes through the watchers' own normalizer, so that it means here what it means on the bus. A
Deployment, StatefulSet or another maker of pods counts as one pod of its name. A fault is a SettingsError that names
the file, the document, the object and the field.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml

from console.policy.fields import unknown
from console.policy.picture import KINDS, Given, made_up_uid
from schemas.errors import MalformedObject, SettingsError
from watchers.kinds import KINDS as WATCHED
from watchers.kinds import Kind, observe

SUFFIXES = (".yaml", ".yml", ".json")
WITH_TEMPLATE = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job", "CronJob")
"""Kinds that hold the template of their pods."""
_OF_KIND: Mapping[str, Kind] = {kind.name: kind for kind in WATCHED if kind.name in KINDS}
_DIRECTIONS = ("ingress", "egress")
_POLICY = "NetworkPolicy"
"""What a kind's name ends with whose fields must all be known."""
Json = Any
Note = Callable[[str], None]


def read(paths: Iterable[Path], *, note: Note = lambda text: None) -> list[Given]:
    """What the files and directories say, directories with all that is below them; each object once.

    `note` is told of policies that are none of Kubernetes' own, and are passed over.
    """
    found: dict[tuple[str, str, str], Given] = {}
    for path in _files(paths):
        for place, document in _documents(path):
            for given in _whole(document, place, note):
                key = (given.kind, given.namespace, given.name)
                if key in found:
                    raise SettingsError(f"{given.origin}: {given.label} is in {found[key].origin} already")
                found[key] = given
    return list(found.values())


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            inside = sorted(each for each in path.rglob("*") if each.suffix in SUFFIXES and each.is_file())
            if not inside:
                raise SettingsError(f"{path}: holds no {', '.join(SUFFIXES)}")
            yield from inside
        elif path.exists():
            yield path
        else:
            raise SettingsError(f"{path}: no such file or directory")


def _documents(path: Path) -> Iterator[tuple[str, Json]]:
    """Each document that is not empty, with the words that name it."""
    try:
        loaded = list(yaml.load_all(path.read_text(encoding="utf-8"), Loader=_Loader))
    except (yaml.YAMLError, UnicodeDecodeError, OSError, RecursionError) as error:
        raise SettingsError(f"{path}: cannot be read as YAML or JSON: {' '.join(str(error).split())}") from error
    for number, document in enumerate(loaded, 1):
        place = f"{path}, document {number}" if len(loaded) > 1 else str(path)
        if document is not None:
            yield place, document


def _whole(document: Json, place: str, note: Note) -> list[Given]:
    try:
        return list(_objects(document, place, note))
    except RecursionError:  # an alias of what it is in
        raise SettingsError(f"{place}: is nested too deep, or holds itself") from None


def _objects(document: Json, place: str, note: Note) -> Iterator[Given]:
    """What a document holds of the kinds that count; others are passed over, as kubectl would take them elsewhere."""
    if not isinstance(document, dict) or not isinstance(document.get("kind"), str):
        raise SettingsError(f"{place}: is no Kubernetes object; accepted is one with apiVersion, kind and metadata")
    kind = document["kind"]
    if kind.endswith("List") and isinstance(document.get("items"), list):
        for number, item in enumerate(document["items"]):
            inner = {"kind": kind.removesuffix("List"), **item} if isinstance(item, dict) else item
            yield from _objects(inner, f"{place}, items[{number}]", note)
        return
    if kind in WITH_TEMPLATE:
        document, kind = _pod_of(document, place), "Pod"
    known = _OF_KIND.get(kind)
    version = document.get("apiVersion", known.api_version if known is not None else "")
    if known is not None and version == known.api_version:
        yield _given(known, document, place)
    elif known is not None and known.group == str(version).rpartition("/")[0]:
        raise SettingsError(f"{place}: {kind} has apiVersion {version!r}; accepted is {known.api_version}")
    elif kind.endswith(_POLICY):
        note(f"{place}: {kind} of {version!r} is passed over" + (f": not {known.api_version}" if known else ""))


def _given(kind: Kind, document: dict[str, Json], place: str) -> Given:
    raw = dict(document)
    meta: dict[str, Json] = raw["metadata"] if isinstance(raw.get("metadata"), dict) else {}
    generated = meta.get("generateName")
    name = meta.get("name") or (generated.rstrip("-") if isinstance(generated, str) else "")
    namespace = meta.get("namespace") or ("default" if kind.namespaced else "")
    label = f"{kind.name} {namespace}/{name}" if kind.namespaced else f"{kind.name} {name}"
    raw["metadata"] = {
        "uid": made_up_uid(label),
        **meta,
        "name": name,
        "namespace": namespace if kind.namespaced else "",
    }
    try:
        seen = observe(kind, _input(kind, raw))
        written = {way: _written(kind, raw, way) for way in _DIRECTIONS} if kind.name.endswith(_POLICY) else {}
    except (MalformedObject, msgspec.ValidationError) as error:
        text = str(error) if isinstance(error, MalformedObject) else f"{label}: {error}"
        raise SettingsError(f"{place}: {text}") from error
    if kind.name.endswith(_POLICY) and (odd := next(unknown(kind.input, "spec", raw.get("spec")), None)):
        raise SettingsError(f"{place}: {label}: {odd} is no field of a {kind.name}")
    assert seen.record is not None
    return Given(kind.name, seen.key.namespace, seen.key.name, seen.uid, seen.record, place, written)


def _written(kind: Kind, raw: dict[str, Json], way: str) -> tuple[int, ...]:
    """For each rule of the record, the place of the first rule of the manifest that says the same."""
    spec = raw.get("spec") or {}
    rules = spec.get(way) or []
    alone = [{**spec, "ingress": None, "egress": None, way: [rule]} for rule in rules]
    records = [getattr(observe(kind, _input(kind, {**raw, "spec": each})).record, way) for each in alone]
    whole = getattr(observe(kind, _input(kind, raw)).record, way)
    return tuple(records.index((rule,)) for rule in whole)


def _input(kind: Kind, raw: dict[str, Json]) -> Any:
    return msgspec.convert(raw, kind.input)


def _pod_of(document: dict[str, Json], place: str) -> dict[str, Json]:
    """The one pod that stands for all that a workload makes."""
    meta, spec = _part(document, "metadata", place), _part(document, "spec", place)
    if document["kind"] == "CronJob":
        spec = _part(_part(spec, "jobTemplate", place), "spec", place)
    template = _part(spec, "template", place)
    inner = _part(template, "metadata", place)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**inner, "name": meta.get("name", ""), "namespace": meta.get("namespace", "")},
        "spec": _part(template, "spec", place),
    }


def _part(of: dict[str, Json], name: str, place: str) -> dict[str, Json]:
    """A field that is a mapping, {} where it is absent."""
    found = of.get(name) or {}
    if not isinstance(found, dict):
        raise SettingsError(f"{place}: {name} is {str(found)[:100]!r}; accepted is a mapping")
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
