"""Asking the parts that a run does not start itself whether they are there, before anything is started.

Each raises SettingsError naming what does not answer, where, and what to do.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sqlalchemy import Engine

from applier.client import ContrailClient
from applier.outcome import Call, Verdict, classify
from schemas.errors import ContrailDenied, ContrailKubeError, ContrailUnavailable, SettingsError
from schemas.settings import ContrailSettings
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


def contrail_api(settings: ContrailSettings) -> None:
    """One of the endpoints answers as a Contrail config API does, and lets us ask."""
    settings = replace(
        settings,
        connect_timeout=min(TIMEOUT, settings.connect_timeout),
        read_timeout=min(TIMEOUT, settings.read_timeout),
    )
    where = f"the Contrail API at {', '.join(settings.urls)}"
    client = ContrailClient(settings, pool_size=1)
    try:
        answer = client.fqname_to_id("global-system-config", ["default-global-system-config"])
    except ContrailDenied as error:
        raise SettingsError(f"{where} cannot be asked: {error}") from error
    except ContrailUnavailable as error:
        raise SettingsError(
            f"{where} does not answer ({error}). Check --contrail-api and that the API runs "
            "(or leave it out: then a simulated one is started)"
        ) from error
    finally:
        client.close()
    outcome = classify(Call.LOOKUP, answer)
    if outcome.verdict is Verdict.DENIED:
        raise SettingsError(f"{where} refuses us: {outcome.reason}")
    if outcome.verdict not in (Verdict.DONE, Verdict.GONE):
        raise SettingsError(f"what answers is no Contrail API, or not well: {where}: {outcome.reason}")


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
