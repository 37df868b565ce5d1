"""What a person asks of the applier besides running (shell): what is there to do, and try that again."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from typing import TextIO

from sqlalchemy import Engine, text

from applier.command import Command, Invocation, count
from applier.plan import plan
from applier.races import again_if_lost
from applier.rows import HELD_BACK, Row
from applier.work import load
from schemas.contrail.objects import ENTRY, LINK
from schemas.store.engine import store_errors
from schemas.store.tables import SHARDS

_RETRY = text("""
    UPDATE apply_state a
    SET status = 'pending', attempts = 0, next_attempt_at = now(), updated_at = now()
    FROM desired_object d
    WHERE d.uuid = a.object_uuid AND d.cluster = :cluster AND a.status = ANY(:statuses)
      AND NOT (a.status = 'dead' AND starts_with(a.reason, :held))
    RETURNING a.shard
""")
_NOTIFY = text("SELECT pg_notify('desired', :payload)")
_COUNTS = text("""
    SELECT a.status, count(*) FROM apply_state a JOIN desired_object d ON d.uuid = a.object_uuid
    WHERE d.cluster = :cluster GROUP BY a.status ORDER BY a.status
""")


def print_plan(engine: Engine, *, cluster: str, limit: int, out: TextIO) -> int:
    """Print what would be done now, in order, and what waits for what; returns the exit code."""
    with store_errors("load work", engine), engine.connect() as connection:
        work = load(connection, cluster=cluster, shards=range(SHARDS), limit=limit)
        counts = {row[0]: row[1] for row in connection.execute(_COUNTS, {"cluster": cluster})}
    planned = plan(work.rows, work.edges, work.neighbours)
    lines = [(_verb(step.row), step.row.label, _why(step.row)) for step in planned.steps]
    lines += [("wait", blocked.row.label, blocked.reason) for blocked in planned.blocked]
    _print_table(lines, out)
    total = ", ".join(f"{number} {status}" for status, number in counts.items()) or "nothing at all"
    more = f" (only the first {limit} of what is due)" if work.more else ""
    out.write(f"{len(planned.steps)} to do now, {len(planned.blocked)} waiting{more}; in the store: {total}\n")
    return 0


def retry(engine: Engine, *, cluster: str, dead: bool, out: TextIO) -> int:
    """Make failed and blocked objects due at once, dead ones too if `dead`; returns the exit code.

    Not what adoption holds back: a running pod would get a second interface. `adopt` itself lets go of that.
    """
    statuses = ["failed", "blocked", *(["dead"] if dead else [])]

    def transaction() -> list[int]:
        with engine.begin() as connection:
            due = list(connection.scalars(_RETRY, {"cluster": cluster, "statuses": statuses, "held": HELD_BACK}))
            if due:
                connection.execute(_NOTIFY, {"payload": ",".join(str(shard) for shard in sorted(set(due)))})
            return due

    with store_errors("mark objects for another try", engine):
        shards = again_if_lost(transaction)
    out.write(f"{len(shards)} objects will be tried again\n")
    return 0


def _verb(row: Row) -> str:
    if row.type == LINK:
        return "unlink" if row.absent else "link"
    if row.type == ENTRY:
        return "take" if row.absent else "put"
    if row.absent:
        return "delete"
    return "update" if row.in_place or row.alias is not None else "create"


def _why(row: Row) -> str:
    change = f"generation {row.generation}"
    if row.in_place and not row.absent:
        change = f"generation {row.applied_generation} -> {row.generation}"
    return change if not row.attempts else f"{change}, {row.status} after {row.attempts} attempts"


def _print_table(lines: Sequence[tuple[str, str, str]], out: TextIO) -> None:
    width = max((len(label) for _, label, _ in lines), default=0)
    for verb, label, why in lines:
        out.write(f"{verb:<7} {label:<{width}}  {why}\n")


def _plan_options(parser: ArgumentParser) -> None:
    parser.add_argument("--limit", type=count, default=1000, help="most objects looked at (default: %(default)s)")


def _run_plan(options: Namespace, called: Invocation) -> int:
    return print_plan(called.engine, cluster=called.settings.cluster.name, limit=options.limit, out=called.out)


def _retry_options(parser: ArgumentParser) -> None:
    parser.add_argument("--dead", action="store_true", help="and those that were given up")


def _run_retry(options: Namespace, called: Invocation) -> int:
    return retry(called.engine, cluster=called.settings.cluster.name, dead=options.dead, out=called.out)


PLAN = Command("plan", "show what would be done now, in order; changes nothing", _run_plan, _plan_options)
RETRY = Command("retry", "try failed and blocked objects again at once", _run_retry, _retry_options)
