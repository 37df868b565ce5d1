"""`python -m benchmarks.bulk_writes`: three ways of writing desired objects in bulk, in rows per second.

COPY into a temporary table and upsert from there, execute_values in pages of 500, and one JSON parameter through
json_to_recordset; bodies of 1 kB, one commit per batch, fsync on. The share of the client's CPU is beside it, because
the translator has other things to do with it.
"""

from __future__ import annotations

import io
import statistics
import time
import uuid
from collections.abc import Callable
from typing import Any

import msgspec
import psycopg2
from psycopg2.extras import execute_values

from console.postgres import EmbeddedPostgres
from schemas.settings import DatabaseSettings
from schemas.store.engine import connect
from schemas.store.migrate import migrate

Row = tuple[Any, ...]
TYPES = (
    "uuid uuid, cluster text, shard integer, namespace text, type text, fq_name text, body jsonb, digest bytea, "
    "generation bigint"
)
COLUMNS = ", ".join(each.split()[0] for each in TYPES.split(", "))
UPSERT = " ON CONFLICT (uuid) DO UPDATE SET body = excluded.body, generation = excluded.generation"
RUNS = 7


def main() -> None:
    """Measure and print."""
    with EmbeddedPostgres() as server:
        url = server.ensure_database("writes")
        engine = connect(DatabaseSettings(url=url), application="benchmark")
        migrate(engine)
        engine.dispose()
        connection = psycopg2.connect(url)
        for size in (100, 500, 2000):
            batches = [[_row() for _ in range(size)] for _ in range(RUNS)]
            for write in (by_copy, by_values, by_json):
                with connection.cursor() as cursor:
                    cursor.execute("TRUNCATE desired_object CASCADE")
                connection.commit()
                new = [_timed(connection, write, batch) for batch in batches]
                old = [_timed(connection, write, batch) for batch in batches]
                print(f"{size:5} rows  {write.__name__:10} {_line(size, new)} new  {_line(size, old)} replaced")
        connection.close()


def by_copy(cursor: Any, rows: list[Row]) -> None:
    """COPY into a temporary table, then upsert."""
    cursor.execute(f"CREATE TEMPORARY TABLE IF NOT EXISTS told ({TYPES}) ON COMMIT DELETE ROWS")
    lines = ("\t".join(map(str, row)).replace("\\", "\\\\") for row in rows)
    cursor.copy_expert("COPY told FROM STDIN", io.BytesIO("\n".join(lines).encode()))
    cursor.execute(f"INSERT INTO desired_object ({COLUMNS}) SELECT {COLUMNS} FROM told{UPSERT}")


def by_values(cursor: Any, rows: list[Row]) -> None:
    """psycopg2's execute_values."""
    execute_values(cursor, f"INSERT INTO desired_object ({COLUMNS}) VALUES %s{UPSERT}", rows, page_size=500)


def by_json(cursor: Any, rows: list[Row]) -> None:
    """One JSON parameter."""
    names = COLUMNS.split(", ")
    told = [{**dict(zip(names, row, strict=True)), "body": msgspec.Raw(row[6].encode())} for row in rows]
    cursor.execute(
        f"INSERT INTO desired_object ({COLUMNS}) SELECT {COLUMNS} FROM json_to_recordset(%s) AS t({TYPES}){UPSERT}",
        (msgspec.json.encode(told).decode(),),
    )


def _row() -> Row:
    name = str(uuid.uuid4())
    pairs = [{"key": f"key{number}", "value": "x" * 24} for number in range(14)]
    references = [{"type": "virtual-network", "to": ["default-domain", "k8s-default", "net"], "uuid": name}] * 2
    body = msgspec.json.encode({"properties": {"annotations": pairs}, "references": references}).decode()
    return (name, "k8s", 3, "shop", "virtual-machine-interface", f"d:p:{name}", body, "\\x" + "ab" * 32, 1)


def _timed(connection: Any, write: Callable[[Any, list[Row]], None], batch: list[Row]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    with connection.cursor() as cursor:
        write(cursor, batch)
    connection.commit()
    return time.perf_counter() - wall, time.process_time() - cpu


def _line(size: int, times: list[tuple[float, float]]) -> str:
    wall = statistics.median(each for each, _ in times)
    cpu = statistics.median(each for _, each in times)
    return f"{size / wall:7.0f}/s, client {cpu / wall:4.0%}"


if __name__ == "__main__":
    main()
