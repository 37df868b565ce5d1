"""The simulated Keystone: tokens by password, for one project."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from simulators.contrail.faults import Fault, Trouble
from simulators.keystone.identity import Identity, Refusal
from simulators.keystone.server import KeystoneSimulator

pytestmark = pytest.mark.process


@pytest.fixture
def keystone() -> Iterator[KeystoneSimulator]:
    with KeystoneSimulator() as running:
        yield running


def wanted(user: str = "admin", password: str = "secret", project: str = "admin") -> dict[str, Any]:
    """The request for a token."""
    domain = {"name": "Default"}
    named = {"name": user, "domain": domain, "password": password}
    scope = {"project": {"name": project, "domain": domain}}
    return {"auth": {"identity": {"methods": ["password"], "password": {"user": named}}, "scope": scope}}


def ask(keystone: KeystoneSimulator | str, **asked: str) -> requests.Response:
    url = keystone if isinstance(keystone, str) else keystone.url
    return requests.post(f"{url}/auth/tokens", json=wanted(**asked), timeout=5)


def token_of(keystone: KeystoneSimulator | str, **asked: str) -> str:
    """A token, had over HTTP."""
    answer = ask(keystone, **asked)
    assert answer.status_code == 201, answer.text
    return answer.headers["X-Subject-Token"]


def validity(keystone: KeystoneSimulator, token: str, *, by: str = "") -> int:
    headers = {"X-Auth-Token": by or token, "X-Subject-Token": token}
    return requests.get(f"{keystone.url}/auth/tokens", headers=headers, timeout=5).status_code


def test_a_token_is_good_until_it_ends() -> None:
    identity = Identity(lifetime=60.0)
    token = identity.issue(wanted(), value="x", now=100.0)
    assert identity.valid("x", now=159.0) is token
    assert identity.valid("x", now=160.0) is None
    shown = identity.shown(token)["token"]
    assert (shown["issued_at"], shown["expires_at"]) == ("1970-01-01T00:01:40.000000Z", "1970-01-01T00:02:40.000000Z")


@pytest.mark.parametrize("wrong", [{"user": "x"}, {"password": "x"}, {"project": "x"}])
def test_anything_wrong_is_one_and_the_same_refusal(wrong: dict[str, str]) -> None:
    with pytest.raises(Refusal, match="requires authentication") as raised:
        Identity().issue(wanted(**wrong), value="x", now=0.0)
    assert raised.value.status == 401


def test_tokens_are_issued_validated_and_revoked(keystone: KeystoneSimulator) -> None:
    token = token_of(keystone)
    assert token != token_of(keystone)
    assert keystone.asked == 2
    assert validity(keystone, token) == 200
    assert validity(keystone, "made-up", by=token) == 404
    keystone.revoke()
    assert validity(keystone, token) == 401


def test_refusals_are_worded_as_keystone_words_them(keystone: KeystoneSimulator) -> None:
    refused = ask(keystone, password="wrong")
    assert (refused.status_code, refused.json()["error"]["title"]) == (401, "Unauthorized")
    assert requests.post(f"{keystone.url}/auth/tokens", data=b"{", timeout=5).status_code == 400
    assert requests.post(f"{keystone.url}/auth/tokens", json={"auth": {}}, timeout=5).status_code == 400
    assert requests.get(f"{keystone.url}/nowhere", timeout=5).status_code == 404
    assert requests.get(keystone.url, timeout=5).json()["version"]["id"].startswith("v3.")


def test_it_fails_on_demand(keystone: KeystoneSimulator) -> None:
    keystone.faults.add(Fault(Trouble.STATUS, "POST", status=503))
    assert ask(keystone).status_code == 503
    keystone.faults.add(Fault(Trouble.DROP_BEFORE, "POST"))
    with pytest.raises(requests.ConnectionError):
        ask(keystone)
    assert not keystone.identity.tokens
    assert ask(keystone).status_code == 201


def test_a_restart_keeps_tokens_and_port(keystone: KeystoneSimulator) -> None:
    token, url = token_of(keystone), keystone.url
    keystone.stop()
    keystone.start()
    assert keystone.url == url
    assert validity(keystone, token) == 200
