"""A service beside a neighbour that is away or refuses: what it says of that, how often, and at what cost."""

from __future__ import annotations

import contextlib
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
from sqlalchemy import Engine, text

from console.ports import free_port
from console.postgres import EmbeddedPostgres
from tests.rigs.services import Service, Services, terminate_all

NAME = "CONTRAIL_KUBE_"
WATCHED_SECONDS = 2.0
CPU_SHARE = 0.2
"""Most of one core that a service may take while it waits."""
STOP_SECONDS = 8.0
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Troubled:
    """A service that was started; `part` of its /readyz and one line of its log shall hold all of `words`."""

    service: Service
    port: int
    part: str
    words: tuple[str, ...]

    def ready(self) -> str:
        """What /readyz answers, with its status in front."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5) as answer:
                return f"{answer.status} {answer.read().decode()}"
        except urllib.error.HTTPError as error:
            with error:
                return f"{error.code} {error.read().decode()}"
        except OSError:
            return ""

    def is_ready(self) -> bool:
        """Whether it serves."""
        return self.ready() == "200 ok\n"

    def explains(self) -> bool:
        """Whether /readyz is 503 and says of the part what was expected."""
        status, _, text = self.ready().partition(" ")
        reasons = [line for line in text.splitlines() if line.startswith(f"{self.part}: ")]
        return status == "503" and any(all(word in line for word in self.words) for line in reasons)

    def warnings(self) -> list[str]:
        """Messages of its log, from WARNING on."""
        lines = [json.loads(line) for line in self.service.log.read_text().splitlines() if line.startswith("{")]
        return [line["message"] for line in lines if line["level"] in ("WARNING", "ERROR", "CRITICAL")]

    def complaints(self) -> list[str]:
        """The warnings that hold all words."""
        return [each for each in self.warnings() if all(word in each for word in self.words)]

    def cpu_seconds(self) -> float:
        """Processor time that its process has used."""
        fields = Path(f"/proc/{self.service.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS


def begin(
    running: Services, module: str, environment: Mapping[str, str], *, name: str, part: str, words: Sequence[str]
) -> Troubled:
    """Start a service whose neighbour is in trouble."""
    port = free_port()
    service = running.start(module, {**environment, "CONTRAIL_KUBE_PROCESS_HEALTH_PORT": str(port)}, name=name)
    return Troubled(service, port, part, tuple(words))


def expect_patience(running: Services, troubled: Sequence[Troubled]) -> None:
    """Each says once what is wrong, stays, and waits without work; fails with the log of those that do not."""
    for each in troubled:
        running.wait(f"{each.service.name} explains {each.words}", each.explains, seconds=30.0)
    began = time.monotonic()
    used = [each.cpu_seconds() for each in troubled]
    time.sleep(WATCHED_SECONDS)
    seconds = time.monotonic() - began
    for each, before in zip(troubled, used, strict=True):
        name, share = each.service.name, (each.cpu_seconds() - before) / seconds
        assert each.service.running, f"{name} ended: {each.service.tail()}"
        assert share < CPU_SHARE, f"{name} takes {share:.0%} of a core while it waits: {each.service.tail()}"
        assert len(each.complaints()) == 1, (name, each.words, each.warnings())
        said = each.warnings()  # several parts may each have their word
        assert len(set(said)) == len(said), (f"{name} says the same at every try", said)
        assert each.explains(), (name, each.ready())


def expect_end(troubled: Sequence[Troubled]) -> None:
    """SIGTERM ends each soon, with exit code 0 and without a traceback."""
    codes = terminate_all((each.service for each in troubled), within=STOP_SECONDS)
    for each in troubled:
        assert codes[each.service.name] == 0, each.service.tail()
        assert "Traceback" not in each.service.log.read_text()


def count(store: Engine, table: str) -> int:
    with store.connect() as connection:
        return int(connection.scalar(text(f"SELECT count(*) FROM {table}")) or 0)


def kubeconfig(path: Path, server: str, *, authority: Path | None = None) -> str:
    """A kubeconfig file for a server, with its certificate authority if there is one."""
    trust = {"certificate-authority": str(authority)} if authority else {}
    context = {"name": "x", "context": {"cluster": "x", "user": "x"}}
    content: dict[str, Any] = {
        "current-context": "x",
        "contexts": [context],
        "clusters": [{"name": "x", "cluster": {"server": server, **trust}}],
        "users": [{"name": "x", "user": {"token": "token"}}],
    }
    path.write_text(json.dumps(content))
    return str(path)


@contextlib.contextmanager
def stranger(server: EmbeddedPostgres) -> Iterator[str]:
    """A user who needs a password; yields a URL with a wrong one."""
    rules = server.data / "pg_hba.conf"
    before = rules.read_text()
    with psycopg2.connect(server.url()) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE ROLE stranger LOGIN PASSWORD 'right'")
        rules.write_text("host all stranger 127.0.0.1/32 scram-sha-256\n" + before)
        cursor.execute("SELECT pg_reload_conf()")
    try:
        yield f"postgresql://stranger:guessed@{server.url().rpartition('@')[2]}"
    finally:
        rules.write_text(before)
        with psycopg2.connect(server.url()) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT pg_reload_conf()")
            cursor.execute("DROP ROLE stranger")


def place(url: str) -> str:
    """`name on host:port` of a database, as our messages say it."""
    address, _, name = url.rpartition("@")[2].partition("/")
    return f"{name} on {address}"
