"""Basic authentication, and calls without any."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from applier.client import ContrailClient
from applier.credentials import Basic
from applier.outcome import Call, Verdict, classify
from schemas.settings import ContrailSettings
from simulators.contrail.access import with_password
from simulators.contrail.server import ContrailSimulator


def basic(file: Path, *urls: str) -> ContrailSettings:
    urls = urls or ("http://127.0.0.1:9",)
    return ContrailSettings(urls=urls, auth="basic", user="kube", password_file=str(file), read_timeout=5.0)


def test_user_and_password_are_sent_in_utf_8(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("pässword")
    name, _, value = Basic(basic(file)).header().partition(b": Basic ")
    assert name == b"Authorization"
    assert value.endswith(b"\r\n")
    assert base64.b64decode(value.strip()).decode() == "kube:pässword"


def test_a_password_file_that_is_gone_leaves_the_password(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "password"
    file.write_text("secret")
    credentials = Basic(basic(file))
    header = credentials.header()
    file.unlink()
    assert credentials.renewed(header) == header
    assert f"PASSWORD_FILE={file}: cannot be read" in caplog.text


@pytest.mark.process
def test_a_changed_password_is_read_when_the_old_one_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("old")
    with ContrailSimulator(guard=with_password("kube", "new")) as contrail:
        client = ContrailClient(basic(file, contrail.url))
        refused = classify(Call.CREATE, client.create("virtual-machine", {"fq_name": ["vm"]}))
        assert refused.verdict is Verdict.DENIED
        assert refused.reason.endswith("; asked as user 'kube' with basic authentication")
        assert contrail.refused == 1, "the same password again would be refused again"
        file.write_text("new")
        assert client.create("virtual-machine", {"fq_name": ["vm"]}).ok
        client.close()


@pytest.mark.process
def test_without_credentials_a_refusal_says_so() -> None:
    with ContrailSimulator(guard=with_password("kube", "x")) as contrail:
        client = ContrailClient(ContrailSettings(urls=(contrail.url,)))
        refused = classify(Call.CREATE, client.create("virtual-machine", {"fq_name": ["vm"]}))
        client.close()
    assert refused.reason == (
        "Contrail answered 401: Authentication required; asked without credentials "
        "(CONTRAIL_KUBE_CONTRAIL_AUTH is none)"
    )
