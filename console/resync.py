"""`contrail-kube resync`: have the watchers list a kind anew, and confirm a listing that they do not believe."""

from __future__ import annotations

import os
from pathlib import Path

import click

from console.settings import check_environment
from console.terminal import inert
from schemas.errors import KubernetesUnavailable, SettingsError
from schemas.settings import from_env
from watchers.connection import Connection, discovered
from watchers.kinds import KINDS
from watchers.lease import Lease
from watchers.settings import WatchersSettings
from watchers.wishing import Answer, Counter, FileCounter, LeaseCounter, ask

EXIT_HELD = 1
"""The snapshot was made and is not believed."""


@click.command()
@click.argument("kind", type=click.Choice([kind.name for kind in KINDS], case_sensitive=False))
@click.option("--confirm", is_flag=True, help="The next listing is right, however many objects it lacks.")
@click.option("--state", type=click.Path(path_type=Path), help="Directory of a running `contrail-kube up --state`.")
@click.option("--kubeconfig", default="", help="Of the cluster; else as the settings of the watchers say.")
@click.option("--seconds", type=click.FloatRange(1, 3600), default=60.0, show_default=True, help="How long to wait.")
@click.pass_context
def resync(
    context: click.Context, kind: str, confirm: bool, state: Path | None, kubeconfig: str, seconds: float
) -> None:
    """Have the watchers make a new snapshot of KIND now.

    A snapshot that lacks far more objects than expected deletes nothing until a person says --confirm: then
    everything goes that the next listing does not show. Exit code 1: the snapshot is not believed.
    """
    check_environment(dict(os.environ))
    counter = _counter(state, kubeconfig)
    answer = ask(counter, kind, confirmed=confirm, seconds=seconds)
    if answer is None:
        raise KubernetesUnavailable(
            f"no watcher made a snapshot of {kind} within {seconds:.0f} s, the wish was taken back:"
            " does one run, and is its /readyz content?"
        )
    click.echo(_text(kind, answer))
    if answer.held:
        context.exit(EXIT_HELD)


def _counter(state: Path | None, kubeconfig: str) -> Counter:
    if state is not None:
        return FileCounter(_existing(state / "epochs"))
    settings = from_env(WatchersSettings, os.environ)
    if settings.epoch_file:
        return FileCounter(_existing(Path(settings.epoch_file)))
    connection = Connection(discovered(kubeconfig or settings.kubeconfig, settings.context, os.environ))
    return LeaseCounter(Lease(connection, namespace=settings.lease_namespace, name=settings.lease_name))


def _existing(path: Path) -> Path:
    if not path.exists():
        raise SettingsError(f"{path} does not exist: no watcher keeps its epochs there")
    return path


def _text(kind: str, answer: Answer) -> str:
    if answer.held:
        return f"{kind}: {inert(answer.held)}; if that is right: contrail-kube resync --confirm {kind}"
    return f"{kind}: snapshot {answer.epoch} ended, {answer.objects:,} objects"
