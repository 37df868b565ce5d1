"""Cases 52, 53 and 55: translator and applier over a store that is unwell. They wait, say so, and lose nothing."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from applier.service import AppliedInBackground
from applier.service import Settings as ApplierServiceSettings
from applier.settings import ApplierSettings
from console.postgres import EmbeddedPostgres
from schemas.bus.log import LogConsumer
from schemas.health import Health
from schemas.settings import BusSettings, ContrailSettings, DatabaseSettings
from schemas.store.engine import connect
from schemas.store.migrate import migrate
from simulators.contrail.server import ContrailSimulator
from tests.integration.history import NODES, PARTITIONS, TOPIC, write_history
from tests.integration.proxy import Proxy
from tests.integration.test_kill import digest, expect_equal, replay, scalar, wait_until_applied
from translator.service import Settings as TranslatorServiceSettings
from translator.service import Translator
from translator.settings import TranslatorSettings

pytestmark = [pytest.mark.postgres, pytest.mark.process]
OFFSETS = "SELECT sum(next_offset) FROM consumer_offset"
NOBODY = 1
"""A port on which nothing listens."""


@dataclass(frozen=True)
class Log:
    """A history of changes, and what it comes to."""

    folder: Path
    pods: dict[str, str]
    end: int
    digest: str


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Log:
    folder = tmp_path_factory.mktemp("history")
    pods = write_history(folder, seed=5, steps=250)
    consumer = LogConsumer(folder, TOPIC, partitions=PARTITIONS)
    consumer.take_assignment()
    end = sum(consumer.end_offsets().values())
    consumer.close()
    return Log(folder, pods, end, replay(folder))


@dataclass(frozen=True)
class Scene:
    """Both services while they run."""

    log: Log
    store: Engine
    contrail: ContrailSimulator
    translator: Health
    applier: Health

    def until(self, condition: Callable[[], Any], *, within: float = 30.0) -> None:
        """Wait; a store that is away does not hold yet."""
        deadline = time.monotonic() + within
        while not condition():
            assert time.monotonic() < deadline, (self.translator.why_not_ready(), self.applier.why_not_ready())
            time.sleep(0.02)

    def until_complaint(self, words: str, *, translator: str = "store", applier: str = "record") -> None:
        """Wait until both say on their health endpoints, of these parts, what is wrong."""
        self.until(lambda: words in self.translator.why_not_ready().get(translator, ""))
        self.until(lambda: words in self.applier.why_not_ready().get(applier, ""))

    def expect_the_end(self) -> None:
        """All of the log is translated and applied, once."""
        self.until(lambda: scalar(self.store, OFFSETS) == self.log.end)
        wait_until_applied(self.store)
        assert digest(self.store) == self.log.digest
        expect_equal(self.store, self.contrail, self.log.pods)
        self.until(lambda: not self.translator.why_not_ready() and not self.applier.why_not_ready())


@contextmanager
def both(
    log: Log,
    database_url: str,
    *,
    store: Engine | None = None,
    statement_timeout: float = 30.0,
    batch_records: int = 10,
) -> Iterator[Scene]:
    """Translator and applier in threads, with small batches; the simulated API is slow enough to be in the middle."""
    database = DatabaseSettings(url=database_url, statement_timeout=statement_timeout, connect_timeout=1.0)
    watching = store or connect(DatabaseSettings(url=database_url), application="tests")
    told = Health(), Health()
    with ContrailSimulator(nodes=NODES, latency=0.002) as contrail:
        translating = TranslatorServiceSettings(
            bus=BusSettings(directory=log.folder, partitions=PARTITIONS),
            database=database,
            translator=TranslatorSettings(batch_records=batch_records, migrate=False),
        )
        translator = Translator(translating, health=told[0])
        applying = ApplierServiceSettings(
            database=database,
            contrail=ContrailSettings(urls=(contrail.url,)),
            applier=ApplierSettings(takeover_interval=0.1),
        )
        thread = threading.Thread(target=translator.run, daemon=True)
        thread.start()
        try:
            with AppliedInBackground(applying, health=told[1]):
                yield Scene(log, watching, contrail, *told)
        finally:
            translator.stop()
            thread.join(20.0)
            if store is None:
                watching.dispose()


def test_case_53_a_session_that_idles_with_locks_holds_both_up_and_nothing_is_lost(
    log: Log, database_url: str, store_engine: Engine
) -> None:
    with both(log, database_url, statement_timeout=0.5) as scene:
        scene.until(lambda: scalar(store_engine, OFFSETS) > log.end // 4)
        with store_engine.connect() as idle, idle.begin():
            idle.execute(text("LOCK TABLE apply_state IN EXCLUSIVE MODE"))
            stored = int(idle.scalar(text(OFFSETS)) or 0)
            scene.until_complaint("statement timeout")
            assert int(idle.scalar(text(OFFSETS)) or 0) <= stored + 10  # what was being committed
        scene.expect_the_end()


def test_case_53_a_store_that_only_reads_holds_both_up_and_nothing_is_lost(
    log: Log, database_url: str, store_engine: Engine
) -> None:
    name = store_engine.url.database
    with both(log, database_url) as scene:
        scene.until(lambda: scalar(store_engine, OFFSETS) > log.end // 4)
        _set_read_only(store_engine, f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        scene.until_complaint("read-only transaction")
        _set_read_only(store_engine, f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
        scene.expect_the_end()


def _set_read_only(store: Engine, statement: str) -> None:
    with store.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("SET default_transaction_read_only = off"))
        connection.execute(text(statement))
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    store.dispose()


@pytest.fixture
def small_disk(postgres_server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file system of a few MB, on which a database can be put as the tablespace `small`."""
    folder = Path("/tmp") / f"contrail-kube-small-{time.time_ns()}"
    folder.mkdir(mode=0o755)
    try:
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m,mode=755", "none", str(folder)], check=False)
    except FileNotFoundError:
        done = None
    if done is None or done.returncode != 0:
        folder.rmdir()
        pytest.skip("a file system of its own cannot be mounted here (needs root)")
    try:
        space = folder / "space"
        space.mkdir()
        shutil.chown(space, postgres_server.data.owner())
        engine = connect(DatabaseSettings(url=postgres_server.url()), application="tests", isolation="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE TABLESPACE small LOCATION '{space}'"))
            yield folder
            connection.execute(text("DROP TABLESPACE small"))
        engine.dispose()
    finally:
        subprocess.run(["umount", str(folder)], check=True)
        folder.rmdir()


def test_case_53_a_full_disk_holds_both_up_and_nothing_is_lost(
    log: Log, postgres_server: EmbeddedPostgres, small_disk: Path
) -> None:
    server = connect(DatabaseSettings(url=postgres_server.url()), application="tests", isolation="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text("CREATE DATABASE full_disk TEMPLATE migrated TABLESPACE small STRATEGY file_copy"))
    try:
        with both(log, postgres_server.url("full_disk")) as scene:
            scene.until(lambda: scalar(scene.store, OFFSETS) > log.end // 4)
            filler = small_disk / "filler"
            with filler.open("wb", buffering=0) as growing, pytest.raises(OSError, match="No space left"):
                while True:
                    growing.write(bytes(4096))
            scene.until(lambda: "No space left" in scene.translator.why_not_ready().get("store", ""))
            time.sleep(0.5)
            assert scalar(scene.store, OFFSETS) < log.end
            filler.unlink()
            scene.expect_the_end()
    finally:
        with server.connect() as connection:
            connection.execute(text("DROP DATABASE full_disk WITH (FORCE)"))
        server.dispose()


def test_case_55_commits_that_succeed_and_look_failed_are_repeated_without_harm(
    log: Log, postgres_server: EmbeddedPostgres, database_url: str, store_engine: Engine
) -> None:
    with Proxy(postgres_server.port) as proxy:
        behind = database_url.replace(f":{postgres_server.port}/", f":{proxy.port}/")
        assert behind != database_url
        with both(log, behind, store=store_engine) as scene:
            for share in (8, 4, 3, 2):
                scene.until(lambda share=share: scalar(store_engine, OFFSETS) > log.end // share)  # type: ignore[misc]
                proxy.to_swallow += 3
            scene.until(lambda: proxy.to_swallow == 0)
            scene.expect_the_end()
        changes = (
            "SELECT count(*) FROM object_diff GROUP BY object_uuid, at_offset, topic, partition, op HAVING count(*) > 1"
        )
        assert scalar(store_engine, changes) == 0


def test_case_52_a_replica_that_lacks_the_last_commits_takes_over_and_they_are_done_again(
    log: Log, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = Path("/tmp") / f"contrail-kube-fail-over-{time.time_ns()}"
    first, replica = EmbeddedPostgres(folder / "first", durable=False), EmbeddedPostgres(folder / "replica")
    try:
        url = first.start().ensure_database("store")
        engine = connect(DatabaseSettings(url=url), application="tests")
        migrate(engine)
        with (
            Proxy(first.port) as proxy,
            both(log, url.replace(f":{first.port}/", f":{proxy.port}/"), batch_records=2) as scene,
        ):
            scene.until(lambda: scalar(engine, OFFSETS))
            proxy.target = NOBODY
            proxy.cut()  # so that the copy lags behind, however long copying takes
            copied = scalar(engine, OFFSETS)
            _back_up(first, folder / "replica")
            proxy.target = first.port
            scene.until(lambda: scalar(engine, OFFSETS) > copied + 20)
            lost = scalar(engine, OFFSETS)
            first.kill()
            found = connect(DatabaseSettings(url=replica.start().url("store")), application="tests")
            assert 0 < scalar(found, OFFSETS) < lost
            found.dispose()
            proxy.target = replica.port
            scene.expect_the_end()
        engine.dispose()
    finally:
        first.stop()
        replica.stop()
        shutil.rmtree(folder)


def _back_up(server: EmbeddedPostgres, folder: Path) -> None:
    """A copy of the server's files as of now, from which another one can start."""
    engine = connect(DatabaseSettings(url=server.url()), application="tests", isolation="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_backup_start('replica', fast => true)"))
        shutil.copytree(server.data, folder / "data", ignore=shutil.ignore_patterns("postmaster.pid", "pg_wal"))
        label = connection.execute(text("SELECT labelfile FROM pg_backup_stop(wait_for_archive => false)")).scalar_one()
        shutil.copytree(server.data / "pg_wal", folder / "data" / "pg_wal")
    engine.dispose()
    (folder / "data" / "backup_label").write_text(label)
    for path in (folder, *folder.rglob("*")):
        shutil.chown(path, server.data.owner(), server.data.group())
    (folder / "data").chmod(0o700)
