"""Two questions to an etcd on a unix socket, through its JSON gateway: is it up, and forget the past."""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path
from typing import Any

SECONDS = 30


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def healthy(path: Path) -> bool:
    """Whether the etcd behind the socket `path` has a leader and answers reads."""
    try:
        return bool(_request(path, "GET", "/health").get("health") == "true")
    except (OSError, http.client.HTTPException, ValueError):
        return False


def compact(path: Path) -> int:
    """Drop every revision but the newest of each key; answers the newest. Raises OSError or RuntimeError."""
    answer = _request(path, "POST", "/v3/kv/range", {"key": "AA==", "limit": 1})
    revision = int(answer["header"]["revision"])
    _request(path, "POST", "/v3/kv/compaction", {"revision": revision, "physical": True})
    return revision


def _request(path: Path, method: str, target: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    connection = _UnixConnection(path)
    try:
        connection.request(method, target, None if body is None else json.dumps(body))
        response = connection.getresponse()
        text = response.read()
    finally:
        connection.close()
    if response.status != 200:
        raise RuntimeError(f"etcd: {method} {target}: {response.status}: {text[:500]!r}")
    answer: dict[str, Any] = json.loads(text)
    return answer
