"""The simulated config API that asks for credentials and speaks TLS, in this process and as one of its own."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from schemas.errors import SettingsError
from simulators.contrail.access import asks_keystone, with_password, with_token
from simulators.contrail.server import ContrailSimulator
from simulators.contrail.settings import SimulatorSettings
from simulators.keystone.server import KeystoneSimulator
from tests.rigs.certificates import Authority
from tests.simulators.test_keystone import token_of

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[2]


def status(url: str, headers: Mapping[str, str] | None = None) -> int:
    return requests.get(f"{url}/virtual-networks", headers=headers, timeout=5).status_code


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def test_a_password_is_asked_for() -> None:
    with ContrailSimulator(guard=with_password("kube", "secret")) as contrail:
        assert status(contrail.url, basic("kube", "secret")) == 200
        wrong = [None, basic("kube", "wrong"), {"Authorization": "Basic ?"}, {"Authorization": "Bearer secret"}]
        for headers in wrong:
            assert status(contrail.url, headers) == 401
        assert (contrail.refused, contrail.counters.total()) == (4, 1)


def test_a_refused_request_changes_nothing_and_keeps_the_connection() -> None:
    body = {"virtual-machine": {"fq_name": ["vm"]}}
    with ContrailSimulator(guard=with_password("kube", "secret")) as contrail, requests.Session() as session:
        for _ in range(2):
            answer = session.post(f"{contrail.url}/virtual-machines", json=body, timeout=5)
            assert (answer.status_code, answer.text) == (401, "Authentication required")
        assert contrail.count("virtual-machine") == 0


@pytest.mark.parametrize("asked", [False, True])
def test_a_token_is_asked_for_and_a_revoked_one_not_taken(asked: bool) -> None:
    with KeystoneSimulator() as keystone:
        is_valid = asks_keystone(keystone.url) if asked else keystone.is_valid
        with ContrailSimulator(guard=with_token(is_valid, keystone_url=keystone.url)) as contrail:
            shown = {"X-Auth-Token": token_of(keystone)}
            assert status(contrail.url, shown) == 200
            assert status(contrail.url, {"X-Auth-Token": "made-up"}) == 401
            assert status(contrail.url) == 401
            keystone.revoke()
            assert status(contrail.url, shown) == 401


def test_what_is_about_the_simulator_itself_needs_no_credentials() -> None:
    with ContrailSimulator(guard=with_password("kube", "secret")) as contrail:
        assert requests.get(f"{contrail.url}/_simulator/counters", timeout=5).json() == {}


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"auth": "kerberos"}, "accepted are none, basic"),
        ({"auth": "basic"}, "needs _USER and _PASSWORD"),
        ({"auth": "keystone"}, "needs _KEYSTONE_URL"),
        ({"key_file": "/key"}, "CERTIFICATE_FILE"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, str], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        SimulatorSettings(**settings)  # type: ignore[arg-type]


@contextmanager
def process(module: str, *options: str, **environ: str) -> Iterator[str]:
    """A simulator as a process; yields the URL that it prints."""
    command = [sys.executable, "-m", module, "--port", "0", *options]
    environment = {**os.environ, **environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as started:
        try:
            assert started.stdout is not None
            yield started.stdout.readline().split()[-1]
            started.send_signal(signal.SIGTERM)
            assert started.wait(20) == 0
        finally:
            started.kill()


def test_processes_of_their_own_do_all_of_it(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    server, client = authority.issue("server"), authority.issue("client")
    secure = ("--certificate", str(server.certificate), "--key", str(server.key), "--client-ca", str(authority.file))
    with (
        process("simulators.keystone", "--user", "kube", "--password", "hunter2", "--project", "k8s") as keystone,
        process("simulators.contrail", "--auth", "keystone", "--keystone-url", keystone, *secure) as contrail,
        requests.Session() as session,
    ):
        session.trust_env = False
        session.verify, session.cert = str(authority.file), (str(client.certificate), str(client.key))
        shown = {"X-Auth-Token": token_of(keystone, user="kube", password="hunter2", project="k8s")}
        assert contrail.startswith("https://")
        assert session.get(contrail, headers=shown, timeout=5).status_code == 200
        assert session.get(contrail, timeout=5).status_code == 401
        session.cert = None
        session.close()
        with pytest.raises(requests.ConnectionError):
            session.get(contrail, headers=shown, timeout=5)
