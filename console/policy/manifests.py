"""Manifests as kubectl takes them: YAML or JSON, several documents, lists; what they say of pods and policies.

Reads files. Each object goes through the watchers' own normalizer, so that it means here what it means on the bus. A
Deployment, StatefulSet or another maker of pods counts as one pod of its name. A fault is a SettingsError that names
the file, the document, the object and the field.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from console.policy.documents import documents
from console.policy.fields import of_object, unknown
from console.policy.picture import KINDS, Given, made_up_uid
from schemas.errors import MalformedObject, SettingsError
from schemas.records import NetworkPolicyRecord, PodRecord, Record
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
        for place, document in documents(path):
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


def _whole(document: Json, place: str, note: Note) -> list[Given]:
    try:
        return list(_objects(document, place, note))
    except RecursionError:  # an alias of what it is in
        raise SettingsError(f"{place}: is nested too deep, or holds itself") from None


def _objects(document: Json, place: str, note: Note) -> Iterator[Given]:
    """What a document holds of the kinds that count; others are passed over, as kubectl would take them elsewhere."""
    if not isinstance(document, dict) or not isinstance(document.get("kind"), str) or not document["kind"]:
        raise SettingsError(f"{place}: is no Kubernetes object; accepted is one with apiVersion, kind and metadata")
    kind = document["kind"]
    if kind.endswith("List") and isinstance(document.get("items"), list):
        for number, item in enumerate(document["items"]):
            inner = {"kind": kind.removesuffix("List"), **item} if isinstance(item, dict) else item
            yield from _objects(inner, f"{place}, items[{number}]", note)
        return
    if kind in WITH_TEMPLATE:
        _require_known(of_object(document), kind, place)
        document, kind = _pod_of(document, place), "Pod"
    known = _OF_KIND.get(kind)
    version = document.get("apiVersion", known.api_version if known is not None else "")
    if known is not None and version == known.api_version:
        _require_known(of_object(document), kind, place)
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
    if kind.name.endswith(_POLICY):
        _require_known(unknown(kind.input, "spec", raw.get("spec")), label, place)
    assert seen.record is not None
    _require_sound(seen.record, label, place)
    return Given(kind.name, seen.key.namespace, seen.key.name, seen.uid, seen.record, place, written)


def _require_known(odd: Iterator[str], label: str, place: str) -> None:
    if (first := next(odd, None)) is not None:
        raise SettingsError(f"{place}: {label}: {first} is no field of a {label.partition(' ')[0]}")


def _require_sound(record: Record, label: str, place: str) -> None:
    """What an API server would not have taken, and a normalizer does not see."""
    try:
        msgspec.json.encode([label, record])
    except UnicodeEncodeError as error:
        raise SettingsError(f"{place}: holds a text that is no Unicode: {error}") from error
    for each in record.pod_ips if isinstance(record, PodRecord) else ():
        try:
            ipaddress.ip_address(each)
        except ValueError as error:
            raise SettingsError(f"{place}: {label}: status.podIPs: {error}") from error
    if isinstance(record, NetworkPolicyRecord):
        names = [port.port_name for rule in (*record.ingress, *record.egress) for port in rule.ports]
        if quoted := [name for name in names if name.isdigit()]:
            raise SettingsError(
                f"{place}: {label}: a port is the text {quoted[0]!r}; accepted is the number without quotes, or a name"
            )


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
