"""Bad input, service by service, as processes: wrong settings, neighbours that are away or refuse, broken records.

What each part does with bad input in detail is tested beside it; here is what a person sees of the whole process.
"""

from __future__ import annotations

import contextlib
import json
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from sqlalchemy import Engine, text

from console.postgres import EmbeddedPostgres
from schemas.bus.kafka import ensure_topic
from schemas.bus.log import LogProducer
from schemas.codec import encode
from schemas.events import Op, Source, change, marker
from schemas.identity import ResourceKey, partition_of
from schemas.records import NamespaceRecord, PodRecord
from schemas.settings import DatabaseSettings, KafkaSettings
from schemas.store.engine import connect
from schemas.store.migrate import migrate
from simulators.contrail.faults import Fault, Trouble
from simulators.contrail.server import ContrailSimulator
from tests.applier.desired import DesiredStore
from tests.applier.objects import BOOTSTRAP
from tests.integration.history import NODES, PARTITIONS, TOPIC, write_history
from tests.integration.troubled import Troubled, begin, expect_end, expect_patience, free_port
from tests.rigs.fixtures_postgres import TEMPLATE
from tests.rigs.kafka_broker import KafkaBroker
from tests.rigs.services import ROOT, services
from tests.watchers.fake_api import Reply
from tests.watchers.fake_cluster import FakeCluster, refusal
from tests.watchers.objects import namespace, node, pod
from tests.watchers.proxy import Proxy

pytestmark = pytest.mark.timeout(120)

NAME = "CONTRAIL_KUBE_"
WEB, API, LATE, ODD = (f"0c2b5d0e-5a3b-4a25-8f61-2f6a1c1a000{number}" for number in (1, 2, 3, 4))


@dataclass(frozen=True, slots=True)
class Refused:
    """A command with settings that it cannot have, and what it shall say."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    said: tuple[str, ...]


def of(command: str, name: str, value: str, *said: str, **more: str) -> Refused:
    """One wrong setting, among right ones."""
    return Refused(tuple(command.split()), {**more, NAME + name: value}, (NAME + name, *said))


NODE_NAME = {f"{NAME}CNI_NODE_NAME": "node-a"}
WRONG_SETTINGS = (
    of("watchers", "WATCHERS_RESYNC_SECOND", "60", f"did you mean {NAME}WATCHERS_RESYNC_SECONDS?"),
    of("watchers", "BUS_PARTITIONS", "four", "expected a whole number"),
    Refused(("watchers",), {}, ("kubeconfig", f"{NAME}WATCHERS_KUBECONFIG")),
    of("translator", "DATABSE_URL", "postgresql://x/y", f"did you mean {NAME}DATABASE_URL?"),
    of("translator", "DATABASE_URL", "127.0.0.1:5432", "no database URL"),
    of("translator", "DATABASE_URL_FILE", "/nonexistent/password", "cannot be read: No such file"),
    of("applier", "CONTRAIL_URI", "http://x", f"did you mean {NAME}CONTRAIL_URL?"),
    of("applier", "CLUSTER_POD_SUBNETS", "10.32.0.0/99", "'10.32.0.0/99' is no subnet"),
    of("applier", "DATABASE_URL_FILE", "/nonexistent/password", "cannot be read: No such file"),
    of("cni", "CNI_NODENAME", "node-a", f"did you mean {NAME}CNI_NODE_NAME?"),
    of("cni", "PROCESS_HEALTH_PORT", "94640", "accepted are 0 to 65535", **NODE_NAME),
    of("cni", "DATABASE_URL", "mysql://x/y", "only postgresql:// is supported", **NODE_NAME),
    Refused(("cni",), {}, (f"{NAME}CNI_NODE_NAME is not set",)),
    of("console up", "BUS_KINDS", "kafka", f"did you mean {NAME}BUS_KIND?"),
    of("console up", "BUS_KIND", "rabbit", "accepted are 'kafka' and 'log'"),
    of("console up", "DATABASE_URL_FILE", "/nonexistent/password", "cannot be read: No such file"),
)


def test_wrong_settings_end_every_service_with_one_line_and_exit_code_2(tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(NAME) and name != "KUBECONFIG"}
    base = {**kept, "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}
    with ExitStack() as stack:
        started = []
        for each in WRONG_SETTINGS:
            command = [sys.executable, "-m", *each.command]
            process = subprocess.Popen(
                command, env={**base, **each.environment}, cwd=tmp_path, stdout=-1, stderr=-1, text=True
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            started.append(process)
        for each, process in zip(WRONG_SETTINGS, started, strict=True):
            output, error = process.communicate(timeout=60)
            assert (process.returncode, output) == (2, ""), (each, error)
            assert len(error.splitlines()) == 1, (each, error)
            assert all(word in error for word in each.said), (each, error)


def test_a_health_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with FakeCluster() as cluster:
        port = cluster.api.url.rpartition(":")[2]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), f"{NAME}PROCESS_HEALTH_PORT": port}
        done = subprocess.run(
            [sys.executable, "-m", "translator"], env=environment, cwd=tmp_path, capture_output=True, text=True
        )
    assert done.returncode == 2
    assert f"{NAME}PROCESS_HEALTH_PORT={port}: cannot listen on 127.0.0.1:{port}" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


@contextlib.contextmanager
def stranger(server: EmbeddedPostgres) -> Iterator[str]:
    """A user who needs a password; yields a URL with a wrong one."""
    rules = server.data / "pg_hba.conf"
    before = rules.read_text()
    with psycopg2.connect(server.url()) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE ROLE stranger LOGIN PASSWORD 'right'")
        rules.write_text("host all stranger 127.0.0.1/32 scram-sha-256\n" + before)
        cursor.execute("SELECT pg_reload_conf()")
    try:
        yield f"postgresql://stranger:guessed@{server.url().rpartition('@')[2]}"
    finally:
        rules.write_text(before)
        with psycopg2.connect(server.url()) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT pg_reload_conf()")
            cursor.execute("DROP ROLE stranger")


def place(url: str) -> str:
    """`name on host:port` of a database, as our messages say it."""
    address, _, name = url.rpartition("@")[2].partition("/")
    return f"{name} on {address}"


@pytest.mark.postgres
@pytest.mark.slow
def test_a_database_that_is_away_refuses_or_is_not_migrated(
    postgres_server: EmbeddedPostgres, database_url: str, tmp_path: Path
) -> None:
    pods = write_history(tmp_path / "log", seed=3, steps=12)
    port, real = free_port(), int(database_url.rpartition(":")[2].partition("/")[0])
    relayed = database_url.replace(f":{real}/", f":{port}/")
    unmade, unmigrated = postgres_server.url("made_late"), postgres_server.ensure_database("migrated_late")
    with stranger(postgres_server) as refusing, ExitStack() as stack, services(tmp_path) as running:
        stack.callback(postgres_server.drop_database, "migrated_late")
        stack.callback(postgres_server.drop_database, "made_late")
        cases = {
            "away": (
                relayed,
                (place(relayed), "Connection refused", "is PostgreSQL running there", f"{NAME}DATABASE_URL"),
            ),
            "unmade": (unmade, (place(unmade), "does not exist", "create that database", f"{NAME}DATABASE_URL")),
            "refusing": (refusing, (place(refusing), "password authentication failed", f"{NAME}DATABASE_URL")),
            "unmigrated": (unmigrated, ("run `python -m schemas.store migrate`",)),
        }
        troubled: dict[tuple[str, str], Troubled] = {}
        for case, (url, words) in cases.items():
            contrail = stack.enter_context(ContrailSimulator(nodes=NODES))
            environment = {
                f"{NAME}DATABASE_URL": url,
                f"{NAME}BUS_DIRECTORY": str(tmp_path / "log"),
                f"{NAME}CONTRAIL_URL": contrail.url,
            }
            for module in ("translator", "applier", "cni"):
                own = _node(tmp_path / case) if module == "cni" else {}
                troubled[case, module] = begin(
                    running, module, environment | own, name=f"{module}-{case}", part="store", words=words
                )
        expect_patience(running, list(troubled.values()))
        # Mended one by one, while the others go on waiting.
        postgres_server.ensure_database("made_late", template=TEMPLATE)
        engine = connect(DatabaseSettings(url=unmigrated), application="tests")
        stack.callback(engine.dispose)
        migrate(engine)
        stack.enter_context(Proxy(real, listen=port))
        for (case, module), each in troubled.items():
            if case != "refusing":
                is_well = each.is_ready if module != "cni" else partial(_without_store, each)
                running.wait(f"{each.service.name} works", is_well)
        for case, url in (("away", database_url), ("unmade", unmade), ("unmigrated", unmigrated)):
            running.wait(f"all pods applied, {case}", partial(_applied, url, len(pods)))
        expect_end(list(troubled.values()))


def _node(folder: Path) -> dict[str, str]:
    """Settings of a node agent that keeps everything in one folder."""
    folder.mkdir()
    names = {"NODE_NAME": "node-a", "VROUTER_PORT": str(free_port())}
    paths = {"SOCKET": "cni.sock", "STATE_DIR": "state", "PORTS_DIR": "ports"}
    return {f"{NAME}CNI_{n}": v for n, v in (names | {n: str(folder / p) for n, p in paths.items()}).items()}


def _without_store(agent: Troubled) -> bool:
    """Whether it waits for the vrouter agent alone: there is none here."""
    said = agent.ready()
    return said.startswith("503 vrouter: ") and "store" not in said


def _applied(url: str, pods: int) -> bool:
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pod_address WHERE address IS NOT NULL")
        return cursor.fetchone() == (pods,)


@pytest.mark.kafka
@pytest.mark.postgres
@pytest.mark.slow
def test_kafka_that_is_away_is_waited_for_and_a_topic_of_another_layout_is_named(
    kafka_broker: KafkaBroker, database_url: str, store_engine: Engine, tmp_path: Path
) -> None:
    port, real = free_port(), int(kafka_broker.bootstrap_servers[0].rpartition(":")[2])
    words = (f"Kafka at 127.0.0.1:{port}", "cannot be reached", "Connection refused", "is the broker running")
    with FakeCluster() as cluster, services(tmp_path) as running:
        for thing, resource in ((namespace(), "namespaces"), (node(), "nodes"), (pod(uid=WEB), "pods")):
            cluster.put(thing, resource)
        environment = {
            f"{NAME}DATABASE_URL": database_url,
            f"{NAME}BUS_KIND": "kafka",
            f"{NAME}BUS_TOPIC": f"bad-input-{port}",
            f"{NAME}KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{port}",
            f"{NAME}KAFKA_CONNECT_TIMEOUT": "1",
            f"{NAME}WATCHERS_KUBECONFIG": kubeconfig(tmp_path / "kubeconfig", cluster.api.url),
            f"{NAME}WATCHERS_EPOCH_FILE": str(tmp_path / "epochs"),
        }
        modules = ("watchers", "translator")
        waiting = [begin(running, m, environment, name=m, part="bus", words=words) for m in modules]
        expect_patience(running, waiting)
        expect_end(waiting)
        for each in waiting:
            each.service.start()
        for each in waiting:
            running.wait("it waits again", each.explains)
        with Proxy(real, listen=port):
            for each in waiting:
                running.wait(f"{each.service.name} works", each.is_ready)
            running.wait("the pod is translated", lambda: count(store_engine, "pod_address") == 1)
            expect_end(waiting)
        other = f"two-partitions-{port}"
        servers = kafka_broker.bootstrap_servers
        ensure_topic(KafkaSettings(bootstrap_servers=servers), other, 2)
        environment |= {f"{NAME}BUS_TOPIC": other, f"{NAME}KAFKA_BOOTSTRAP_SERVERS": servers[0]}
        environment[f"{NAME}PROCESS_LOG_LEVEL"] = "WARNING"
        for module in modules:
            done = subprocess.run(
                [sys.executable, "-m", module],
                env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
                capture_output=True,
                text=True,
                timeout=60,
            )
            assert done.returncode == 1
            assert len(done.stderr.splitlines()) == 1, done.stderr
            assert f"{module}: topic {other}: partitions: found 2, wanted 4" in done.stderr
            assert "change the topic or the setting" in done.stderr


def count(store: Engine, table: str) -> int:
    with store.connect() as connection:
        return int(connection.scalar(text(f"SELECT count(*) FROM {table}")) or 0)


def kubeconfig(path: Path, server: str, *, authority: Path | None = None) -> str:
    """A kubeconfig file for a server, with its certificate authority if there is one."""
    trust = {"certificate-authority": str(authority)} if authority else {}
    context = {"name": "x", "context": {"cluster": "x", "user": "x"}}
    content: dict[str, Any] = {
        "current-context": "x",
        "contexts": [context],
        "clusters": [{"name": "x", "cluster": {"server": server, **trust}}],
        "users": [{"name": "x", "user": {"token": "token"}}],
    }
    path.write_text(json.dumps(content))
    return str(path)


def certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A self-signed certificate for 127.0.0.1, and the context of a server that shows it."""
    key, made = folder / "key.pem", folder / "certificate.pem"
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    command = ["openssl", "req", "-x509", *curve, "-keyout", str(key), "-out", str(made), *names]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made, key)
    return made, context


@pytest.mark.slow
def test_a_kubernetes_api_that_is_away_not_trusted_or_refusing(tmp_path: Path) -> None:
    authority, context = certificate(tmp_path)
    port = free_port()
    scripts = {
        "away": None,
        "tls": None,
        "401": lambda request: refusal(401, "Unauthorized"),
        "403": lambda request: refusal(403, f"cannot list {request.path}"),
        "page": lambda request: Reply(b"<html>Welcome</html>"),
        "stays": lambda request: refusal(500, "etcd is away"),
    }
    advice = {
        "away": ("cannot connect", "Connection refused", "is the API server running"),
        "tls": ("TLS failed", "does the kubeconfig hold this cluster's certificate authority?"),
        "401": ("401 Unauthorized", "is the token or client certificate expired, or of another cluster?"),
        "403": ("/api/v1/pods: 403", "grant this verb to the watchers with a ClusterRole"),
        "page": ("not a Namespace", "is this an API server?"),
        "stays": ("500 etcd is away", "see its log"),
    }
    with ExitStack() as stack, services(tmp_path) as running:
        clusters = {c: stack.enter_context(FakeCluster(tls=context if c == "tls" else None)) for c in scripts}
        waiting: dict[str, Troubled] = {}
        for case, script in scripts.items():
            cluster = clusters[case]
            cluster.put(namespace(), "namespaces")
            cluster.put(pod(uid=WEB))
            if script is not None:
                cluster.api.script = script
            server = f"http://127.0.0.1:{port}" if case == "away" else cluster.api.url
            environment = {
                f"{NAME}WATCHERS_KUBECONFIG": kubeconfig(tmp_path / f"kubeconfig-{case}", server),
                f"{NAME}WATCHERS_EPOCH_FILE": str(tmp_path / f"epochs-{case}"),
                f"{NAME}BUS_DIRECTORY": str(tmp_path / f"log-{case}"),
            }
            part, words = "Pod" if case == "403" else "cluster", (f"GET {server}", *advice[case])
            waiting[case] = begin(running, "watchers", environment, name=case, part=part, words=words)
        expect_patience(running, list(waiting.values()))
        for case, cluster in clusters.items():
            if case != "stays":
                cluster.api.script = cluster.answer
        kubeconfig(tmp_path / "kubeconfig-tls", clusters["tls"].api.url, authority=authority)
        stack.enter_context(Proxy(int(clusters["away"].api.url.rpartition(":")[2]), listen=port))
        for case, each in waiting.items():
            if case != "stays":
                running.wait(f"{case}: it works", each.is_ready)
        expect_end(list(waiting.values()))


@pytest.mark.postgres
@pytest.mark.slow
def test_a_contrail_api_that_is_away_refuses_or_is_none(
    database_url: str, store_engine: Engine, tmp_path: Path
) -> None:
    no_login, no_contrail = "the applier sends no credentials", "is this the address of a Contrail config API"
    answers = {
        "away": (0, "", ("Connection refused", "check that the config API runs there")),
        "401": (401, "Authentication required", ("401: Authentication required", no_login)),
        "403": (403, "Permission Denied", ("403: Permission Denied", no_login)),
        "500": (500, "KeyError", ("500: KeyError", no_contrail)),
        "k8s": (200, "<html>Welcome to nginx</html>", ("Welcome to nginx", no_contrail)),
        "other": (404, '{"detail": "Not Found"}', ('404: {"detail": "Not Found"}', no_contrail)),
        "stays": (503, "Service Unavailable", ("503: Service Unavailable", "it is asked less until it is well")),
    }
    DesiredStore(store_engine).put(*BOOTSTRAP)  # work for the applier of cluster k8s: a web page must not refuse it
    with ExitStack() as stack, services(tmp_path) as running:
        simulators, waiting = {}, {}
        for cluster, (status, said, words) in answers.items():
            simulator = simulators[cluster] = ContrailSimulator(port=free_port())
            stack.callback(simulator.stop)
            if status:
                simulator.start().faults.add(Fault(Trouble.STATUS, count=None, status=status, text=said))
            environment = {
                f"{NAME}CLUSTER_NAME": cluster,
                f"{NAME}DATABASE_URL": database_url,
                f"{NAME}CONTRAIL_URL": simulator.url,
            }
            where = (f"Contrail API {simulator.url}", f"{NAME}CONTRAIL_URL") if cluster != "stays" else ()
            waiting[cluster] = begin(
                running, "applier", environment, name=cluster, part="contrail", words=(*where, *words)
            )
        expect_patience(running, list(waiting.values()))
        with store_engine.connect() as connection:
            states = connection.execute(text("SELECT DISTINCT status, attempts, reason FROM apply_state")).all()
        assert [tuple(row) for row in states] == [("pending", 0, "")]
        simulators["away"].start()
        for cluster, each in waiting.items():
            if cluster != "stays":
                simulators[cluster].faults.clear()
                running.wait(f"{cluster}: it works", each.is_ready)
        running.wait("what is desired is applied", lambda: count(store_engine, "unapplied") == 0)
        expect_end(list(waiting.values()))


class Facts:
    """Writes records into a log, good ones and others, all about one namespace; `last` is the offset of the last."""

    def __init__(self, directory: Path) -> None:
        self._producer = LogProducer(directory, TOPIC, PARTITIONS)
        self.partition = partition_of(ResourceKey("Pod", "shop", "x"), PARTITIONS)
        self.last = -1
        self._version = 0
        self._source = Source(cluster="k8s", watcher="tests")

    def begin(self) -> None:
        """Snapshots of what pods need."""
        for kind in ("Namespace", "Node", "Pod"):
            for op in (Op.SNAPSHOT_BEGIN, Op.SNAPSHOT_END):
                for partition in range(PARTITIONS):
                    event = marker(op=op, epoch=1, kind=kind, partition=partition, source=self._source)
                    self._put(partition, str(event.key).encode(), encode(event))
        key = ResourceKey("Namespace", "", "shop")
        event = self._change(key, "shop-uid", NamespaceRecord())
        self._put(partition_of(key, PARTITIONS), str(key).encode(), encode(event))

    def pod(self, name: str, uid: str, **fields: Any) -> bytes:
        """A pod's record; returns its bytes."""
        key = ResourceKey("Pod", "shop", name)
        value = encode(self._change(key, uid, PodRecord(phase="Pending", **fields)))
        self.raw(name, value)
        return value

    def raw(self, name: str, value: bytes | None) -> None:
        """Bytes where a record should be."""
        self._put(self.partition, f"Pod/shop/{name}".encode(), value)

    def flush(self) -> None:
        """Let readers see it."""
        self._producer.flush(10)

    def close(self) -> None:
        """Close the log."""
        self._producer.close()

    def _change(self, key: ResourceKey, uid: str, body: NamespaceRecord | PodRecord) -> Any:
        self._version += 1
        version = str(self._version)
        return change(op=Op.UPSERT, epoch=1, key=key, uid=uid, resource_version=version, source=self._source, body=body)

    def _put(self, partition: int, key: bytes, value: bytes | None) -> None:
        self._producer.publish(partition, key, value)
        if partition == self.partition:
            self.last += 1


@pytest.mark.postgres
def test_undecodable_records_and_malformed_pods_go_to_dead_letters_between_their_neighbours(
    database_url: str, store_engine: Engine, tmp_path: Path
) -> None:
    facts = Facts(tmp_path / "log")
    facts.begin()
    good = facts.pod("web-0", WEB)
    expected: list[tuple[str, int, str, str]] = []

    def bad(name: str, value: bytes | None, reason: str) -> None:
        facts.raw(name, value)
        expected.append(("decode", facts.last, f"Pod/shop/{name}", reason))

    def malformed(name: str, uid: str, reason: str, **fields: Any) -> None:
        facts.pod(name, uid, **fields)
        expected.append(("fold", facts.last, f"Pod/shop/{name}", reason))

    bad("tombstone", None, "a tombstone")
    bad("garbage", b"\x00\xff not ours", "does not begin with the Avro single-object marker")
    facts.pod("api-0", API)
    bad("cut", good[:-7], "cut short")
    bad("schema", good[:2] + bytes(8) + good[10:], "fingerprint")
    bad("kind", good.replace(b"Pod", b"Pox"), "unknown kind='Pox'")
    malformed("odd-0", "not-a-uuid", "Pod shop/odd-0: metadata.uid is 'not-a-uuid'")
    malformed("web-0", WEB, "Pod shop/web-0: spec.nodeName is 'Node One!'", node_name="Node One!")
    facts.pod("late-0", LATE)
    facts.flush()
    environment = {f"{NAME}DATABASE_URL": database_url, f"{NAME}BUS_DIRECTORY": str(tmp_path / "log")}
    with contextlib.closing(facts), services(tmp_path) as running:
        service = running.start("translator", environment)
        running.wait("all pods are translated", lambda: machines(store_engine) == {WEB, API, LATE})
        found = letters(store_engine, "resolved_at IS NULL")
        assert [letter[:3] for letter in found] == [letter[:3] for letter in expected]
        for letter, (*_, reason) in zip(found, expected, strict=True):
            assert reason in letter[3], (letter, reason)
        facts.pod("web-0", WEB, labels={"mended": "yes"})
        facts.pod("odd-0", ODD)
        facts.flush()
        running.wait("resolved", lambda: len(letters(store_engine, "resolved_at IS NOT NULL")) == 2)
        assert {letter[0] for letter in letters(store_engine, "resolved_at IS NULL")} == {"decode"}
        assert machines(store_engine) == {WEB, API, LATE, ODD}
        assert service.terminate() == 0


def machines(store: Engine) -> set[str]:
    """Virtual-machines that shall be there."""
    with store.connect() as connection:
        rows = connection.execute(
            text("SELECT uuid::text FROM desired_object WHERE type = 'virtual-machine' AND NOT absent")
        )
        return {row.uuid for row in rows}


def letters(store: Engine, condition: str) -> list[tuple[str, int, str, str]]:
    """Dead letters in order of their position: stage, offset, resource, reason."""
    with store.connect() as connection:
        rows = connection.execute(
            text(f"SELECT stage, at_offset, resource, error FROM dead_letter WHERE {condition} ORDER BY at_offset")
        )
        return [(row.stage, row.at_offset, row.resource, row.error) for row in rows]


def test_a_malformed_pod_is_named_by_the_watchers_and_mended_by_its_next_version(tmp_path: Path) -> None:
    broken = pod("broken-0", uid=API)
    broken["metadata"]["labels"] = ["a", "list"]
    with FakeCluster() as cluster, services(tmp_path) as running:
        cluster.put(namespace(), "namespaces")
        cluster.put(pod(uid=WEB))
        environment = {
            f"{NAME}WATCHERS_KUBECONFIG": kubeconfig(tmp_path / "kubeconfig", cluster.api.url),
            f"{NAME}WATCHERS_EPOCH_FILE": str(tmp_path / "epochs"),
            f"{NAME}BUS_DIRECTORY": str(tmp_path / "log"),
        }
        words = ("shop/broken-0", "labels")
        watchers = begin(running, "watchers", environment, name="watchers", part="Pod", words=words)
        running.wait("it watches", watchers.is_ready)
        cluster.put(broken)
        running.wait("it explains", watchers.explains)
        cluster.put(pod("broken-0", uid=API))
        running.wait("it is in order again", watchers.is_ready)
        expect_end([watchers])


@pytest.mark.slow
def test_up_names_what_refuses_it_in_one_line_and_ends(postgres_server: EmbeddedPostgres, tmp_path: Path) -> None:
    with ExitStack() as stack, stranger(postgres_server) as refusing:
        contrails = [stack.enter_context(ContrailSimulator()) for _ in range(2)]
        for contrail, status in zip(contrails, (401, 200), strict=True):
            contrail.faults.add(Fault(Trouble.STATUS, count=None, status=status, text="<html>Log in</html>"))
        cluster = stack.enter_context(FakeCluster())
        cluster.api.script = lambda request: refusal(401, "Unauthorized")
        refused = kubeconfig(tmp_path / "refused", cluster.api.url)
        away = kubeconfig(tmp_path / "away", f"http://127.0.0.1:{free_port()}")
        cases = {
            ("--contrail-api", contrails[0].url): (contrails[0].url, "refuses us: 401"),
            ("--contrail-api", contrails[1].url): (contrails[1].url, "is no Contrail API"),
            ("--database", refusing): (place(refusing), "password authentication failed", "--database"),
            ("--kubeconfig", refused): (cluster.api.url, "401 Unauthorized", "is the token"),
            ("--kubeconfig", away): ("http://127.0.0.1:", "is the API server running"),
        }
        base = {name: value for name, value in os.environ.items() if not name.startswith(NAME)}
        for arguments, words in cases.items():
            done = subprocess.run(
                [sys.executable, "-m", "console", "up", *arguments],
                env={**base, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=60,
            )
            assert (done.returncode, done.stdout) == (2, ""), done.stderr
            assert len(done.stderr.splitlines()) == 1, done.stderr
            assert all(word in done.stderr for word in words), (words, done.stderr)
