"""The command `python -m watchers feedback` (shell): settings, signals, health, and the feedback itself."""

from __future__ import annotations

import logging
import signal
from collections.abc import Mapping
from contextlib import ExitStack

from schemas.health import Health, HealthServer
from schemas.logs import configure
from schemas.settings import ClusterSettings, DatabaseSettings, ProcessSettings, check_unknown, describe, from_env
from schemas.store.engine import connect
from watchers.connection import discovered
from watchers.feedback.service import Feedback
from watchers.feedback.settings import FeedbackSettings

logger = logging.getLogger(__name__)

CONNECTIONS = 2


def serve(environ: Mapping[str, str]) -> None:
    """Feed back until SIGTERM or SIGINT; raises SettingsError, and what only a person can mend."""
    check_unknown(environ, (FeedbackSettings,))
    process, settings = from_env(ProcessSettings, environ), from_env(FeedbackSettings, environ)
    cluster, database = from_env(ClusterSettings, environ), from_env(DatabaseSettings, environ)
    configure("feedback", level=process.log_level, log_format=process.log_format)
    load = discovered(settings.kubeconfig, settings.context, environ)
    load()  # before the first line: what cannot be loaded is one line, and the end
    logger.info("starting %s", describe(settings, cluster, database, process))
    health = Health()
    with ExitStack() as stack:
        engine = connect(database, application="feedback", pool_size=CONNECTIONS)
        stack.callback(engine.dispose)
        if process.health_port:
            stack.enter_context(HealthServer(health, host=process.health_host, port=process.health_port))
        feedback = Feedback(settings, cluster=cluster.name, load=load, engine=engine, health=health)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: feedback.stop())
        feedback.run()
    logger.info("stopped")
