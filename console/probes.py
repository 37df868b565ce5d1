"""Asking the parts that a run does not start itself whether they are there, before anything is started.

Each raises SettingsError naming what does not answer, where, and what to do.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path

import requests
from sqlalchemy import Engine

from schemas.errors import ContrailKubeError, SettingsError
from schemas.store.migrate import migrate
from watchers.connection import Connection, from_kubeconfig

TIMEOUT = 5.0


def database(engine: Engine) -> None:
    """Bring the database to this version's schema."""
    try:
        migrate(engine)
    except ContrailKubeError as error:
        raise SettingsError(
            f"the database is not usable: {error}. Check --database (or leave it out: then an embedded one is started)"
        ) from error


def contrail_api(url: str) -> None:
    """The Contrail config API answers at its root."""
    session = requests.Session()
    session.trust_env = False
    try:
        answer = session.get(url, timeout=TIMEOUT)
    except requests.RequestException as error:
        raise SettingsError(
            f"the Contrail API at {url} does not answer ({_cause(error)}). Check --contrail-api and that the API runs "
            "(or leave it out: then a simulated one is started)"
        ) from error
    finally:
        session.close()
    if answer.status_code in (401, 403):
        raise SettingsError(f"the Contrail API at {url} refuses us: {answer.status_code} {answer.text[:200].strip()}")
    if answer.status_code >= 500 or "href" not in answer.text:
        raise SettingsError(
            f"what answers at {url} is no Contrail API: {answer.status_code} {answer.text[:100].strip()!r}"
        )


def brokers(servers: Sequence[str]) -> None:
    """At least one broker accepts connections."""
    reasons = []
    for server in servers:
        host, _, port = server.rpartition(":")
        if not (host and port.isascii() and port.isdigit()):
            reasons.append(f"{server}: not host:port")
            continue
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=TIMEOUT).close()
            return
        except (OSError, OverflowError) as error:
            reasons.append(f"{server}: {error}")
    raise SettingsError(
        f"no Kafka broker answers ({'; '.join(reasons)}). Check --kafka and that a broker runs "
        "(or leave it out: then a log directory is the bus)"
    )


def kubernetes_api(kubeconfig: Path, context: str) -> None:
    """The API server of the kubeconfig's context ('' is its current one) lets us list namespaces."""
    try:
        connection = Connection(from_kubeconfig(str(kubeconfig), context), connect_timeout=TIMEOUT)
    except SettingsError as error:
        raise SettingsError(
            f"--kubeconfig {kubeconfig} is no kubeconfig that can be used ({error.__cause__ or error}). "
            "Name the file with which kubectl reaches the cluster"
        ) from error
    path = "/api/v1/namespaces"
    try:
        answer = connection.request("GET", path, query={"limit": "1"}, read_timeout=TIMEOUT)
        connection.read(answer, doing=f"GET {connection.server}{path}")
    except ContrailKubeError as error:
        raise SettingsError(f"the Kubernetes API of --kubeconfig {kubeconfig} is not usable: {error}") from error
    finally:
        connection.close()


def _cause(error: BaseException) -> str:
    """The innermost reason of an HTTP client's nested error."""
    reason: object = error
    while isinstance(reason, BaseException):
        inner = getattr(reason, "reason", None) or next((a for a in reason.args if isinstance(a, BaseException)), None)
        if not isinstance(inner, BaseException):
            break
        reason = inner
    return str(reason).rpartition(": ")[2].strip("')>")
