"""`contrail-kube policy test` and `… matrix`: what policies allow, in manifests or in a running system.

Exit codes: 0 allowed, 1 denied, 2 the question cannot be answered, 3 Kubernetes and Contrail differ.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from console.policy import report
from console.policy.compiled import translated
from console.policy.manifests import read
from console.policy.picture import picture
from console.policy.question import Inquiry, Reply, matrix
from console.policy.stored import load
from console.settings import check_environment
from console.state import read_environment
from console.terminal import inert
from schemas.errors import StoreUnavailable
from schemas.settings import ENV_PREFIX, ClusterSettings, DatabaseSettings, from_env
from schemas.store.engine import connect
from schemas.store.migrate import require_current
from translator.policy.evaluate import Evaluator
from translator.version import settings_record

EXIT_DENIED, EXIT_DIFFERS = 1, 3
_NAMES = "-f FILE, --state DIR of a running `contrail-kube up --state DIR`, or --database URL"
F = TypeVar("F", bound=Callable[..., Any])


def _sources(command: F) -> F:
    """The options that say what is asked."""
    options = (
        click.option(
            "-f",
            "--file",
            "files",
            type=click.Path(path_type=Path),
            multiple=True,
            help="Manifests: a file or directory of YAML or JSON; may be given several times.",
        ),
        click.option("--database", metavar="URL", default="", help="Database of a running system; else its settings'."),
        click.option(
            "--state", type=click.Path(path_type=Path), help="Directory of a running `contrail-kube up --state`."
        ),
        click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.group()
def policy() -> None:
    """Ask what network policies allow, and why: of manifests, or of a running system."""


@policy.command()
@click.option("--from", "source", required=True, metavar="END", help="namespace/pod, or an address.")
@click.option("--to", "target", required=True, metavar="END", help="namespace/pod, or an address.")
@click.option("--port", required=True, metavar="PORT", help="80, 53/UDP, the name of a container port, or ICMP.")
@_sources
@click.pass_context
def test(
    context: click.Context,
    source: str,
    target: str,
    port: str,
    files: tuple[Path, ...],
    database: str,
    state: Path | None,
    output: str,
) -> None:
    """Say whether a connection is allowed, and which rule of which policy decides.

    Exit code 0: allowed; 1: denied; 3: what Contrail is given says something else than Kubernetes means.
    """
    inquiry, notes = _inquiry(files, database, state)
    replies = inquiry.test(source, target, port)
    if output == "json":
        click.echo(json.dumps({"answers": [report.as_json(each) for each in replies], "notes": notes}, indent=2))
    else:
        click.echo("\n".join(report.told(replies)))
    _say(notes if output == "text" else [], replies)
    if any(reply.differs for reply in replies):
        context.exit(EXIT_DIFFERS)
    if not all(reply.allowed for reply in replies):
        context.exit(EXIT_DENIED)


@policy.command(name="matrix")
@click.option(
    "--port", "ports", multiple=True, metavar="PORT", help="As for test; default all that containers declare."
)
@click.option("--namespace", "namespaces", multiple=True, help="Only pods of these namespaces.")
@click.option("--outside", multiple=True, metavar="ADDRESS", help="An address beside the pods; a node's, too.")
@click.option("--by", type=click.Choice(["pod", "namespace"]), default="pod", show_default=True)
@click.option("--family", type=click.Choice(["4", "6"]), help="IPv4 or IPv6; default the first that two ends share.")
@_sources
@click.pass_context
def table(
    context: click.Context,
    ports: tuple[str, ...],
    namespaces: tuple[str, ...],
    outside: tuple[str, ...],
    by: str,
    family: str | None,
    files: tuple[Path, ...],
    database: str,
    state: Path | None,
    output: str,
) -> None:
    """Print what everybody may reach: a row for each source, a column for each target, a grid for each port.

    Exit code 3: what Contrail is given says something else than Kubernetes means, in the cells with an `!`.
    """
    inquiry, notes = _inquiry(files, database, state)
    found = matrix(inquiry, ports=ports, namespaces=namespaces, outside=outside, family=int(family or 0))
    if output == "json":
        click.echo(json.dumps({"answers": [report.as_json(r) for r in found.cells.values()], "notes": notes}, indent=2))
    else:
        drawn = report.grids(found) if by == "pod" else report.grids_of_namespaces(found)
        click.echo("\n".join([*drawn, report.MARKS + (", ~ some" if by == "namespace" else "")]))
    _say(notes if output == "text" else [], found.differing)
    if found.differing:
        context.exit(EXIT_DIFFERS)


def _inquiry(files: Sequence[Path], database: str, state: Path | None) -> tuple[Inquiry, list[str]]:
    """The picture and what Contrail is given for it; notes of what is assumed."""
    environ = {**os.environ, **(read_environment(state) if state is not None else {})}
    if database:
        environ.pop(f"{ENV_PREFIX}DATABASE_URL_FILE", None)
        environ[f"{ENV_PREFIX}DATABASE_URL"] = database
    check_environment(environ)
    cluster = from_env(ClusterSettings, environ)
    if files:
        if database or state is not None:
            raise click.UsageError("-f asks of manifests, --database and --state of a running system: name one of them")
        passed_over: list[str] = []
        seen = picture(read(files, note=passed_over.append), subnets=cluster.pod_subnets, complete=False)
        return Inquiry(seen, Evaluator(translated(seen, settings_record(cluster)))), [*seen.notes, *passed_over]
    try:
        engine = connect(from_env(DatabaseSettings, environ), application="contrail-kube policy", pool_size=1)
        try:
            require_current(engine)
            stored = load(engine, cluster=cluster.name)
        finally:
            engine.dispose()
    except StoreUnavailable as error:
        raise StoreUnavailable(f"{error} (name what is asked with {_NAMES})") from error
    seen = picture(stored.givens, subnets=(), complete=True)
    return Inquiry(seen, Evaluator(stored.rows)), [*seen.notes, *stored.notes]


def _say(notes: Sequence[str], replies: Sequence[Reply]) -> None:
    for each in notes:
        click.echo(f"note: {inert(each)}", err=True)
    for line in report.difference(replies):
        click.echo(line, err=True)
