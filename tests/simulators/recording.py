"""Recorded exchanges with a real Contrail config API: how they are kept, and whether an answer is as recorded.

`contrail_api_recorded.jsonl.gz` holds 787 exchanges in the order in which the server handled them, one JSON
object a line: {seq, case, method, path, type (content type, if there was a body), etag (If-None-Match), request,
status, etagged, response}. Times are "*"; links have no host. Uuids are kept: the API sorts by them and derives
MACs from them. It was made from the raw recording by `python -m tests.simulators.recording RAW.jsonl`.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Json = Any
FILE = Path(__file__).with_name("contrail_api_recorded.jsonl.gz")
ANY = "*"
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_BASE = "http://127.0.0.1:8082"
_VOLATILE = ("created", "last_modified")
_CONCURRENT = "race auto ip"


def load() -> list[dict[str, Json]]:
    """All exchanges."""
    with gzip.open(FILE, "rt") as file:
        return [json.loads(line) for line in file]


def compact(raw: dict[str, Json]) -> dict[str, Json]:
    """One exchange of the raw recording as it is kept."""
    sent = {name.lower(): value for name, value in raw["request_headers"].items()}
    response = raw["response"]
    kept = {
        "seq": raw["seq"],
        "case": raw["case"],
        "method": raw["method"],
        "path": raw["path"],
        "type": sent.get("content-type") if raw["request"] is not None else None,
        "etag": ANY if raw["status"] == 304 else None,
        "request": raw["request"],
        "status": raw["status"],
        "etagged": "Etag" in raw["response_headers"],
        "json": raw["response_headers"].get("Content-Type") == "application/json",
        "response": _without_volatile(response),
    }
    return {name: value for name, value in kept.items() if value is not None}


def _without_volatile(value: Json) -> Json:
    if isinstance(value, list):
        return [_without_volatile(element) for element in value]
    if isinstance(value, str):
        return value.replace(_BASE, "")
    if not isinstance(value, dict):
        return value
    kept = {name: _without_volatile(element) for name, element in value.items()}
    for name in _VOLATILE:
        if kept.get(name):
            kept[name] = ANY
    if isinstance(kept.get("uuid"), dict):
        kept["uuid"] = ANY  # the uuid as two numbers, in id_perms
    return kept


def handled(exchanges: list[dict[str, Json]]) -> Iterator[dict[str, Json]]:
    """Exchanges as the server handled them: concurrent creates in the order of the addresses that they got."""
    racing = [e for e in exchanges if e["case"] == _CONCURRENT]
    bodies = [e["response"]["instance-ip"] for e in racing if e["method"] == "GET"]
    address = {body["uuid"]: int(body["instance_ip_address"].rpartition(".")[2]) for body in bodies}
    creates = [e for e in racing if e["method"] == "POST"]
    creates.sort(key=lambda e: -address[e["response"]["instance-ip"]["uuid"]])
    reads = [e for e in racing if e["method"] == "GET"]
    begun = False
    for exchange in exchanges:
        if exchange["case"] != _CONCURRENT:
            yield exchange
        elif not begun:
            begun = True
            yield from creates
            yield from reads


class Translation:
    """Recorded uuids and those that stand for them in another server, learnt from answers that agree."""

    def __init__(self) -> None:
        self._ours: dict[str, str] = {}
        self._recorded: dict[str, str] = {}

    def to_ours(self, text: str) -> str:
        """A recorded text with our uuids; unknown ones stay."""
        return UUID.sub(lambda match: self._ours.get(match[0], match[0]), text)

    def difference(self, recorded: Json, ours: Json, *, ordered: bool) -> str:
        """Where an answer differs from the recorded one, '' if it does not; only then something is learnt."""
        learnt: dict[str, str] = {}
        found = self._compare("", recorded, ours, learnt, ordered)
        if not found:
            self._ours |= learnt
            self._recorded |= {our: their for their, our in learnt.items()}
        return found

    def _compare(self, path: str, recorded: Json, ours: Json, learnt: dict[str, str], ordered: bool) -> str:
        if recorded == ANY:
            return "" if ours else f"{path}: {ours!r} where something was"
        if isinstance(recorded, dict) and isinstance(ours, dict):
            if recorded.keys() != ours.keys():
                more, less = sorted(ours.keys() - recorded.keys()), sorted(recorded.keys() - ours.keys())
                return f"{path}: has {more}, lacks {less}"
            names = sorted(recorded, key=lambda name: name != "uuid")
            parts = (self._compare(f"{path}.{n}", recorded[n], ours[n], learnt, ordered) for n in names)
            return next((part for part in parts if part), "")
        if isinstance(recorded, list) and isinstance(ours, list):
            return self._compare_lists(path, recorded, ours, learnt, ordered)
        if isinstance(recorded, str) and isinstance(ours, str):
            return "" if self._same_text(recorded, ours, learnt) else f"{path}: {ours!r} instead of {recorded!r}"
        same = recorded == ours and type(recorded) is type(ours)
        return "" if same else f"{path}: {ours!r} instead of {recorded!r}"

    def _compare_lists(
        self, path: str, recorded: list[Json], ours: list[Json], learnt: dict[str, str], ordered: bool
    ) -> str:
        if len(recorded) != len(ours):
            return f"{path}: {len(ours)} elements instead of {len(recorded)}"
        if not ordered and recorded and _name(recorded[0]):
            recorded, ours = sorted(recorded, key=_name), sorted(ours, key=_name)
        parts = (
            self._compare(f"{path}[{i}]", a, b, learnt, False)
            for i, (a, b) in enumerate(zip(recorded, ours, strict=True))
        )
        return next((part for part in parts if part), "")

    def _same_text(self, recorded: str, ours: str, learnt: dict[str, str]) -> bool:
        if UUID.sub("", recorded) != UUID.sub("", ours):
            return False
        for their, our in zip(UUID.findall(recorded), UUID.findall(ours), strict=True):
            known = self._ours.get(their) or learnt.get(their)
            if known is None and self._recorded.get(our, their) == their:
                learnt[their] = our
            elif known != our:
                return False
        return True


def _name(element: Json) -> str:
    """What elements of a list without order are sorted by: the name of the object that they are, or refer to."""
    if not isinstance(element, dict):
        return ""
    held = next(iter(element.values())) if len(element) == 1 else element
    named = held.get("to") or held.get("fq_name") if isinstance(held, dict) else None
    return ":".join(named) if named else ""


def main(raw: str) -> None:
    """Write FILE from the raw recording at path `raw`."""
    exchanges = [compact(json.loads(line)) for line in Path(raw).read_text().splitlines()]
    with gzip.GzipFile(FILE, "wb", mtime=0) as file:
        for exchange in handled(exchanges):
            file.write(json.dumps(exchange, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")


if __name__ == "__main__":
    main(sys.argv[1])
