"""Golden pairs of translation: what is given, and what is wanted for one resource, as YAML beside this file.

`python -m tests.translator.golden` writes the wanted parts anew; a changed one is read before it is committed.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec
import yaml

from schemas.contrail.objects import Desired
from tests.translator.facts import SETTINGS
from translator.notice import Notice, objects_of
from translator.resource import (
    BODY_OF_KIND,
    NOWHERE,
    Cause,
    Key,
    Resource,
    canonical,
    digest_of,
    key_of,
    list_key,
    list_keys,
)
from translator.translate.registry import require_valid, translate
from translator.view import View

FOLDER = Path(__file__).with_name("golden")
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's where it is there: the other one took longer than what is tested."""


def resource(kind: str, namespace: str, name: str, *, uid: str = "", body: dict[str, Any] | None = None) -> Resource:
    """A resource from plain values."""
    record = msgspec.convert(body or {}, BODY_OF_KIND[kind])
    text = canonical(record)
    return Resource(
        kind=kind,
        namespace=namespace,
        name=name,
        api_version="v1",
        uid=uid,
        resource_version="1",
        epoch=1,
        body=record,
        text=text,
        digest=digest_of(text),
        cause=Cause(NOWHERE),
    )


def given(case: dict[str, Any]) -> tuple[Resource, View]:
    """The case's resource, and a view of all that it gives."""
    settings = msgspec.structs.replace(SETTINGS, **_tuples(case.get("settings", {})))
    resources: dict[Key, Resource | None] = {}
    for each in case["given"]:
        body = {**msgspec.to_builtins(settings)} if each["kind"] == "Settings" else each.get("body")
        found = resource(each["kind"], each.get("namespace", ""), each["name"], uid=each.get("uid", ""), body=body)
        resources[found.key] = found
    for absent in case.get("absent", []):
        resources[key_of(*absent.split("/"))] = None
    subject = resources[Key(case["translate"])]
    assert subject is not None
    known = [each for each in resources.values() if each is not None]
    spaces = {None, *(each.home for each in known)}
    listed: dict[Key, tuple[Resource, ...]] = {list_key(kind, space): () for kind in BODY_OF_KIND for space in spaces}
    for found in sorted(known, key=lambda each: (each.namespace, each.name)):
        for key in list_keys(found.key):
            listed[key] = (*listed.get(key, ()), found)
    return subject, View(settings, resources, listed)


def wanted(case: dict[str, Any]) -> tuple[list[dict[str, Any]], list[str], list[dict[str, Any]]]:
    """What the translation gives, as plain values, what it read, and what it noticed."""
    subject, view = given(case)
    outcome = translate(subject, view)
    objects = objects_of(outcome)
    for each in objects:
        require_valid(each)
    notices = [msgspec.to_builtins(each) for each in outcome if isinstance(each, Notice)]
    return [_plain(each) for each in objects], sorted(view.reads), notices


def _plain(desired: Desired) -> dict[str, Any]:
    return {"type": desired.type, "fq_name": list(desired.fq_name), "uuid": desired.uuid, "body": desired.body()}


def _tuples(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}


def case_of(path: Path) -> dict[str, Any]:
    """A golden file."""
    case: dict[str, Any] = yaml.load(path.read_text(), Loader=LOADER)
    return case


def main() -> None:
    """Write what is wanted into every file."""
    for path in sorted(FOLDER.glob("*.yaml")):
        case = case_of(path)
        case["wanted"], case["reads"], notices = wanted(case)
        case.pop("notices", None)
        if notices:
            case["notices"] = notices
        plain = msgspec.json.decode(msgspec.json.encode(case))  # without YAML's anchors for shared parts
        path.write_text(yaml.safe_dump(plain, sort_keys=False, width=120, default_flow_style=None))
        sys.stdout.write(f"{path.name}: {len(case['wanted'])} objects\n")


if __name__ == "__main__":
    main()
