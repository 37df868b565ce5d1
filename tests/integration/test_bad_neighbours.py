"""Neighbours that are away, refuse or are something else: named once, waited for, used when they come."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy import Engine, text

from console.ports import free_port
from console.postgres import EmbeddedPostgres
from schemas.bus.kafka import ensure_topic
from schemas.settings import DatabaseSettings, KafkaSettings
from schemas.store.engine import connect
from schemas.store.migrate import migrate
from simulators.contrail.faults import Fault, Trouble
from simulators.contrail.server import ContrailSimulator
from tests.applier.desired import DesiredStore
from tests.applier.objects import BOOTSTRAP
from tests.integration.history import NODES, write_history
from tests.integration.troubled import (
    NAME,
    Troubled,
    begin,
    count,
    expect_end,
    expect_patience,
    kubeconfig,
    place,
    stranger,
)
from tests.rigs.fixtures_postgres import TEMPLATE
from tests.rigs.kafka_broker import KafkaBroker
from tests.rigs.services import ROOT, services
from tests.watchers.fake_api import Reply
from tests.watchers.fake_cluster import FakeCluster, refusal
from tests.watchers.objects import namespace, node, pod
from tests.watchers.proxy import Proxy

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

WEB = "0c2b5d0e-5a3b-4a25-8f61-2f6a1c1a0001"


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
                f"{NAME}CONTRAIL_URLS": contrail.url,
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
    no_login = "without credentials (CONTRAIL_KUBE_CONTRAIL_AUTH is none)"
    no_contrail = "is this the address of a Contrail config API"
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
                f"{NAME}CONTRAIL_URLS": simulator.url,
            }
            variable = {"401": "CONTRAIL_AUTH", "403": "CONTRAIL_AUTH"}.get(cluster, "CONTRAIL_URLS")
            where = (f"Contrail API {simulator.url}", f"{NAME}{variable}") if cluster != "stays" else ()
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
