"""`python -m applier [run | plan | audit | retry | adopt]`: make Contrail follow the store, or see what is to do."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from types import FrameType

from applier.adoption.command import ADOPT
from applier.audit.command import AUDIT
from applier.audit.settings import AuditSettings
from applier.command import Command, Invocation
from applier.commands import PLAN, RETRY
from applier.service import CONNECTIONS, Applier, Settings
from applier.settings import ApplierSettings
from schemas.errors import ContrailKubeError, SettingsError
from schemas.health import Health, HealthServer
from schemas.logs import configure
from schemas.settings import (
    ClusterSettings,
    ContrailSettings,
    DatabaseSettings,
    ProcessSettings,
    check_unknown,
    describe,
    from_env,
)
from schemas.store.engine import connect

logger = logging.getLogger("applier")

GRACE = 7.0
"""Seconds from the end of the time to drain to that of the process: with the default, 27 s after SIGTERM."""


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run one command; returns the exit code: 0 done, 1 failed, 2 wrong use."""
    options = _parser().parse_args(arguments)
    try:
        check_unknown(environ, [ApplierSettings, AuditSettings])
        process = from_env(ProcessSettings, environ)
        settings = Settings(
            cluster=from_env(ClusterSettings, environ),
            database=from_env(DatabaseSettings, environ),
            contrail=from_env(ContrailSettings, environ),
            applier=from_env(ApplierSettings, environ),
            audit=from_env(AuditSettings, environ),
        )
        engine = connect(settings.database, application=f"applier {options.command}", pool_size=CONNECTIONS)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    configure("applier", level=process.log_level, log_format=process.log_format)
    try:
        command = next(each for each in COMMANDS if each.name == options.command)
        return command.run(options, Invocation(settings, process, engine, out=sys.stdout, err=sys.stderr))
    except ContrailKubeError as error:
        sys.stderr.write(f"{error}\n")
        return 2 if isinstance(error, SettingsError) else 1
    finally:
        engine.dispose()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m applier", description="Make Contrail follow the store.")
    commands = parser.add_subparsers(dest="command")
    for command in COMMANDS:
        command.options(commands.add_parser(command.name, help=command.help))
    parser.set_defaults(command=RUN.name)
    return parser


def _run(options: argparse.Namespace, invocation: Invocation) -> int:
    settings, process = invocation.settings, invocation.process
    topics = (settings.cluster, settings.database, settings.contrail, settings.applier, settings.audit, process)
    logger.info("starting %s", describe(*topics))
    health = Health()
    applier = Applier(settings, health=health, engine=invocation.engine)

    def stop(signum: int, frame: FrameType | None) -> None:
        logger.info("stopping signal=%s", signal.Signals(signum).name)
        applier.stop()
        _end_within(settings.applier.drain_timeout + GRACE)

    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, stop)
    server = HealthServer(health, host=process.health_host, port=process.health_port) if process.health_port else None
    try:
        if server is not None:
            server.start()
        applier.run()
    finally:
        if server is not None:
            server.close()
    logger.info("stopped")
    return 0


def _end_within(seconds: float) -> None:
    """End the process then, whatever hangs: a call or a statement that no server answers. All state is in the store."""

    def end() -> None:
        logger.error("ending now: calls or statements under way did not end within seconds=%.0f", seconds)
        logging.shutdown()
        os._exit(1)

    last = threading.Timer(seconds, end)
    last.daemon = True
    last.start()


RUN = Command("run", "work until told to stop (the default)", _run)
COMMANDS = (RUN, PLAN, AUDIT, RETRY, ADOPT)
"""Every sub-command, in the order of the help."""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
