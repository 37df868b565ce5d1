"""`python -m applier audit`: one audit now, its findings as a table or as JSON (shell)."""

from __future__ import annotations

import json
import signal
import threading
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TextIO

from applier.audit import ledger
from applier.audit.auditor import Auditor, Orders
from applier.audit.calls import Stopped
from applier.audit.ledger import Filed
from applier.audit.report import Report, alarms
from applier.audit.settings import AuditSettings
from applier.audit.values import Problem
from applier.client import ContrailClient
from applier.command import Command, Invocation, count
from applier.progress import Progress
from applier.writer import OwnerMark
from schemas.errors import StoreUnavailable
from schemas.store.engine import store_errors
from schemas.store.migrate import require_current

_DONE = {"pruned": "deleted", "vanished": "gone by itself"}


def _options(parser: ArgumentParser) -> None:
    parser.add_argument("--repair", action="store_true", help="put right what differs or is missing")
    parser.add_argument("--prune", action="store_true", help="delete orphans that all guards let go")
    parser.add_argument("--budget", type=count, metavar="N", help="most orphans deleted (default: by the settings)")
    parser.add_argument("--output", choices=("table", "json"), default="table")
    parser.add_argument("--limit", type=count, default=200, help="most findings shown (default: %(default)s)")


def _run(options: Namespace, called: Invocation) -> int:
    settings = called.settings
    require_current(called.engine)
    client = ContrailClient(settings.contrail, pool_size=1)
    mark = OwnerMark(settings.cluster.owner, settings.cluster.name)
    stop = threading.Event()
    auditor = Auditor(called.engine, client, mark=mark, settings=settings.audit, stop=stop)
    orders = Orders(repair=options.repair, prune=options.prune, limit=options.budget)
    try:
        with _ended_by_signals(stop), Progress(called.err) as progress:
            report = auditor.audit(orders, progress=progress)
    except Stopped:
        called.err.write("stopped before its end: nothing was concluded\n")
        return 1
    finally:
        client.close()
    if report is None:
        raise StoreUnavailable(
            f"another audit of cluster {mark.cluster} runs now: `SELECT * FROM audit_run` shows it; try again later"
        )
    with store_errors("read findings", called.engine), called.engine.connect() as connection:
        found = ledger.findings(connection, report.run, mark.cluster, options.limit)
    _show(report, found, settings.audit, options, called.out)
    return 1 if report.left else 0


@contextmanager
def _ended_by_signals(stop: threading.Event) -> Iterator[None]:
    """Ctrl-C and SIGTERM end the audit at its next call, so that the store knows that it ended."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _show(report: Report, found: Sequence[Filed], settings: AuditSettings, options: Namespace, out: TextIO) -> None:
    told = alarms(report, settings, repair=options.repair)
    if options.output == "json":
        summary = asdict(report) | {"alarms": told, "findings": [_as_json(filed) for filed in found]}
        out.write(json.dumps(summary, indent=2) + "\n")
        return
    for filed in found:
        finding = filed.finding
        out.write(f"{finding.problem:<8} {_line(finding.label)}\n         {_line(_became(filed))}\n")
    every = report.counts.drift + report.counts.orphans + report.counts.strangers
    if every > len(found):
        out.write(f"… and {every - len(found)} more: see the view `drift`\n")
    out.write(f"{_summary(report)}\n")
    for alarm in told:
        out.write(f"! {alarm}\n")


def _line(text: str) -> str:
    """Names from outside must not drive a terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)


def _became(filed: Filed) -> str:
    finding = filed.finding
    if filed.resolution is not None:
        return _DONE.get(filed.resolution, filed.resolution)
    if finding.problem is not Problem.CHANGED:
        return finding.reason
    values = (f"{name}: {_short(live)} instead of {_short(wanted)}" for name, (wanted, live) in finding.detail.items())
    return f"{finding.reason} ({'; '.join(values)})"


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _as_json(filed: Filed) -> dict[str, object]:
    return asdict(filed.finding) | {"resolution": filed.resolution, "repairs": filed.repairs}


def _summary(report: Report) -> str:
    counts = report.counts
    said = (
        f"{report.listed} objects listed in {report.seconds:.1f} s with {report.calls} calls: "
        f"{counts.changed} changed, {counts.missing} missing, "
        f"{counts.orphans} orphans, {counts.strangers} of others below ours"
    )
    if report.repaired:
        said += f"; {report.repaired} handed to the applier"
    if report.pruned:
        said += f"; {report.pruned} deleted"
    return said


AUDIT = Command("audit", "compare Contrail with the store now; changes nothing unless told to", _run, _options)
