"""`contrail-kube status`: one report on a running system, read from its database."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path

import click

from console.bus import BusEnds
from console.plain import columns, leftovers
from console.report import Report, as_json, report
from console.screen import duration
from console.settings import check_environment
from console.state import read_environment
from console.terminal import inert
from schemas.errors import ContrailKubeError, StoreUnavailable
from schemas.settings import ENV_PREFIX, BusSettings, ClusterSettings, DatabaseSettings, KafkaSettings, from_env
from schemas.store.engine import connect
from schemas.store.migrate import require_current
from translator.settings import TranslatorSettings

ASK_SECONDS = 10.0
"""A Kafka consumer group needs some seconds to form."""
_NAMES = "--state DIR, of a running `contrail-kube up --state DIR`, or --database URL"


@click.command()
@click.option("--database", metavar="URL", default="", help="Database of the system; else CONTRAIL_KUBE_DATABASE_URL.")
@click.option("--state", type=click.Path(path_type=Path), help="Directory of a running `contrail-kube up --state`.")
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option(
    "--rows", type=click.IntRange(0, 10_000), default=20, show_default=True, help="Problems to list, at most."
)
def status(database: str, state: Path | None, output: str, rows: int) -> None:
    """Report how far a running system is: offsets, snapshots, what is applied, what is not and why."""
    environ = {**os.environ, **(read_environment(state) if state is not None else {})}
    if database:
        environ.pop(f"{ENV_PREFIX}DATABASE_URL_FILE", None)
        environ[f"{ENV_PREFIX}DATABASE_URL"] = database
    check_environment(environ)
    try:
        found = gather(environ, rows=rows)
    except StoreUnavailable as error:
        raise StoreUnavailable(f"{error} (name another system with {_NAMES})") from error
    click.echo(json.dumps(as_json(found), indent=2) if output == "json" else "\n".join(as_text(found)))


def gather(environ: Mapping[str, str], *, rows: int) -> Report:
    """The report on the system that the settings name."""
    cluster = from_env(ClusterSettings, environ).name
    engine = connect(from_env(DatabaseSettings, environ), application="contrail-kube status", pool_size=1)
    try:
        require_current(engine)
        ends, why = _ends(environ, cluster)
        topic = from_env(BusSettings, environ).topic_of(cluster)
        consumer = from_env(TranslatorSettings, environ).consumer
        return report(engine, cluster=cluster, topic=topic, consumer=consumer, ends=ends, bus=why, rows=rows)
    finally:
        engine.dispose()


def as_text(found: Report) -> list[str]:
    """The report as lines for a person."""
    counts = found.store.counts
    resources = ", ".join(f"{n:,} {inert(kind)}" for kind, n in sorted(counts.resources.items())) or "nothing yet"
    lines = [
        f"cluster    {inert(found.cluster)}, topic {inert(found.topic)}",
        f"kubernetes {resources}",
        f"objects    {_counts(counts.objects)}",
        f"links      {_counts(counts.links)}",
        f"addresses  {found.store.addressed:,} of {found.store.interfaces:,} allocated",
        f"lag        {'unknown: ' + inert(found.bus) if found.lag is None else f'{found.lag:,} events'}",
        f"oldest     {_oldest(found)}",
        f"letters    {counts.dead_letters:,} dead letters",
        "",
        *_positions(found),
        "",
        *_snapshots(found),
    ]
    if left := leftovers(found.troubles, found.dead_letters):
        lines += ["", *left]
    return lines


def _counts(statuses: Mapping[str, int]) -> str:
    order = ("applied", "pending", "failed", "blocked", "dead")
    return ", ".join(f"{statuses[s]:,} {s}" for s in order if statuses.get(s)) or "none"


def _oldest(found: Report) -> str:
    if found.oldest is None:
        return "everything is applied"
    t = found.oldest.trouble
    return f"{t.status} for {duration(found.oldest.seconds)}: {inert(t.type)} {inert(t.name)}: {inert(t.reason)}"


def _positions(found: Report) -> list[str]:
    rows = [("CONSUMER", "PARTITION", "NEXT", "END", "LAG", "LAST MOVED", "VERSION")]
    for p in found.positions:
        end, lag = ("?", "?") if p.end is None else (str(p.end), str(p.lag))
        moved = f"{duration(p.idle_seconds)} ago"
        rows.append((p.consumer, str(p.partition), str(p.next_offset), end, lag, moved, p.version))
    return columns(rows) if found.positions else ["nothing was read from the bus yet"]


def _snapshots(found: Report) -> list[str]:
    rows = [("SNAPSHOT", "STREAMING", "EPOCHS")]
    for s in found.snapshots:
        low, high = s.epochs
        rows.append(
            (s.kind, f"{s.streaming} of {s.partitions} partitions", f"{low}" if low == high else f"{low}–{high}")
        )
    return columns(rows) if found.snapshots else ["no snapshot was begun yet"]


def _ends(environ: Mapping[str, str], cluster: str) -> tuple[Mapping[int, int] | None, str]:
    """End offsets of the bus, or why they are not known."""
    if f"{ENV_PREFIX}BUS_KIND" not in environ and f"{ENV_PREFIX}BUS_DIRECTORY" not in environ:
        return None, f"{ENV_PREFIX}BUS_KIND is not set, so the bus was not asked"
    asked = BusEnds(bus=from_env(BusSettings, environ), kafka=from_env(KafkaSettings, environ), cluster=cluster)
    deadline = time.monotonic() + ASK_SECONDS
    try:
        while True:
            if (ends := asked()) is not None:
                return ends, ""
            if time.monotonic() > deadline:
                return None, f"the bus gave us no partitions within {ASK_SECONDS:.0f} s"
            time.sleep(0.1)
    except ContrailKubeError as error:
        return None, str(error)
    finally:
        asked.close()
