"""`python -m watchers [run | once | record FILE | feedback]`: watch the Kubernetes API and publish what changes.

`run` does so until SIGTERM or SIGINT; `once` publishes one snapshot of every kind and ends; `record` writes the same
events into one Avro file, for `python -m translator replay --log FILE`, and nothing anywhere else. `feedback` is the
other way: it tells the users of Kubernetes what became of what they asked for (watchers/feedback).

Exit codes: 0 stopped as asked, 1 something that only a person can mend, 2 wrong settings.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from schemas.bus.log_file import FileProducer
from schemas.bus.open import open_producer
from schemas.bus.port import Producer
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
from watchers.feedback.command import serve as serve_feedback
from watchers.recording import report
from watchers.register_memory import RegisterMemory
from watchers.service import run
from watchers.settings import WatchersSettings

logger = logging.getLogger("watchers")


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run one command with the settings of an environment; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "feedback":
            serve_feedback(environ)
        else:
            _serve(environ, once=options.command == "once", recording=getattr(options, "file", None))
    except SettingsError as error:
        sys.stderr.write(f"watchers: {error}\n")
        return 2
    except ContrailKubeError as error:
        sys.stderr.write(f"watchers: {error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m watchers", description="Publish what changes in Kubernetes.")
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("run", help="publish until told to stop (the default)")
    commands.add_parser("once", help="publish one snapshot of every kind, and end")
    commands.add_parser("feedback", help="write status, annotations and Events into the cluster until told to stop")
    record = commands.add_parser("record", help="write the events to a file until Ctrl-C; nothing else is written")
    record.add_argument("file", type=Path, metavar="FILE", help="Avro file to be made")
    parser.set_defaults(command="run")
    return parser


def _serve(environ: Mapping[str, str], *, once: bool, recording: Path | None) -> None:
    check_unknown(environ, (WatchersSettings,))
    process = from_env(ProcessSettings, environ)
    settings, cluster = from_env(WatchersSettings, environ), from_env(ClusterSettings, environ)
    bus, kafka = from_env(BusSettings, environ), from_env(KafkaSettings, environ)
    if bus.kind == "kafka" and kafka.retention_hours * 3600 < 2 * settings.resync_seconds and recording is None:
        raise SettingsError(
            f"CONTRAIL_KUBE_KAFKA_RETENTION_HOURS={kafka.retention_hours} is less than twice"
            f" CONTRAIL_KUBE_WATCHERS_RESYNC_SECONDS={settings.resync_seconds:.0f}: records would go before a snapshot"
            " replaces them"
        )
    if recording is None:
        configure("watchers", level=process.log_level, log_format=process.log_format)
    else:
        configure("watchers", level="WARNING", log_format="text")
    load = discovered(settings.kubeconfig, settings.context, environ)
    load()  # before the first line: what cannot be loaded is one line, and the end
    logger.info("starting %s", describe(settings, cluster, bus, kafka, process))
    stop, health = threading.Event(), Health()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with ExitStack() as stack:
        if process.health_port:
            stack.enter_context(HealthServer(health, host=process.health_host, port=process.health_port))
        topic, register = bus.topic_of(cluster.name), None

        def open_bus() -> Producer:
            return open_producer(bus, kafka, cluster.name, client="watchers")

        opening: Callable[[], Producer] = open_bus
        if recording is not None:
            file = FileProducer(recording, topic)
            stack.callback(file.close)
            stack.enter_context(_reporting(file, health))
            opening, register = (lambda: file), RegisterMemory()
        run(
            settings,
            cluster=cluster.name,
            load=load,
            open_producer=opening,
            stop=stop,
            health=health,
            version=_version(),
            register=register,
            once=once,
        )
        if recording is not None:
            sys.stdout.write(f"recorded {file.records:,} records in {recording}\n")
    logger.info("stopped")


@contextmanager
def _reporting(file: FileProducer, health: Health) -> Iterator[None]:
    done = threading.Event()
    thread = threading.Thread(target=report, args=(file, health.why_not_ready, done), name="report", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _version() -> str:
    try:
        return version("contrail-kube")
    except PackageNotFoundError:  # run from a tree that was not installed
        return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
