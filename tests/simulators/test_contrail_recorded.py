"""The simulated config API gives the answers that the real one was recorded to give."""

from __future__ import annotations

import http.client
import json
from typing import Any

import pytest

from simulators.contrail.server import ContrailSimulator
from simulators.contrail.state import random_uuid
from tests.simulators.recording import Translation, load

LEAST_SHARE = 0.99
KNOWN = {
    1: "the home page lists the types and actions that the simulator has, about half of the real ones",
    623: "the original forgot a back reference when a reference of the wrong class to the same object was removed",
    670: "/obj-cache shows the original's own cache, for debugging; the simulator has none",
    756: "the home page, as #1",
    766: "the original had lost one network id by then, and gave the next one",
}
"""Exchanges in which the simulator differs, by number, with the reason."""


class Replay:
    """Sends recorded requests in order; new objects get their recorded uuids, because lists are sorted by them."""

    def __init__(self) -> None:
        self._wanted: tuple[str, str] | None = None
        self.simulator = ContrailSimulator(make_uuid=self._make_uuid)
        self.translation = Translation()
        self.differences: dict[int, str] = {}
        self._etag = ""

    def run(self, exchanges: list[dict[str, Any]]) -> None:
        with self.simulator:
            connection = http.client.HTTPConnection("127.0.0.1", self.simulator.port, timeout=10)
            try:
                for exchange in exchanges:
                    found = self._exchange(connection, exchange)
                    if found:
                        self.differences[exchange["seq"]] = found
            finally:
                connection.close()

    def _make_uuid(self, type_: str) -> str:
        if self._wanted is not None and self._wanted[0] == type_:
            uuid, self._wanted = self._wanted[1], None
            return uuid
        return random_uuid(type_)

    def _exchange(self, connection: http.client.HTTPConnection, exchange: dict[str, Any]) -> str:
        self._wanted = _created(exchange)
        asked = exchange.get("request")
        content = None
        if asked is not None:
            raw = isinstance(asked, dict) and "_raw" in asked
            content = self.translation.to_ours(asked["_raw"] if raw else json.dumps(asked)).encode()
        headers = {"Content-Type": exchange["type"]} if "type" in exchange else {}
        if "etag" in exchange:
            headers["If-None-Match"] = self._etag
        connection.request(exchange["method"], self.translation.to_ours(exchange["path"]), content, headers)
        response = connection.getresponse()
        body = response.read().decode()
        self._etag = response.headers.get("Etag") or self._etag
        return self._compare(exchange, response, body)

    def _compare(self, exchange: dict[str, Any], response: http.client.HTTPResponse, body: str) -> str:
        if response.status != exchange["status"]:
            return f"status {response.status} instead of {exchange['status']}: {body[:200]}"
        if ("Etag" in response.headers) != exchange["etagged"]:
            return "an Etag, or none, where there was none, or one"
        is_json = response.headers.get("Content-Type") == "application/json"
        if is_json != exchange["json"] and response.status != 304:
            return f"content type {response.headers.get('Content-Type')}"
        text = body.replace(self.simulator.url, "")
        ours = json.loads(text) if is_json and text else text
        return self.translation.difference(exchange["response"], ours, ordered=_is_ordered(exchange))


def _created(exchange: dict[str, Any]) -> tuple[str, str] | None:
    response = exchange["response"]
    if exchange["method"] != "POST" or exchange["status"] != 200 or not isinstance(response, dict):
        return None
    held = [(type_, body) for type_, body in response.items() if isinstance(body, dict) and "uuid" in body]
    return (held[0][0], held[0][1]["uuid"]) if held else None


def _is_ordered(exchange: dict[str, Any]) -> bool:
    """Whether the order of the list means something: details came in the order in which they were found."""
    return isinstance(exchange["response"], dict) and "detail=true" not in exchange["path"].lower()


@pytest.fixture(scope="module")
def replay() -> Replay:
    replay = Replay()
    replay.run(load())
    return replay


def test_differs_from_the_recording_only_where_we_know(replay: Replay) -> None:
    unknown = {seq: found for seq, found in replay.differences.items() if seq not in KNOWN}
    assert not unknown, "\n".join(f"#{seq} {found}" for seq, found in unknown.items())


def test_known_differences_are_still_there(replay: Replay) -> None:
    assert not KNOWN.keys() - replay.differences.keys()


def test_share_that_agrees(replay: Replay) -> None:
    total = len(load())
    share = 1 - len(replay.differences) / total
    print(f"{total - len(replay.differences)} of {total} recorded exchanges agree ({share:.1%})")
    assert share >= LEAST_SHARE
