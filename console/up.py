"""`contrail-kube up`: the whole pipeline in one terminal, until Ctrl-C or until everything is applied."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.live import Live

from console import observe, plain
from console.keys import Keys
from console.pipeline import Interrupted, Pipeline
from console.plan import Plan, make_plan
from console.screen import View, draw, page_rows
from console.settings import check_environment, external
from console.terminal import inert
from schemas.errors import ContrailKubeError

FRAME = 0.25
"""Seconds between two pictures of the live screen."""
PROGRESS = 2.0
"""Seconds between two progress lines, at least."""
MAX_LEFTOVERS = 50


class Signals:
    """SIGINT, SIGTERM and SIGHUP as flags: the first one asks to stop, the second to hurry."""

    def __init__(self) -> None:
        self._count = 0

    def stopping(self) -> bool:
        """Whether a person asked to stop."""
        return self._count > 0

    def hurry(self) -> bool:
        """Whether they asked again."""
        return self._count > 1

    @contextmanager
    def installed(self) -> Iterator[Signals]:
        """Take the signals while inside."""
        names = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {name: signal.signal(name, self._receive) for name in names}
        try:
            yield self
        finally:
            for name, handler in before.items():
                signal.signal(name, handler)

    def _receive(self, number: int, frame: object) -> None:
        self._count += 1


@click.command()
@click.option("--kubeconfig", type=click.Path(path_type=Path), help="Follow the cluster of this kubeconfig file.")
@click.option("--log", type=click.Path(path_type=Path), help="Read this recorded log directory; it is not written to.")
@click.option("--kafka", metavar="SERVERS", default="", help="Use these Kafka brokers (host:port,…) as the bus.")
@click.option("--database", metavar="URL", default="", help="Use this PostgreSQL database; it is migrated.")
@click.option("--contrail-api", metavar="URLS", default="", help="Use this Contrail config API (http://host:port,…).")
@click.option(
    "--feedback/--no-feedback",
    default=None,
    help="Write addresses and Events into the cluster of --kubeconfig; by default with --contrail-api only.",
)
@click.option("--state", type=click.Path(path_type=Path), help="Keep everything in this directory, and go on from it.")
@click.option("--resume", is_flag=True, help="The database of --database was filled by such a run before.")
@click.option("--once", is_flag=True, help="Also with a terminal: end when everything is applied.")
@click.option("--plain", "plainly", is_flag=True, help="No live screen, as without a terminal.")
def up(
    kubeconfig: Path | None,
    log: Path | None,
    kafka: str,
    database: str,
    contrail_api: str,
    feedback: bool | None,
    state: Path | None,
    resume: bool,
    once: bool,
    plainly: bool,
) -> None:
    """Run the whole pipeline here: embedded PostgreSQL, a log directory as the bus, a simulated Contrail API.

    Without --kubeconfig, --log or --kafka it plays the recording that comes with the package. With a terminal it
    shows the pods live until Ctrl-C; without one it prints the final table when everything is applied.
    """
    check_environment(os.environ)
    plan = make_plan(
        environ=os.environ,
        kubeconfig=kubeconfig,
        log=log,
        kafka=external(os.environ, "kafka", kafka),
        database=external(os.environ, "database", database),
        contrail=external(os.environ, "contrail", contrail_api),
        state=state,
        resume=resume,
        feedback=feedback,
    )
    live = sys.stdout.isatty() and not plainly
    with Signals().installed() as signals:
        code = run(plan, os.environ, signals=signals, live=live, once=once or not live)
    sys.exit(code)


def run(plan: Plan, environ: Mapping[str, str], *, signals: Signals, live: bool, once: bool) -> int:
    """One run from start to stop; returns the exit code."""
    _quiet_logging(to_terminal=not live)
    pipeline = Pipeline(plan, environ, stopping=signals.stopping, hurry=signals.hurry, say=_say)
    try:
        with pipeline:
            _say(f"logs and state are in {pipeline.state.path}" + ("" if pipeline.state.kept else " (until the end)"))
            settled = _live(pipeline, signals, once=once) if live else _plainly(pipeline, signals)
            code = _conclude(pipeline) if settled and once else 0
            _say(f"stopping: {plain.progress(pipeline.observer.latest)}" if live else "stopping")
    except Interrupted:
        return 0
    except ContrailKubeError:
        if signals.stopping():  # what was cut short may well complain
            return 0
        raise
    return code


def _live(pipeline: Pipeline, signals: Signals, *, once: bool) -> bool:
    """The live screen; returns whether everything was applied when it ended."""
    console, began, first = Console(), time.monotonic(), 0
    with Keys() as keys, Live(console=console, screen=True, auto_refresh=False) as screen:
        while not signals.stopping():
            pipeline.tick()
            view = _view(pipeline, began)
            width, height = console.size
            rows = page_rows(height, view)
            total = max(view.look.snapshot.interfaces, 1)
            screen.update(draw(view, width=width, height=height), refresh=True)
            if once and view.look.settled:
                return True
            key = keys.wait(FRAME)
            if key == "q":
                return view.look.settled
            first = turn(first, key, rows=rows, total=total)
            pipeline.observer.page = (first, rows)
    return False


def turn(first: int, key: str, *, rows: int, total: int) -> int:
    """First row of the page after a key: n or space forward, p back, g to the beginning."""
    last = (total - 1) // rows * rows
    step = {"n": rows, " ": rows, "p": -rows, "g": -total}.get(key, 0)
    return max(0, min(last, first + step))


def _view(pipeline: Pipeline, began: float) -> View:
    now = time.monotonic()
    return View(
        title=pipeline.plan.describe(),
        elapsed=now - began,
        look=pipeline.observer.latest,
        standings=pipeline.standings(),
        now=now,
        notes=pipeline.notes(),
    )


def _plainly(pipeline: Pipeline, signals: Signals) -> bool:
    """Progress lines on standard error; returns whether everything was applied when it ended."""
    said, said_at = "", time.monotonic()
    while not signals.stopping():
        pipeline.tick()
        look = pipeline.observer.latest
        if look.settled:
            _say(plain.progress(look))
            return True
        now = time.monotonic()
        if now - said_at >= PROGRESS:
            text = "\n".join((plain.progress(look), *plain.service_lines(pipeline.standings(), look)))
            if text != said:
                _say(text)
            said, said_at = text, now
        time.sleep(0.1)
    _say(f"stopped before everything was applied: {plain.progress(pipeline.observer.latest)}")
    return False


def _conclude(pipeline: Pipeline) -> int:
    """Print the final table, and what is left over below it; returns the exit code."""
    plan, engine = pipeline.plan, pipeline.engine
    for line in plain.pod_table(observe.all_pods(engine, cluster=plan.cluster)):
        click.echo(line)
    troubles, letters = observe.troubles(engine, cluster=plan.cluster, rows=MAX_LEFTOVERS)
    look = pipeline.observer.latest
    left = look.snapshot.counts.unapplied("blocked", "dead") + look.snapshot.counts.dead_letters
    if not left:
        return 0
    click.echo()
    for line in plain.leftovers(troubles, letters, more=left - len(troubles) - len(letters)):
        click.echo(line)
    return 1


def _say(line: str) -> None:
    click.echo(f"{time.strftime('%H:%M:%S')} {line}", err=True)


class _Voice(logging.Handler):
    """Our own warnings, said like everything else."""

    def emit(self, record: logging.LogRecord) -> None:
        _say(inert(record.getMessage()))


def _quiet_logging(*, to_terminal: bool) -> None:
    """Our own warnings go to standard error, but not across the live screen, which shows them itself."""
    root = logging.getLogger()
    root.handlers[:] = [_Voice() if to_terminal else logging.NullHandler()]
    root.setLevel(logging.WARNING)
