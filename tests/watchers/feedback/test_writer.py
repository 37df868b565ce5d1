"""What answers of an API server mean for a write."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.errors import KubernetesForbidden, KubernetesUnavailable
from tests.watchers.fake_api import FakeApi, Reply, Request
from watchers.connection import Connection
from watchers.feedback.writer import KubernetesWriter, Verdict, reply_of

UID = "uid mismatch: the provided object specified uid 1, and no existing object was found"


def status(reason: str, message: str = "text", *causes: tuple[str, str]) -> dict[str, Any]:
    named = [{"reason": cause, "field": field} for cause, field in causes]
    return {"kind": "Status", "reason": reason, "message": message, "details": {"causes": named}}


@pytest.mark.parametrize(
    ("method", "code", "answer", "verdict"),
    [
        ("PATCH", 200, {"metadata": {"resourceVersion": "7"}}, Verdict.DONE),
        ("POST", 409, status("AlreadyExists"), Verdict.EXISTS),
        ("PATCH", 409, status("Conflict", "no", ("FieldManagerConflict", ".status")), Verdict.HELD),
        ("PATCH", 409, status("Conflict", "Operation cannot be fulfilled: modified"), Verdict.REFUSED),
        ("PATCH", 409, status("Conflict", UID), Verdict.GONE),
        ("PATCH", 422, status("Invalid", "immutable", ("FieldValueInvalid", "metadata.uid")), Verdict.GONE),
        ("PATCH", 422, status("Invalid", "no", ("FieldValueForbidden", "status.loadBalancer")), Verdict.REFUSED),
        ("PATCH", 404, status("NotFound"), Verdict.GONE),
        ("POST", 403, status("Forbidden", "being terminated", ("NamespaceTerminating", "")), Verdict.GONE),
        ("PATCH", 403, status("Forbidden", 'User "x" cannot create resource "pods"'), Verdict.GONE),
        ("PATCH", 403, status("Forbidden", "admission webhook denied the request"), Verdict.REFUSED),
        ("PATCH", 400, {}, Verdict.REFUSED),
    ],
)
def test_every_answer_has_a_meaning(method: str, code: int, answer: dict[str, Any], verdict: Verdict) -> None:
    assert reply_of(method, code, answer).verdict is verdict


def test_who_holds_a_field_is_named() -> None:
    message = 'Apply failed with 1 conflict: conflict with "metallb" with subresource "status" using v1: .status'
    answer = status("Conflict", message, ("FieldManagerConflict", ".status"))
    assert reply_of("PATCH", 409, answer).text == '"metallb" with subresource "status"'
    assert reply_of("PATCH", 200, {"metadata": {"resourceVersion": "7"}}).resource_version == "7"


def test_an_apply_is_sent_as_one_and_a_missing_right_is_an_error_that_says_where_it_is() -> None:
    asked: list[Request] = []

    def script(request: Request) -> Reply:
        asked.append(request)
        if request.path.endswith("/denied"):
            said = status("Forbidden", 'pods "x" is forbidden: User "y" cannot patch resource "pods"')
            return Reply(json.dumps(said).encode(), 403)
        if request.path.endswith("/ill"):
            return Reply(b"no", 503, {"Retry-After": "3"})
        return Reply(b"" if request.path.endswith("/empty") else b'{"metadata": {"resourceVersion": "7"}}')

    with FakeApi(script) as api:
        writer = KubernetesWriter(Connection(api.load), timeout=5.0)
        reply = writer.apply("/api/v1/x", {"a": 1}, part="pods")
        assert (reply.verdict, reply.resource_version) == (Verdict.DONE, "7")
        assert writer.apply("/api/v1/empty", {}, part="pods", force=True).verdict is Verdict.DONE
        with pytest.raises(KubernetesForbidden, match=r"cannot patch resource.*feedback-rbac\.yaml"):
            writer.apply("/api/v1/denied", {}, part="pods")
        with pytest.raises(KubernetesUnavailable) as away:
            writer.merge("/api/v1/ill", {}, part="events")
        assert away.value.retry_after == 3.0
    assert asked[0].query == {"fieldManager": "contrail-kube-feedback"}
    assert asked[0].headers["content-type"] == "application/apply-patch+yaml"
    assert json.loads(asked[0].body) == {"a": 1}
    assert asked[1].query["force"] == "true"
