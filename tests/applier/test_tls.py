"""TLS: who is trusted, what we show, what happens when files change, and how trouble is told."""

from __future__ import annotations

import contextlib
import logging
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from applier.client import ContrailClient
from applier.tls import Tls
from schemas.errors import ContrailUnavailable, SettingsError
from schemas.settings import ContrailSettings
from simulators.contrail.access import with_token
from simulators.contrail.server import ContrailSimulator
from simulators.keystone.server import KeystoneSimulator
from tests.rigs.certificates import Authority, Certificate

pytestmark = pytest.mark.process

PROJECT = ("project", ("default-domain", "default-project"))


@dataclass(frozen=True)
class Trust:
    """An authority, what it signed for the server and for us, and an authority that nobody trusts."""

    authority: Authority
    server: Certificate
    ours: Certificate
    stranger: Authority


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Trust:
    folder = tmp_path_factory.mktemp("certificates")
    authority, stranger = Authority(folder), Authority(folder, "stranger")
    return Trust(authority, authority.issue("server"), authority.issue("applier"), stranger)


def settings_of(
    url: str, authority: Path | None = None, ours: Certificate | None = None, *, verify: bool = True
) -> ContrailSettings:
    return ContrailSettings(
        urls=(url,),
        ca_file=str(authority or ""),
        client_certificate_file=str(ours.certificate) if ours else "",
        client_key_file=str(ours.key) if ours else "",
        connect_timeout=5.0,
        read_timeout=5.0,
        verify=verify,
    )


@contextlib.contextmanager
def client_of(settings: ContrailSettings) -> Iterator[ContrailClient]:
    client = ContrailClient(settings, pool_size=2)
    try:
        yield client
    finally:
        client.close()


def failure(settings: ContrailSettings) -> str:
    """What a call ends in."""
    with client_of(settings) as client, pytest.raises(ContrailUnavailable) as raised:
        client.fqname_to_id(*PROJECT)
    return str(raised.value)


def test_a_server_of_the_authority_is_trusted_and_its_connection_used_again(trust: Trust) -> None:
    with (
        ContrailSimulator(tls=trust.server.server()) as contrail,
        client_of(settings_of(contrail.url, trust.authority.file)) as client,
    ):
        assert contrail.url.startswith("https://")
        for _ in range(5):
            assert client.fqname_to_id(*PROJECT).ok


def test_an_unknown_authority_is_named_with_the_file_and_the_endpoint(trust: Trust) -> None:
    with ContrailSimulator(tls=trust.server.server()) as contrail:
        said = failure(settings_of(contrail.url, trust.stranger.file))
        assert f"Contrail API {contrail.url} gave no answer" in said
        assert f"its certificate is not trusted by the CA in {trust.stranger.file}" in said
        assert "CONTRAIL_KUBE_CONTRAIL_CA_FILE" in said
        assert contrail.counters.total() == 0


def test_without_an_authority_those_of_the_system_count(trust: Trust) -> None:
    with ContrailSimulator(tls=trust.server.server()) as contrail:
        assert "its certificate is not trusted by the CAs of this system" in failure(settings_of(contrail.url))


def test_another_host_name_is_named(trust: Trust) -> None:
    other = trust.authority.issue("other", alternative="DNS:contrail.example.org")
    with ContrailSimulator(tls=other.server()) as contrail:
        said = failure(settings_of(contrail.url, trust.authority.file))
        assert "its certificate is for another host than '127.0.0.1'" in said
        assert contrail.url in said


def test_unchecked_certificates_are_taken_with_a_loud_warning(trust: Trust, caplog: pytest.LogCaptureFixture) -> None:
    with (
        ContrailSimulator(tls=trust.server.server()) as contrail,
        client_of(settings_of(contrail.url, verify=False)) as client,
    ):
        assert client.fqname_to_id(*PROJECT).ok
    (record,) = [r for r in caplog.records if r.name == "applier.tls"]
    assert record.levelno == logging.WARNING
    assert "NOT checked (CONTRAIL_KUBE_CONTRAIL_VERIFY is false)" in record.getMessage()


def test_our_certificate_is_shown_to_a_server_that_asks(trust: Trust) -> None:
    tls = trust.server.server(client_authority=trust.authority.file)
    with (
        ContrailSimulator(tls=tls) as contrail,
        client_of(settings_of(contrail.url, trust.authority.file, trust.ours)) as client,
    ):
        assert client.create("virtual-machine", {"fq_name": ["vm"]}).ok


@pytest.mark.parametrize("shown", [False, True])
def test_a_server_that_does_not_take_our_certificate_is_understood(trust: Trust, shown: bool) -> None:
    tls = trust.server.server(client_authority=trust.authority.file)
    foreign = trust.stranger.issue("foreign") if shown else None
    with ContrailSimulator(tls=tls) as contrail:
        said = failure(settings_of(contrail.url, trust.authority.file, foreign))
        asked = "does it refuse our certificate" if shown else "does it want a certificate"
        assert f"; {asked} (CONTRAIL_KUBE_CONTRAIL_CLIENT_CERTIFICATE_FILE)?" in said
        assert contrail.counters.total() == 0


@pytest.mark.parametrize(
    ("reason", "says"),
    [
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", "the server wants a certificate of ours"),
        ("TLSV1_ALERT_UNKNOWN_CA", "the server does not know the CA of our certificate"),
        ("SSLV3_ALERT_BAD_CERTIFICATE", "the server does not take our certificate"),
        ("SSLV3_ALERT_CERTIFICATE_EXPIRED", "the server finds our certificate expired"),
        ("TLSV1_ALERT_PROTOCOL_VERSION", "TLS failed: PROTOCOL_VERSION"),
    ],
)
def test_what_a_server_alerts_us_of_is_understood(reason: str, says: str) -> None:
    error = ssl.SSLError(1, "as OpenSSL words it")
    error.reason = reason
    assert Tls(ContrailSettings()).trouble(error, "contrail").startswith(says)


def test_https_to_a_server_that_speaks_http_is_understood() -> None:
    with ContrailSimulator() as contrail:
        said = failure(settings_of(contrail.url.replace("http://", "https://")))
        assert "does not speak TLS there: does the URL begin with http://?" in said


def test_files_that_change_count_for_new_connections(
    trust: Trust, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    ours = Authority(tmp_path).issue("ours")
    stale = Authority(tmp_path, "stale")
    authority = tmp_path / "trusted.pem"
    authority.write_bytes(stale.file.read_bytes())
    tls = trust.server.server(client_authority=trust.authority.file)
    with ContrailSimulator(tls=tls) as contrail, client_of(settings_of(contrail.url, authority, ours)) as client:
        with pytest.raises(ContrailUnavailable, match="not trusted by"):
            client.fqname_to_id(*PROJECT)
        authority.write_bytes(trust.authority.file.read_bytes())
        with pytest.raises(ContrailUnavailable, match="does it refuse our certificate"):
            client.fqname_to_id(*PROJECT)
        ours.replace(trust.ours)
        assert client.fqname_to_id(*PROJECT).ok
    assert sum("certificates were replaced and are used" in message for message in caplog.messages) == 2


def test_files_in_the_middle_of_a_change_leave_the_last_good_ones(
    trust: Trust, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ours = trust.authority.issue("turning")
    key = ours.key.read_bytes()
    tls = trust.server.server(client_authority=trust.authority.file)
    with (
        ContrailSimulator(tls=tls) as contrail,
        client_of(settings_of(contrail.url, trust.authority.file, ours)) as client,
    ):
        for broken in (b"half a ke", trust.stranger.issue("foreign").key.read_bytes()):
            ours.key.write_bytes(broken)
            contrail.stop()
            contrail.start()  # the connection is gone, and a new one is made
            assert client.fqname_to_id(*PROJECT).ok
        assert "the last ones stay in use" in caplog.text
        assert "the key does not belong to the certificate" in caplog.text
        ours.key.write_bytes(key)
        contrail.stop()
        contrail.start()
        assert client.fqname_to_id(*PROJECT).ok


def test_files_that_cannot_be_used_end_the_start_by_name(trust: Trust, tmp_path: Path) -> None:
    empty, missing = tmp_path / "empty.pem", tmp_path / "missing.pem"
    empty.write_text("")
    url, authority = "https://127.0.0.1:9", trust.authority.file
    other = Certificate(trust.ours.certificate, trust.server.key)
    for settings, variable, says in (
        (settings_of(url, missing), "CA_FILE", f"{missing}: cannot be read: No such file"),
        (settings_of(url, empty), "CA_FILE", "holds no PEM certificate"),
        (settings_of(url, authority, Certificate(missing, missing)), "CLIENT_CERTIFICATE_FILE", "cannot be read"),
        (settings_of(url, authority, Certificate(trust.ours.certificate, missing)), "CLIENT_KEY_FILE", "cannot be"),
        (settings_of(url, authority, Certificate(empty, empty)), "CLIENT_CERTIFICATE_FILE", "PEM is expected"),
        (settings_of(url, authority, other), "CLIENT_KEY_FILE", "does not belong to the certificate"),
    ):
        with pytest.raises(SettingsError) as raised:
            ContrailClient(settings)
        assert f"CONTRAIL_KUBE_CONTRAIL_{variable}" in str(raised.value)
        assert says in str(raised.value)


def test_keystone_is_spoken_to_over_tls_as_well(trust: Trust) -> None:
    with KeystoneSimulator(tls=trust.server.server()) as keystone:
        guard = with_token(keystone.is_valid, keystone_url=keystone.url)
        with ContrailSimulator(guard=guard, tls=trust.server.server()) as contrail:
            settings = ContrailSettings(
                urls=(contrail.url,),
                auth="keystone",
                user="admin",
                password="secret",
                project="admin",
                keystone_url=keystone.url,
                ca_file=str(trust.authority.file),
            )
            with client_of(settings) as client:
                assert client.fqname_to_id(*PROJECT).ok
            strange = replace(settings, ca_file=str(trust.stranger.file))
            assert f"Keystone {keystone.url} gave no token: its certificate is not trusted" in failure(strange)
