"""`python -m watchers`: watch the Kubernetes API and publish what changes, until SIGTERM or SIGINT.

Exit codes: 0 stopped as asked, 1 something that only a person can mend, 2 wrong settings.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from importlib.metadata import PackageNotFoundError, version

from schemas.bus.open import open_producer
from schemas.errors import ContrailKubeError, SettingsError
from schemas.health import Health, HealthServer
from schemas.logs import configure
from schemas.settings import (
    BusSettings,
    ClusterSettings,
    KafkaSettings,
    ProcessSettings,
    check_unknown,
    describe,
    from_env,
)
from watchers.connection import discovered
from watchers.service import run
from watchers.settings import WatchersSettings

logger = logging.getLogger("watchers")


def main(environ: Mapping[str, str]) -> int:
    """Run the service with the settings of an environment; returns the exit code."""
    try:
        _serve(environ)
    except SettingsError as error:
        sys.stderr.write(f"watchers: {error}\n")
        return 2
    except ContrailKubeError as error:
        sys.stderr.write(f"watchers: {error}\n")
        return 1
    return 0


def _serve(environ: Mapping[str, str]) -> None:
    check_unknown(environ, (WatchersSettings,))
    process = from_env(ProcessSettings, environ)
    settings, cluster = from_env(WatchersSettings, environ), from_env(ClusterSettings, environ)
    bus, kafka = from_env(BusSettings, environ), from_env(KafkaSettings, environ)
    configure("watchers", level=process.log_level, log_format=process.log_format)
    load = discovered(settings.kubeconfig, settings.context, environ)
    load()  # before the first line: what cannot be loaded is one line, and the end
    logger.info("starting %s", describe(settings, cluster, bus, kafka, process))
    stop, health = threading.Event(), Health()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with ExitStack() as stack:
        if process.health_port:
            stack.enter_context(HealthServer(health, host=process.health_host, port=process.health_port))
        run(
            settings,
            cluster=cluster.name,
            load=load,
            open_producer=lambda: open_producer(bus, kafka, cluster.name, client="watchers"),
            stop=stop,
            health=health,
            version=_version(),
        )
    logger.info("stopped")


def _version() -> str:
    try:
        return version("contrail-kube")
    except PackageNotFoundError:  # run from a tree that was not installed
        return ""


if __name__ == "__main__":
    sys.exit(main(os.environ))
