"""`contrail-kube provision`: a virtual-router in a simulated Contrail for every Node, where `up` is not used."""

from __future__ import annotations

import os
import signal
import threading

import click

from console.provisioner import Provisioner
from console.settings import check_environment
from schemas.logs import configure
from schemas.settings import ClusterSettings, ContrailSettings, DatabaseSettings, ProcessSettings, describe, from_env
from schemas.store.engine import connect


@click.command()
def provision() -> None:
    """Register a virtual-router in a simulated Contrail for every Node, until SIGTERM.

    A real Contrail registers its own when a compute node is installed: do not run this against one.
    """
    check_environment(os.environ)
    process = from_env(ProcessSettings, os.environ)
    database, contrail = from_env(DatabaseSettings, os.environ), from_env(ContrailSettings, os.environ)
    cluster = from_env(ClusterSettings, os.environ).name
    configure("provisioner", level=process.log_level, log_format=process.log_format)
    click.echo(describe(process, database, contrail), err=True)
    ended = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda number, frame: ended.set())
    engine = connect(database, application="provisioner", pool_size=1)
    provisioner = Provisioner(engine=engine, cluster=cluster, api=contrail.urls[0]).start()
    ended.wait()
    provisioner.stop()
    engine.dispose()
