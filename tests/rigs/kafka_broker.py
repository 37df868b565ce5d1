"""One real Apache Kafka broker on loopback: KRaft, combined mode, a single node.

    python -m tests.rigs.kafka_broker run        # for developers: prints where it listens, ends with Ctrl-C

The broker ends with the thread that started it, even if that is killed. Its data are in a temporary
directory, kept over `kill` and `restart`, removed by `stop`.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType

from tests.rigs.certificates import Authority
from tests.rigs.kafka_jars import KafkaUnavailable, available, jars

START_SECONDS = 60
TAIL_LINES = 30
USER, PASSWORD = "contrail-kube", "correct horse battery staple"
"""The one account of the SASL listener (PLAIN and SCRAM)."""
SCRAM = ("SCRAM-SHA-256", "SCRAM-SHA-512")
SCRAM_LOGIN = "org.apache.kafka.common.security.scram.ScramLoginModule"
CLUSTER_ID = "Y29udHJhaWwta3ViZS1yaQ"
JVM = (
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.log.org.apache.kafka.common.config=warn",
)
# prctl(PR_SET_PDEATHSIG, SIGKILL) and exec: a preexec_fn would do the same, but not beside running threads.
BOUND_TO_PARENT = "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 9); os.execvp(sys.argv[1], sys.argv[1:])"


class BrokerFailed(RuntimeError):
    """The broker did not come up; the text ends with the tail of its log."""


class KafkaBroker:
    """A broker with a plain listener; with `secure=True` also one with TLS and SASL (PLAIN, SCRAM), and one with TLS
    that wants certificates of its clients."""

    def __init__(self, *, secure: bool = False, settings: dict[str, str] | None = None) -> None:
        self._secure = secure
        self._settings = settings or {}
        self._directory: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._clients: Authority | None = None
        self._ports = [0, 0, 0, 0]

    @property
    def bootstrap_servers(self) -> tuple[str, ...]:
        """Where the plain listener is."""
        return (f"127.0.0.1:{self._ports[0]}",)

    @property
    def secure_servers(self) -> tuple[str, ...]:
        """Where the listener with TLS and SASL is; its certificate names `localhost`."""
        return (f"localhost:{self._ports[2]}",)

    @property
    def certificate(self) -> Path:
        """PEM file that a client of the secure listener must trust."""
        return self._home / "broker.pem"

    @property
    def mutual_servers(self) -> tuple[str, ...]:
        """Where the listener is that wants certificates signed by `clients`; its own names `localhost`."""
        return (f"localhost:{self._ports[3]}",)

    @property
    def clients(self) -> Authority:
        """Issues certificates that the broker takes from its clients."""
        assert self._clients is not None, "the broker is not a secure one"
        return self._clients

    @property
    def running(self) -> bool:
        """Whether the broker's process is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def _home(self) -> Path:
        assert self._directory is not None, "the broker was never started"
        return self._directory

    def start(self) -> KafkaBroker:
        """Make the data directory if there is none, start, and return when requests are served."""
        if self._directory is None:
            classpath = jars()
            self._directory = Path(tempfile.mkdtemp(prefix="kafka-broker-"))
            (self._directory / "classpath").write_text(f"{classpath}/*")
            self._prepare()
        self._launch()
        return self

    def kill(self) -> None:
        """SIGKILL: a crash; records are kept, sockets are not closed by the broker."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Start again, with the same ports and data."""
        self._end(signal.SIGTERM)
        self._launch()

    def stop(self) -> None:
        """End the broker and remove its data."""
        self._end(signal.SIGKILL)
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None

    def __enter__(self) -> KafkaBroker:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def log_tail(self) -> str:
        """The last lines of the broker's log."""
        path = self._home / "broker.log"
        lines = path.read_text(errors="replace").splitlines() if path.exists() else []
        return "\n".join(lines[-TAIL_LINES:])

    def _prepare(self) -> None:
        self._ports = _free_ports(4)
        if self._secure:
            _make_certificate(self._home)
            self._clients = Authority(self._home, "clients")
        (self._home / "server.properties").write_text(self._properties())
        scram = [f"--add-scram={name}=[name={USER},password={PASSWORD}]" for name in SCRAM] if self._secure else []
        done = self._java("kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", "server.properties", *scram)
        if done.wait(START_SECONDS) != 0:
            raise BrokerFailed(f"formatting the storage failed:\n{self.log_tail()}")

    def _launch(self) -> None:
        log = self._home / "broker.log"
        log.write_bytes(b"")
        self._process = self._java("kafka.Kafka", "server.properties")
        deadline = time.monotonic() + START_SECONDS
        while "Kafka Server started" not in log.read_text(errors="replace"):
            if self._process.poll() is not None:
                raise BrokerFailed(f"the broker ended with {self._process.returncode}:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                self._end(signal.SIGKILL)
                raise BrokerFailed(f"the broker was not ready within {START_SECONDS} s:\n{self.log_tail()}")
            time.sleep(0.02)

    def _java(self, *arguments: str) -> subprocess.Popen[bytes]:
        classpath = (self._home / "classpath").read_text()
        java = ["java", *JVM, "-cp", classpath, *arguments]
        with (self._home / "broker.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", BOUND_TO_PARENT, *java],
                cwd=self._home,
                env={"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self._home)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(number)
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(15)
        self._process = None

    def _properties(self) -> str:
        plain, controller, secure, mutual = self._ports
        listeners = [f"PLAINTEXT://127.0.0.1:{plain}", f"CONTROLLER://127.0.0.1:{controller}"]
        advertised = [f"PLAINTEXT://127.0.0.1:{plain}"]
        values = dict(PROPERTIES)
        if self._secure:
            listeners += [f"SASL_SSL://127.0.0.1:{secure}", f"SSL://127.0.0.1:{mutual}"]
            advertised += [f"SASL_SSL://localhost:{secure}", f"SSL://localhost:{mutual}"]
            login = "org.apache.kafka.common.security.plain.PlainLoginModule"
            values |= {
                f"listener.name.sasl_ssl.{name.lower()}.sasl.jaas.config": f"{SCRAM_LOGIN} required;" for name in SCRAM
            }
            values |= {
                "ssl.keystore.type": "PKCS12",
                "ssl.keystore.location": "broker.p12",
                "ssl.keystore.password": PASSWORD,
                "listener.name.ssl.ssl.client.auth": "required",
                "listener.name.ssl.ssl.truststore.type": "PEM",
                "listener.name.ssl.ssl.truststore.location": str(self.clients.file),
                "sasl.enabled.mechanisms": ",".join(("PLAIN", *SCRAM)),
                "listener.name.sasl_ssl.plain.sasl.jaas.config": f'{login} required user_{USER}="{PASSWORD}";',
            }
        values |= {
            "listeners": ",".join(listeners),
            "advertised.listeners": ",".join(advertised),
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "log.dirs": str(self._home / "data"),
        }
        return "".join(f"{name}={value}\n" for name, value in (values | self._settings).items())


PROPERTIES = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL",
    "auto.create.topics.enable": "false",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "1",
    # Tests wait for members to join and to be missed: no grace period, and short sessions allowed.
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "500",
    # A killed broker may register again only when its old session has ended.
    "broker.heartbeat.interval.ms": "300",
    "broker.session.timeout.ms": "1500",
    "log.cleaner.enable": "false",
    "num.network.threads": "2",
    "num.io.threads": "2",
    "background.threads": "2",
}
"""A small broker that starts quickly; everything else is Kafka's default."""


def _free_ports(count: int) -> list[int]:
    """Ports below the range that outgoing connections take, so that a restart finds them free again."""
    found: list[int] = []
    while len(found) < count:
        port = random.randrange(15_000, 30_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if port not in found:
                found.append(port)
    return found


def _make_certificate(directory: Path) -> None:
    """A self-signed certificate for localhost: broker.p12 for the broker, broker.pem for its clients."""
    store = ["-keystore", "broker.p12", "-storetype", "PKCS12", "-storepass", PASSWORD, "-alias", "broker"]
    names = ["-dname", "CN=localhost", "-ext", "san=dns:localhost,ip:127.0.0.1"]
    for action in (
        ["-genkeypair", "-keyalg", "EC", "-validity", "30", *names],
        ["-exportcert", "-rfc", "-file", "broker.pem"],
    ):
        subprocess.run(["keytool", *action, *store], cwd=directory, check=True, capture_output=True)


def main(arguments: list[str]) -> int:
    """Run a broker until Ctrl-C."""
    if arguments != ["run"]:
        print("usage: python -m tests.rigs.kafka_broker run", file=sys.stderr)
        return 2
    if (missing := available()) is not None:
        print(f"no broker here: {missing}", file=sys.stderr)
        return 1
    began = time.monotonic()
    try:
        with KafkaBroker(secure=True) as broker:
            print(f"ready after {time.monotonic() - began:.1f} s: {broker.bootstrap_servers[0]}")
            print(f"with TLS and SASL: {broker.secure_servers[0]}, trust {broker.certificate}, user {USER}")
            signal.pause()
    except KafkaUnavailable as error:
        print(f"no broker here: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
