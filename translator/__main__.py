"""`python -m translator [run | replay]`: follow the bus into the store, or replay a log into an empty one.

Exit codes: 0 done or stopped as asked, 1 something that only a person can mend, 2 wrong settings.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from schemas.errors import ContrailKubeError, SettingsError
from schemas.health import Health, HealthServer
from schemas.logs import configure
from schemas.settings import (
    BusSettings,
    ClusterSettings,
    DatabaseSettings,
    KafkaSettings,
    ProcessSettings,
    check_unknown,
    describe,
    from_env,
)
from translator.replay_command import replay_log
from translator.service import Settings, Translator, tune_garbage_collector
from translator.settings import TranslatorSettings

logger = logging.getLogger("translator")


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run one command; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        check_unknown(environ, [TranslatorSettings])
        process = from_env(ProcessSettings, environ)
        settings = Settings(
            cluster=from_env(ClusterSettings, environ),
            bus=from_env(BusSettings, environ),
            kafka=from_env(KafkaSettings, environ),
            database=from_env(DatabaseSettings, environ),
            translator=from_env(TranslatorSettings, environ),
        )
        if options.command == "replay":
            configure("translator", level=process.log_level, log_format="text")
            return replay_log(
                settings, directory=options.log, database=options.database, into_existing=options.into_existing
            )
        configure("translator", level=process.log_level, log_format=process.log_format)
        return _serve(settings, process, migrate=options.migrate)
    except SettingsError as error:
        sys.stderr.write(f"translator: {error}\n")
        return 2
    except ContrailKubeError as error:
        sys.stderr.write(f"translator: {error}\n")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m translator", description="Keep the desired state of Contrail, from the log of Kubernetes facts."
    )
    parser.add_argument("--migrate", action="store_true", help="bring the database's schema to this version first")
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("run", help="follow the bus until told to stop (the default)")
    again = commands.add_parser("replay", help="take a whole log in, and print the digest of the desired state")
    again.add_argument(
        "--log", type=Path, required=True, help="log directory, one topic inside it, or a recording's file"
    )
    again.add_argument(
        "--database", default="memory", help="postgresql:// URL of an empty database (default: %(default)s, a dry run)"
    )
    again.add_argument(
        "--into-existing", action="store_true", help="replay even into a database that holds something already"
    )
    parser.set_defaults(command="run")
    return parser


def _serve(settings: Settings, process: ProcessSettings, *, migrate: bool) -> int:
    if migrate:
        settings = replace(settings, translator=replace(settings.translator, migrate=True))
    own = (settings.translator, settings.cluster, settings.bus, settings.kafka, settings.database, process)
    health = Health()
    translator = Translator(settings, health=health)
    logger.info("starting %s", describe(*own))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: translator.stop())
    tune_garbage_collector()
    if process.health_port:
        with HealthServer(health, host=process.health_host, port=process.health_port):
            translator.run()
    else:
        translator.run()
    logger.info("stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
