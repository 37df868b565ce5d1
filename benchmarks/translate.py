"""`python -m benchmarks.translate`: events per second of the translation, in memory and into PostgreSQL.

The logs are synthetic: lives of pods of six events each, alone (benchmarks/synthetic.py), and among the services,
slices, workloads, attachments, ingresses and policies of a cluster (benchmarks/mixed.py). Decoding is included. Medians
over the runs, with the extremes; CPU seconds beside wall seconds, because a shared machine gives less than a core.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import statistics
import sys
import time

from benchmarks import mixed
from benchmarks.synthetic import CLUSTER, TOPIC, records
from console.postgres import EmbeddedPostgres
from schemas.bus.port import Record
from schemas.settings import ClusterSettings, DatabaseSettings
from schemas.store.engine import connect
from schemas.store.migrate import migrate
from translator.backlog import Backlog
from translator.batch import Rules, put_settings, take
from translator.intake import Batch, intake
from translator.memory import MemoryStore
from translator.postgres import PostgresStore
from translator.service import tune_garbage_collector
from translator.store import Store
from translator.version import settings_record

RULES = Rules.of("benchmark", settings_record(ClusterSettings()))
PARTITIONS = 4


def main() -> None:
    """Measure and print."""
    options = _options()
    alone, log = (make(pods=options.pods, partitions=PARTITIONS) for make in (records, mixed.records))
    print(f"{len(log)} events of {options.pods} pods and all around them, of these pods alone {len(alone)}")
    print(f"batches of up to {options.batch}, {options.runs} runs")
    tune_garbage_collector()
    _report("memory", [_timed(MemoryStore(), log, options.batch) for _ in range(options.runs)])
    _report("memory, pods alone", [_timed(MemoryStore(), alone, options.batch) for _ in range(options.runs)])
    with EmbeddedPostgres(durable=not options.no_fsync) as server:
        _report("PostgreSQL", [_into(server, f"one{run}", log, options.batch) for run in range(options.runs)])
        _report(
            "PostgreSQL, pods alone", [_into(server, f"pods{n}", alone, options.batch) for n in range(options.runs)]
        )
        for number in (2, 4):
            results = [_together(server, number, run, log, options.batch) for run in range(options.runs)]
            _report(f"PostgreSQL, {number} translators at once", results)
        for rate in (20, 200, 1000):
            _latency(server, rate, options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.translate")
    parser.add_argument("--pods", type=int, default=3000, help="lives of pods in the log (default: %(default)s)")
    parser.add_argument("--batch", type=int, default=8000, help="most records per transaction (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=5, help="runs of each measurement (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of a latency measurement")
    parser.add_argument("--no-fsync", action="store_true", help="do not wait for the disk: what the CPUs could do")
    return parser.parse_args()


def _timed(store: Store, log: list[Record], batch: int, partitions: range = range(PARTITIONS)) -> tuple[float, float]:
    """Events per wall second and per CPU second of this process."""
    backlog = _backlog(store, batch, partitions)
    mine = [record for record in log if record.partition in partitions]
    gc.collect()
    wall, cpu, done = time.perf_counter(), time.process_time(), 0
    while done < len(mine):
        done += _take(store, backlog, mine[done : done + backlog.room])
    return len(mine) / (time.perf_counter() - wall), len(mine) / (time.process_time() - cpu)


def _backlog(store: Store, batch: int, partitions: range = range(PARTITIONS)) -> Backlog:
    """Batches as the translator makes them of a log that it has not read yet."""
    store.run(lambda session: put_settings(session, RULES))
    backlog = Backlog(batch)
    for number, stored in store.progress("benchmark", TOPIC, partitions, RULES.version).items():
        backlog.place(number, stored.next_offset)
    return backlog


def _take(store: Store, backlog: Backlog, chunk: list[Record]) -> int:
    backlog.add(chunk)
    runs = backlog.runs(dict, dict)
    slices = [intake(CLUSTER, run.records, expected=run.expected) for run in runs]
    store.run(lambda session: take(session, Batch(TOPIC, slices), RULES))
    backlog.done(runs)
    return len(chunk)


def _into(server: EmbeddedPostgres, name: str, log: list[Record], batch: int) -> tuple[float, float]:
    store = _store(server.ensure_database(name), fresh=True)
    try:
        return _timed(store, log, batch)
    finally:
        store.close()


def _store(url: str, *, fresh: bool = False) -> PostgresStore:
    engine = connect(DatabaseSettings(url=url), application="benchmark", pool_size=1)
    if fresh:
        migrate(engine)
    return PostgresStore(engine, CLUSTER)


def _together(server: EmbeddedPostgres, number: int, run: int, log: list[Record], batch: int) -> tuple[float, float]:
    """Several processes, each with its share of the partitions; the sum over the longest."""
    url = server.ensure_database(f"together{number}_{run}")
    _store(url, fresh=True).close()
    context = multiprocessing.get_context("fork")
    ready, go = context.Barrier(number + 1), context.Barrier(number + 1)

    def follow(share: int) -> None:
        store = _store(url)
        ready.wait()
        go.wait()
        _timed(store, log, batch, range(share, PARTITIONS, number))
        store.close()

    workers = [context.Process(target=follow, args=(share,)) for share in range(number)]
    for worker in workers:
        worker.start()
    ready.wait()
    wall = time.perf_counter()
    go.wait()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    return len(log) / (time.perf_counter() - wall), float("nan")


def _latency(server: EmbeddedPostgres, rate: int, options: argparse.Namespace) -> None:
    """Milliseconds from the arrival of an event to its commit, when they come at a steady rate."""
    store = _store(server.ensure_database(f"latency{rate}"), fresh=True)
    log = records(pods=max(50, int(rate * options.seconds / 5)), partitions=PARTITIONS)
    backlog = _backlog(store, options.batch)
    head, log = log[:400], log[400:]
    _take(store, backlog, head)
    begin, done, waits = time.perf_counter(), 0, []
    while done < len(log) and time.perf_counter() - begin < options.seconds:
        due = min(len(log), int((time.perf_counter() - begin) * rate) + 1)
        if due == done:
            time.sleep(0.0005)
            continue
        chunk = log[done : min(due, done + backlog.room)]
        _take(store, backlog, chunk)
        now = time.perf_counter() - begin
        waits += [now - (done + number) / rate for number in range(len(chunk))]
        done += len(chunk)
    store.close()
    cuts = statistics.quantiles(waits, n=100)
    print(f"{f'at {rate} events/s':36} commit after p50 {cuts[49] * 1000:6.1f} ms, p99 {cuts[98] * 1000:6.1f} ms")


def _report(name: str, results: list[tuple[float, float]]) -> None:
    walls = [wall for wall, _ in results]
    cpu = statistics.median(each for _, each in results)
    line = f"{name:36} {statistics.median(walls):7.0f} events/s ({min(walls):.0f} to {max(walls):.0f})"
    print(line + (f", {cpu:.0f} per CPU second" if cpu == cpu else ""))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
