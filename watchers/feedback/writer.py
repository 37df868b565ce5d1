"""Writes into the Kubernetes API (shell): applies of single fields, and Events. What was answered is a value.

Only a server that does not answer, and a right that is missing, are errors: both stop more than the object at hand.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum

from schemas.errors import KubernetesForbidden
from watchers.connection import Connection
from watchers.feedback import metrics
from watchers.feedback.subject import MANAGER, Json

_APPLY, _MERGE, _CREATE = "application/apply-patch+yaml", "application/merge-patch+json", "application/json"
_METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
_ANSWERED = frozenset({400, 403, 404, 409, 413, 422})
_RIGHT = re.compile(r"cannot (\w+) resource ")
_HOLDER = re.compile(r"conflict with (.+?) using")
MANIFEST = "deploy/kubernetes/feedback-rbac.yaml"


class Verdict(StrEnum):
    """What came of one write."""

    DONE = "done"
    GONE = "gone"
    """The object, or its namespace, is not there (any more), or another has its name."""
    EXISTS = "exists"
    """Was created before: by us, as nobody else makes such names."""
    HELD = "held"
    """Another field manager wrote the field, and keeps it."""
    REFUSED = "refused"
    """Not now, or not so: by validation, by an admission webhook, or because another write came between."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer; `text` is the server's, of HELD who holds it; `resource_version` of the object after the write."""

    verdict: Verdict
    text: str = ""
    resource_version: str = ""


class KubernetesWriter:
    """Writes for one process; raises KubernetesUnavailable, and KubernetesForbidden for a missing right."""

    def __init__(self, connection: Connection, *, timeout: float) -> None:
        self._connection = connection
        self._timeout = timeout

    def apply(self, path: str, body: Json, *, part: str, force: bool = False) -> Reply:
        """Server-side apply; without force what others hold stays theirs."""
        query = {"fieldManager": MANAGER, **({"force": "true"} if force else {})}
        return self._send("PATCH", path, body, _APPLY, part, query=query)

    def create(self, path: str, body: Json, *, part: str) -> Reply:
        """POST of a new object."""
        return self._send("POST", path, body, _CREATE, part)

    def merge(self, path: str, body: Json, *, part: str) -> Reply:
        """Merge patch of an object that is ours alone."""
        return self._send("PATCH", path, body, _MERGE, part)

    def _send(
        self, method: str, path: str, body: Json, content: str, part: str, query: dict[str, str] | None = None
    ) -> Reply:
        response = self._connection.request(
            method,
            path,
            query=query,
            body=json.dumps(body).encode(),
            accept=_METADATA,
            content_type=content,
            read_timeout=self._timeout,
            answers=_ANSWERED,
        )
        doing = f"{method} {self._connection.server}{path}"
        text = self._connection.read(response, doing=doing)
        reply = reply_of(method, response.status, _json(text))
        metrics.WRITES.labels(part, reply.verdict).inc()
        if reply.verdict is Verdict.REFUSED and response.status == 403 and _RIGHT.search(reply.text):
            raise KubernetesForbidden(f"{doing}: 403 {reply.text}; {MANIFEST} holds the rights of the feedback")
        return reply


def reply_of(method: str, status: int, answer: Json) -> Reply:
    """Meaning of an answer (pure); `answer` is the object's metadata, or a Status."""
    if status // 100 == 2:
        return Reply(Verdict.DONE, "", str((answer.get("metadata") or {}).get("resourceVersion") or ""))
    message = " ".join(str(answer.get("message") or f"status {status}").split())[:500]
    reason = answer.get("reason")
    causes = {cause.get("reason"): cause.get("field") for cause in (answer.get("details") or {}).get("causes") or ()}
    if "FieldManagerConflict" in causes:
        return Reply(Verdict.HELD, _holder(message))
    if reason == "AlreadyExists":
        return Reply(Verdict.EXISTS, message)
    namesake = "metadata.uid" in causes.values() or "uid mismatch" in message
    # Who may only patch is told so of an object that is not there: an apply would have to create it.
    missing = method == "PATCH" and "cannot create resource" in message
    if status == 404 or namesake or missing or "NamespaceTerminating" in causes:
        return Reply(Verdict.GONE, message)
    return Reply(Verdict.REFUSED, message)


def _holder(message: str) -> str:
    found = _HOLDER.search(message)
    return found[1] if found else message


def _json(text: bytes) -> Json:
    try:
        answer = json.loads(text)
    except ValueError:
        return {"message": text[:500].decode(errors="replace")}
    return answer if isinstance(answer, dict) else {}
