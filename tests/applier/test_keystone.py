"""Tokens of Keystone: had, renewed, refused, and who is told what when there are none."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from applier.client import ContrailClient
from applier.keystone import LONGEST_PATIENCE, RENEWED_AT, RETRY_EARLY, KeystoneTokens
from applier.outcome import Call, Verdict, classify
from schemas.errors import ContrailDenied, ContrailUnavailable
from schemas.settings import ContrailSettings
from simulators.contrail.access import with_token
from simulators.contrail.faults import Fault, Trouble
from simulators.contrail.server import ContrailSimulator
from simulators.keystone.server import KeystoneSimulator
from tests.applier.scripted import Request, ScriptedServer, reply

pytestmark = pytest.mark.process

PROJECT = ("project", ("default-domain", "default-project"))


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def keystone() -> Iterator[KeystoneSimulator]:
    with KeystoneSimulator() as running:
        yield running


@pytest.fixture
def contrail(keystone: KeystoneSimulator) -> Iterator[ContrailSimulator]:
    with ContrailSimulator(guard=with_token(keystone.is_valid, keystone_url=keystone.url)) as running:
        yield running


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "password"
    file.write_text("secret\n")
    return file


def settings_of(keystone: KeystoneSimulator, secret: Path, *urls: str) -> ContrailSettings:
    return ContrailSettings(
        urls=urls or ("http://127.0.0.1:9",),
        auth="keystone",
        user="admin",
        password_file=str(secret),
        project="admin",
        keystone_url=keystone.url,
        connect_timeout=2.0,
        read_timeout=0.5,
    )


@contextlib.contextmanager
def tokens_of(settings: ContrailSettings, clock: Clock) -> Iterator[KeystoneTokens]:
    tokens = KeystoneTokens(settings, tls=None, clock=clock)
    try:
        yield tokens
    finally:
        tokens.close()


@contextlib.contextmanager
def client_of(settings: ContrailSettings) -> Iterator[ContrailClient]:
    client = ContrailClient(settings, pool_size=8)
    try:
        yield client
    finally:
        client.close()


def verdict(client: ContrailClient) -> Verdict:
    return classify(Call.LOOKUP, client.fqname_to_id(*PROJECT)).verdict


def test_one_token_serves_until_it_grows_old(keystone: KeystoneSimulator, secret: Path) -> None:
    clock = Clock()
    with tokens_of(settings_of(keystone, secret), clock) as tokens:
        first = tokens.header()
        assert first.startswith(b"X-Auth-Token: ") and first.endswith(b"\r\n")
        clock.now += RENEWED_AT * 3600 - 1
        assert tokens.header() == first
        assert keystone.asked == 1
        clock.now += 2
        assert tokens.header() != first
        assert keystone.asked == 2


def test_the_others_go_on_with_the_old_token_while_one_renews(keystone: KeystoneSimulator, secret: Path) -> None:
    clock = Clock()
    with tokens_of(settings_of(keystone, secret), clock) as tokens, ThreadPoolExecutor(1) as pool:
        first = tokens.header()
        clock.now += RENEWED_AT * 3600 + 1
        keystone.faults.add(Fault(Trouble.LATENCY, "POST", seconds=0.3))
        renewing = pool.submit(tokens.header)
        while keystone.asked < 2:
            pass
        assert tokens.header() == first
        assert renewing.result() != first
        assert keystone.asked == 2


def test_a_keystone_away_costs_nothing_while_the_token_is_good(keystone: KeystoneSimulator, secret: Path) -> None:
    clock = Clock()
    with tokens_of(settings_of(keystone, secret), clock) as tokens:
        first = tokens.header()
        keystone.stop()
        clock.now += RENEWED_AT * 3600 + 1
        for _ in range(5):
            assert tokens.header() == first
        clock.now += RETRY_EARLY + 1
        keystone.start()
        assert tokens.header() != first


def test_a_keystone_away_is_named_once_the_token_has_ended(keystone: KeystoneSimulator, secret: Path) -> None:
    clock = Clock()
    with tokens_of(settings_of(keystone, secret), clock) as tokens:
        tokens.header()
        keystone.stop()
        clock.now += 3601
        with pytest.raises(ContrailUnavailable, match=f"Keystone {keystone.url} gave no token: Connection") as raised:
            tokens.header()
        assert not isinstance(raised.value, ContrailDenied)
        clock.now += 0.1
        keystone.start()
        assert tokens.header()


def test_many_threads_that_wait_for_a_slow_keystone_wait_for_one_deadline(
    keystone: KeystoneSimulator, secret: Path
) -> None:
    keystone.faults.add(Fault(Trouble.LATENCY, "POST", count=None, seconds=5.0))
    gate = threading.Barrier(8)
    with tokens_of(settings_of(keystone, secret), Clock()) as tokens, ThreadPoolExecutor(8) as pool:

        def ask() -> str:
            gate.wait()
            with pytest.raises(ContrailUnavailable) as raised:
                tokens.header()
            return str(raised.value)

        said = {each.result() for each in [pool.submit(ask) for _ in range(8)]}
        keystone.faults.clear()
    assert len(said) == 1 and "no answer within 0.5 s" in said.pop()
    assert keystone.asked == 1


@pytest.mark.parametrize(
    ("status", "denied"),
    [(401, True), (403, True), (404, True), (429, False), (500, False), (503, False), (300, False)],
)
def test_what_keystone_refuses_is_told_from_what_it_cannot_do_now(
    keystone: KeystoneSimulator, secret: Path, status: int, denied: bool
) -> None:
    keystone.faults.add(Fault(Trouble.STATUS, "POST", status=status, text="no"))
    with tokens_of(settings_of(keystone, secret), Clock()) as tokens:
        with pytest.raises(ContrailUnavailable, match=f"answered {status}: no") as raised:
            tokens.header()
        assert isinstance(raised.value, ContrailDenied) is denied


def test_a_refusal_names_user_project_and_keystone_and_no_secret(keystone: KeystoneSimulator, secret: Path) -> None:
    secret.write_text("hunter2")
    with tokens_of(settings_of(keystone, secret), Clock()) as tokens, pytest.raises(ContrailDenied) as raised:
        tokens.header()
    assert str(raised.value) == (
        f"Keystone {keystone.url} refused us as user 'admin' of project 'admin': answered 401: The request you have "
        "made requires authentication.; check CONTRAIL_KUBE_CONTRAIL_USER, _PASSWORD, _PROJECT and their domains"
    )


def test_a_refused_password_is_not_tried_on_and_on(keystone: KeystoneSimulator, secret: Path) -> None:
    secret.write_text("wrong")
    clock = Clock()
    with tokens_of(settings_of(keystone, secret), clock) as tokens:
        for _ in range(1200):  # twenty minutes, with an attempt each second
            with pytest.raises(ContrailDenied):
                tokens.header()
            clock.now += 1.0
        assert keystone.asked < 12 + 1200 / LONGEST_PATIENCE
        secret.write_text("secret")
        assert tokens.header(), "a corrected one is tried at once"


def test_a_password_file_that_is_gone_is_named(keystone: KeystoneSimulator, secret: Path) -> None:
    with tokens_of(settings_of(keystone, secret), Clock()) as tokens:
        secret.unlink()
        with pytest.raises(ContrailDenied, match=f"PASSWORD_FILE={secret}: cannot be read"):
            tokens.header()


@pytest.mark.parametrize(
    "answer",
    [
        reply(201, b"{}", "X-Subject-Token: x"),
        reply(201, b'{"token": {"expires_at": "soon", "issued_at": "now"}}', "X-Subject-Token: x"),
        reply(201, b"<html>Welcome</html>"),
    ],
)
def test_what_is_no_token_is_not_used(keystone: KeystoneSimulator, secret: Path, answer: bytes) -> None:
    with ScriptedServer(lambda request, connection: connection.sendall(answer)) as server:
        settings = replace(settings_of(keystone, secret), keystone_url=f"{server.url}/v3")
        with tokens_of(settings, Clock()) as tokens, pytest.raises(ContrailUnavailable, match="not with a token"):
            tokens.header()


def test_what_is_sent_is_a_password_scoped_to_a_project(keystone: KeystoneSimulator, secret: Path) -> None:
    seen: list[Request] = []

    with ScriptedServer(lambda request, connection: seen.append(request)) as server:
        settings = replace(settings_of(keystone, secret), keystone_url=f"{server.url}/v3/")
        with tokens_of(settings, Clock()) as tokens, pytest.raises(ContrailUnavailable):
            tokens.header()
    domain = {"name": "Default"}
    assert (seen[0].method, seen[0].path) == ("POST", "/v3/auth/tokens")
    assert seen[0].json == {
        "auth": {
            "identity": {
                "methods": ["password"],
                "password": {"user": {"name": "admin", "domain": domain, "password": "secret"}},
            },
            "scope": {"project": {"name": "admin", "domain": domain}},
        }
    }


def test_a_token_that_ends_in_mid_work_is_renewed_once_for_all_threads(
    keystone: KeystoneSimulator, contrail: ContrailSimulator, secret: Path
) -> None:
    with client_of(settings_of(keystone, secret, contrail.url)) as client, ThreadPoolExecutor(8) as pool:
        assert verdict(client) is Verdict.DONE
        keystone.revoke()
        verdicts = list(pool.map(lambda _: verdict(client), range(200)))
        assert set(verdicts) == {Verdict.DONE}
        assert keystone.asked == 2
        assert 1 <= contrail.refused <= 8


def test_a_token_that_expires_is_renewed_without_a_single_refusal(
    keystone: KeystoneSimulator, contrail: ContrailSimulator, secret: Path
) -> None:
    keystone.identity.lifetime = 1.0
    with client_of(settings_of(keystone, secret, contrail.url)) as client:
        while keystone.asked < 3:
            assert verdict(client) is Verdict.DONE
    assert contrail.refused == 0


def test_case_67_a_token_that_contrail_never_takes_is_a_denial_and_nothing_is_written(
    keystone: KeystoneSimulator, secret: Path
) -> None:
    async def never(token: str) -> bool:
        return False

    guard = with_token(never, keystone_url=keystone.url)
    with ContrailSimulator(guard=guard) as contrail, client_of(settings_of(keystone, secret, contrail.url)) as client:
        outcome = classify(Call.CREATE, client.create("virtual-machine", {"fq_name": ["vm"]}))
        assert outcome.verdict is Verdict.DENIED
        assert outcome.reason == (
            "Contrail answered 401: Authentication required; asked as user 'admin' of project 'admin' with a token of "
            f"Keystone {keystone.url}"
        )
        assert (contrail.refused, contrail.counters.total(), keystone.asked) == (2, 0, 2)


def test_case_67_a_role_that_is_missing_is_named_with_who_lacks_it(
    keystone: KeystoneSimulator, contrail: ContrailSimulator, secret: Path
) -> None:
    contrail.faults.add(Fault(Trouble.STATUS, status=403, text="Permission Denied"))
    with client_of(settings_of(keystone, secret, contrail.url)) as client:
        outcome = classify(Call.CREATE, client.create("virtual-machine", {"fq_name": ["vm"]}))
        assert outcome.verdict is Verdict.DENIED
        assert "403: Permission Denied; asked as user 'admin' of project 'admin'" in outcome.reason
        assert keystone.asked == 1, "another token would not help"


def test_a_password_that_changes_is_read_from_its_file(
    keystone: KeystoneSimulator, contrail: ContrailSimulator, secret: Path
) -> None:
    with client_of(settings_of(keystone, secret, contrail.url)) as client:
        assert verdict(client) is Verdict.DONE
        keystone.set_password("another")
        keystone.revoke()
        with pytest.raises(ContrailDenied):
            client.fqname_to_id(*PROJECT)
        secret.write_text("another")
        assert verdict(client) is Verdict.DONE


def test_no_secret_and_no_token_is_ever_logged(
    keystone: KeystoneSimulator, contrail: ContrailSimulator, secret: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with client_of(settings_of(keystone, secret, contrail.url)) as client:
        verdict(client)
        keystone.revoke()
        verdict(client)
        secret.write_text("hunter2")
        keystone.revoke()
        with pytest.raises(ContrailDenied):
            client.fqname_to_id(*PROJECT)
    issued = [line for line in caplog.messages if line.startswith("token issued user=admin seconds=3600")]
    assert len(issued) == 2
    everything = "\n".join(caplog.messages)
    assert "hunter2" not in everything
    assert not any(token in everything for token in keystone.identity.tokens)
