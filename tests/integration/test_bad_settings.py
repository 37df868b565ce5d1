"""Wrong settings, as a person sees them: each process ends with one line that names the culprit, and exit code 2."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from console.ports import free_port
from console.postgres import EmbeddedPostgres
from simulators.contrail.faults import Fault, Trouble
from simulators.contrail.server import ContrailSimulator
from tests.integration.troubled import NAME, kubeconfig, place, stranger
from tests.rigs.services import ROOT
from tests.watchers.fake_cluster import FakeCluster, refusal

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]


@dataclass(frozen=True, slots=True)
class Refused:
    """A command with settings that it cannot have, and what it shall say."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    said: tuple[str, ...]


def of(command: str, name: str, value: str, *said: str, **more: str) -> Refused:
    """One wrong setting, among right ones."""
    return Refused(tuple(command.split()), {**more, NAME + name: value}, (NAME + name, *said))


NODE_NAME = {f"{NAME}CNI_NODE_NAME": "node-a"}


WRONG_SETTINGS = (
    of("watchers", "WATCHERS_RESYNC_SECOND", "60", f"did you mean {NAME}WATCHERS_RESYNC_SECONDS?"),
    of("watchers", "BUS_PARTITIONS", "four", "expected a whole number"),
    Refused(("watchers",), {}, ("kubeconfig", f"{NAME}WATCHERS_KUBECONFIG")),
    of("translator", "DATABSE_URL", "postgresql://x/y", f"did you mean {NAME}DATABASE_URL?"),
    of("translator", "DATABASE_URL", "127.0.0.1:5432", "no database URL"),
    of("translator", "DATABASE_URL_FILE", "/nonexistent/password", "cannot be read: No such file"),
    of("applier", "CONTRAIL_URL", "http://x", f"did you mean {NAME}CONTRAIL_URLS?"),
    of("applier", "CLUSTER_POD_SUBNETS", "10.32.0.0/99", "'10.32.0.0/99' is no subnet"),
    of("applier", "DATABASE_URL_FILE", "/nonexistent/password", "cannot be read: No such file"),
    of("cni", "CNI_NODENAME", "node-a", f"did you mean {NAME}CNI_NODE_NAME?"),
    of("cni", "PROCESS_HEALTH_PORT", "94640", "accepted are 0 to 65535", **NODE_NAME),
    of("cni", "DATABASE_URL", "mysql://x/y", "only postgresql:// is supported", **NODE_NAME),
    Refused(("cni",), {}, (f"{NAME}CNI_NODE_NAME is not set",)),
    of("console up", "BUS_KINDS", "kafka", f"did you mean {NAME}BUS_KIND?"),
    of("console up", "BUS_KIND", "rabbit", "accepted are 'kafka' and 'log'"),
    of("console up", "DATABASE_URL_FILE", "/nonexistent/password", "cannot be read: No such file"),
)


def test_wrong_settings_end_every_service_with_one_line_and_exit_code_2(tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(NAME) and name != "KUBECONFIG"}
    base = {**kept, "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}
    with ExitStack() as stack:
        started = []
        for each in WRONG_SETTINGS:
            command = [sys.executable, "-m", *each.command]
            process = subprocess.Popen(
                command, env={**base, **each.environment}, cwd=tmp_path, stdout=-1, stderr=-1, text=True
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            started.append(process)
        for each, process in zip(WRONG_SETTINGS, started, strict=True):
            output, error = process.communicate(timeout=60)
            assert (process.returncode, output) == (2, ""), (each, error)
            assert len(error.splitlines()) == 1, (each, error)
            assert all(word in error for word in each.said), (each, error)


def test_a_health_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with FakeCluster() as cluster:
        port = cluster.api.url.rpartition(":")[2]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), f"{NAME}PROCESS_HEALTH_PORT": port}
        done = subprocess.run(
            [sys.executable, "-m", "translator"], env=environment, cwd=tmp_path, capture_output=True, text=True
        )
    assert done.returncode == 2
    assert f"{NAME}PROCESS_HEALTH_PORT={port}: cannot listen on 127.0.0.1:{port}" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


@pytest.mark.postgres
@pytest.mark.slow
def test_up_names_what_refuses_it_in_one_line_and_ends(postgres_server: EmbeddedPostgres, tmp_path: Path) -> None:
    with ExitStack() as stack, stranger(postgres_server) as refusing:
        contrails = [stack.enter_context(ContrailSimulator()) for _ in range(2)]
        for contrail, status in zip(contrails, (401, 200), strict=True):
            contrail.faults.add(Fault(Trouble.STATUS, count=None, status=status, text="<html>Log in</html>"))
        cluster = stack.enter_context(FakeCluster())
        cluster.api.script = lambda request: refusal(401, "Unauthorized")
        refused = kubeconfig(tmp_path / "refused", cluster.api.url)
        away = kubeconfig(tmp_path / "away", f"http://127.0.0.1:{free_port()}")
        cases = {
            ("--contrail-api", contrails[0].url): (contrails[0].url, "refuses us: Contrail answered 401"),
            ("--contrail-api", contrails[1].url): (contrails[1].url, "is no Contrail API"),
            ("--database", refusing): (place(refusing), "password authentication failed", "--database"),
            ("--kubeconfig", refused): (cluster.api.url, "401 Unauthorized", "is the token"),
            ("--kubeconfig", away): ("http://127.0.0.1:", "is the API server running"),
        }
        base = {name: value for name, value in os.environ.items() if not name.startswith(NAME)}
        for arguments, words in cases.items():
            done = subprocess.run(
                [sys.executable, "-m", "console", "up", *arguments],
                env={**base, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=60,
            )
            assert (done.returncode, done.stdout) == (2, ""), done.stderr
            assert len(done.stderr.splitlines()) == 1, done.stderr
            assert all(word in done.stderr for word in words), (words, done.stderr)
