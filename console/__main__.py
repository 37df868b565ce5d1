"""`contrail-kube`: what a person uses. Run it, look at it, list its settings."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version

import click

from console.policy.command import policy
from console.provision import provision
from console.resync import resync
from console.settings import page
from console.status import status
from console.terminal import inert
from console.up import up
from schemas.errors import ContrailKubeError

EXIT_CANNOT = 2
"""The command could not do its work; one line on standard error says why."""


def _version() -> str:
    try:
        return version("contrail-kube")
    except PackageNotFoundError:
        return "(not installed: running from a source tree)"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(_version(), prog_name="contrail-kube")
def cli() -> None:
    """OpenContrail as the network of Kubernetes."""


@cli.command()
def settings() -> None:
    """Print the reference of all settings, in Markdown."""
    click.echo(page(), nl=False)


cli.add_command(up)
cli.add_command(provision)
cli.add_command(status)
cli.add_command(resync)
cli.add_command(policy)


def main() -> None:
    """Entry point."""
    try:
        cli.main(prog_name="contrail-kube")
    except ContrailKubeError as error:
        click.echo(f"contrail-kube: {inert(str(error))}", err=True)
        sys.exit(EXIT_CANNOT)


if __name__ == "__main__":
    main()
