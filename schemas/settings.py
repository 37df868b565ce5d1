"""Settings from the environment: frozen dataclasses, one per topic, read once at start.

A field `pod_subnets` of a class with `PREFIX = "CLUSTER"` is read from CONTRAIL_KUBE_CLUSTER_POD_SUBNETS.
Pure but for what the caller passes as `environ`; a secret may instead be named by `<VARIABLE>_FILE`.
An unknown or malformed variable is a SettingsError that names the variable and the likely culprit.
"""

from __future__ import annotations

import difflib
import ipaddress
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar, get_type_hints

from schemas.contrail.port_pools import port_pool
from schemas.contrail.settings import ContrailSettings as ContrailSettings
from schemas.errors import SettingsError

ENV_PREFIX = "CONTRAIL_KUBE_"
SERVICES = ("WATCHERS", "FEEDBACK", "TRANSLATOR", "APPLIER", "CNI", "CONSOLE", "SIMULATOR")
"""Each service reads variables of its own under its name; the others leave them alone."""
RESERVED = ("CACHE", "REQUIRE")
"""Variables of the build and test tools, not settings."""


class Topic(Protocol):
    """A settings dataclass: PREFIX is its part of the variable names."""

    PREFIX: ClassVar[str]


T = TypeVar("T", bound=Topic)


_IN_TAGS = frozenset(("pod", "ns", "namespace", "sel", "guard"))
"""Words that follow the cluster's name in tags (translator/translate/tags.py)."""


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """The Kubernetes cluster and the addresses that its objects take in Contrail."""

    PREFIX: ClassVar[str] = "CLUSTER"

    name: str = "k8s"
    """Prefix of every Contrail name, and half of the owner mark; two clusters on one Contrail need two names."""
    owner: str = "k8s"
    """The other half of the owner mark; tools of the original look for 'k8s'."""
    domain: str = "default-domain"
    """Contrail domain that holds the projects; must exist."""
    pod_subnets: tuple[str, ...] = ("10.32.0.0/12",)
    """CIDRs of pod addresses."""
    service_subnets: tuple[str, ...] = ("10.96.0.0/12",)
    """CIDRs of service addresses; must be the API server's --service-cluster-ip-range."""
    ip_fabric_subnets: tuple[str, ...] = ("10.64.0.0/12",)
    """CIDRs of pod addresses in the underlay, for gateway-less forwarding."""
    project: str = ""
    """One project of the domain for all namespaces, which must exist; empty makes a project of each namespace."""
    ip_fabric_snat: bool = False
    """Pods reach what is outside through their node's address, unless their namespace says otherwise."""
    ip_fabric_forwarding: bool = False
    """Pods take underlay addresses and need no gateway, unless their isolated namespace says otherwise."""
    public_pool: str = ""
    """Floating-ip pool of load balancers, domain:project:network:pool; services and namespaces may name another."""
    ingress_without_class: bool = False
    """Ingresses that name no class are served where no IngressClass is the default, as contrail-kube-manager does."""
    service_load_balancer: str = "floating-ip"
    """'floating-ip' writes services' cluster addresses whole, 'loadbalancer' leaves them to svc-monitor."""
    port_translation_pools: tuple[str, ...] = ("tcp:56000-57023", "udp:57024-58047")
    """Ports of the nodes that ip_fabric_snat translates to, on every node of this Contrail; empty leaves them alone."""
    virtual_routers: bool = False
    """Make the virtual-router of each Node, and delete it with the Node; those that others made are left alone."""
    link_local_services: bool = True
    """Services whose back-ends are no pods of the network lead to them by link-local entries, for all of Contrail."""
    nested: bool = False
    """Nodes are virtual machines of this Contrail: pods are VLAN sub-interfaces of their node's interface."""
    nested_network: str = ""
    """Network of those machines, domain:project:network: there nodes are found by address, and reach their pods."""

    def __post_init__(self) -> None:
        if not self.name or any(c in self.name for c in ": /=~"):
            raise SettingsError(
                f"{_variable(self, 'name')}={self.name!r}: must be non-empty, without ':', '/', '=', '~' or space"
            )
        if meant := sorted(_IN_TAGS.intersection(self.name.split(".")[1:])):
            raise SettingsError(
                f"{_variable(self, 'name')}={self.name!r}: .{meant[0]} behind the name of another cluster begins that "
                "one's tags; accepted is any other word"
            )
        self._check_names()
        for name in ("pod_subnets", "service_subnets", "ip_fabric_subnets"):
            for cidr in getattr(self, name):
                try:
                    ipaddress.ip_network(cidr)
                except ValueError as error:
                    raise SettingsError(f"{_variable(self, name)}: {cidr!r} is no subnet: {error}") from None
        for pool in self.port_translation_pools:
            try:
                port_pool(pool)
            except ValueError as error:
                raise SettingsError(f"{_variable(self, 'port_translation_pools')}: {error}") from None
        nets = [ipaddress.ip_network(c) for c in self.pod_subnets + self.service_subnets]
        for i, net in enumerate(nets):
            for other in nets[i + 1 :]:
                if net.version == other.version and net.overlaps(other):
                    raise SettingsError(f"{_variable(self, 'pod_subnets')}: {net} and {other} overlap")

    def _check_names(self) -> None:
        if ":" in self.project:
            raise SettingsError(f"{_variable(self, 'project')}={self.project!r}: a project's name alone, without ':'")
        parts = self.public_pool.split(":")
        if self.public_pool and (len(parts) != 4 or not all(parts)):
            raise SettingsError(
                f"{_variable(self, 'public_pool')}={self.public_pool!r}: accepted is domain:project:network:pool"
            )
        if self.service_load_balancer not in ("floating-ip", "loadbalancer"):
            raise SettingsError(
                f"{_variable(self, 'service_load_balancer')}={self.service_load_balancer!r}: accepted are floating-ip "
                "and loadbalancer"
            )
        parts = self.nested_network.split(":")
        if self.nested_network and (len(parts) != 3 or not all(parts)):
            raise SettingsError(
                f"{_variable(self, 'nested_network')}={self.nested_network!r}: accepted is domain:project:network"
            )
        if self.nested_network and not self.nested:
            raise SettingsError(f"{_variable(self, 'nested_network')} needs {_variable(self, 'nested')}=true")
        if self.nested and self.virtual_routers:
            raise SettingsError(
                f"{_variable(self, 'virtual_routers')} is not possible with {_variable(self, 'nested')}=true: "
                "nodes are machines of hosts, which have the virtual-routers"
            )
        if self.ip_fabric_forwarding and not self.ip_fabric_subnets:
            raise SettingsError(f"{_variable(self, 'ip_fabric_forwarding')} needs ip_fabric_subnets: pods live there")


@dataclass(frozen=True, slots=True)
class BusSettings:
    """Where change events travel."""

    PREFIX: ClassVar[str] = "BUS"

    kind: str = "log"
    """'kafka', or 'log' for a directory of Avro files (one machine, embedded use)."""
    directory: Path = Path("contrail-kube-log")
    """Directory of the log, for kind 'log'."""
    topic: str = ""
    """Topic name; empty means k8s.changes.<cluster>."""
    partitions: int = 4
    """Partitions of the topic; fixed for its life, because a namespace must stay in one partition."""
    log_retention_hours: float = 0.0
    """Hours after which old segments of a log may be removed; 0 keeps everything. Kafka has its own setting."""
    log_compression: str = "zstandard"
    """Codec of new segments of a log: zstandard, deflate (which every Avro tool reads) or null."""

    def __post_init__(self) -> None:
        if self.log_compression not in ("zstandard", "deflate", "null"):
            name = _variable(self, "log_compression")
            raise SettingsError(f"{name}={self.log_compression!r}: accepted are zstandard, deflate, null")
        if self.log_retention_hours < 0:
            raise SettingsError(f"{_variable(self, 'log_retention_hours')}={self.log_retention_hours}: at least 0")
        if self.kind not in ("kafka", "log"):
            raise SettingsError(f"{_variable(self, 'kind')}={self.kind!r}: accepted are 'kafka' and 'log'")
        if self.partitions < 1:
            raise SettingsError(f"{_variable(self, 'partitions')}={self.partitions}: at least 1")

    def topic_of(self, cluster: str) -> str:
        """Name of the cluster's topic."""
        return self.topic or f"k8s.changes.{cluster}"


@dataclass(frozen=True, slots=True)
class KafkaSettings:
    """How the brokers are reached, and what the topic is created with."""

    PREFIX: ClassVar[str] = "KAFKA"

    bootstrap_servers: tuple[str, ...] = ("127.0.0.1:9092",)
    security_protocol: str = "PLAINTEXT"
    """PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL."""
    ssl_cafile: str = ""
    ssl_certfile: str = ""
    ssl_keyfile: str = ""
    sasl_mechanism: str = ""
    """PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512."""
    sasl_username: str = ""
    sasl_password: str = field(default="", repr=False, metadata={"secret": True})
    compression: str = "gzip"
    """Producer compression: none, gzip, zstd, lz4, snappy (what the installed codecs allow)."""
    replication_factor: int = 1
    """Copies of the topic; 3 where there are three brokers, 1 loses records with the broker's disk."""
    min_insync_replicas: int = 1
    """Copies that must have a record before it counts as written; 2 with three copies."""
    retention_hours: int = 168
    """Must be at least twice the snapshot period, because snapshots are what replaces compaction."""
    group: str = "translator"
    """Consumer group: for the assignment of partitions only, offsets live in the store."""
    instance: str = ""
    """group.instance.id: a name that survives restarts makes rejoining quick; empty is a dynamic member."""
    session_timeout: float = 45.0
    """Seconds of silence after which a member's partitions go to others."""
    connect_timeout: float = 10.0
    """Seconds to wait for a first answer of the brokers."""
    publish_timeout: float = 30.0
    """Seconds that publishing waits for room in the buffer."""
    buffer_bytes: int = 32 * 1024 * 1024
    """Bytes of records that wait for the brokers' confirmation; publishing then blocks, and so does the watch."""

    def __post_init__(self) -> None:
        for name, accepted in (
            ("security_protocol", ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")),
            ("sasl_mechanism", ("", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")),
            ("compression", ("none", "gzip", "zstd", "lz4", "snappy")),
        ):
            if (value := getattr(self, name)) not in accepted:
                raise SettingsError(
                    f"{_variable(self, name)}={value!r}: accepted are {', '.join(filter(None, accepted))}"
                )
        if not self.bootstrap_servers:
            raise SettingsError(f"{_variable(self, 'bootstrap_servers')} is empty: host:port of at least one broker")
        if self.security_protocol.startswith("SASL") and not (self.sasl_mechanism and self.sasl_username):
            raise SettingsError(
                f"{_variable(self, 'security_protocol')}={self.security_protocol} needs"
                f" {_variable(self, 'sasl_mechanism')} and {_variable(self, 'sasl_username')}"
            )


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """The desired-state store."""

    PREFIX: ClassVar[str] = "DATABASE"

    url: str = field(
        default="postgresql://postgres@127.0.0.1:5432/contrail_kube", repr=False, metadata={"secret": True}
    )
    """postgresql:// URL; secret, because it may hold a password."""
    statement_timeout: float = 30.0
    """Seconds after which the server cancels one statement of ours."""
    connect_timeout: float = 5.0
    """Seconds to wait for a connection."""


@dataclass(frozen=True, slots=True)
class ProcessSettings:
    """Logs, metrics and health of one process."""

    PREFIX: ClassVar[str] = "PROCESS"

    log_level: str = "INFO"
    log_format: str = "json"
    """'json' (one object a line) or 'text' (for a person)."""
    health_host: str = "127.0.0.1"
    """Address of /metrics, /livez and /readyz; 0.0.0.0 in a container."""
    health_port: int = 0
    """Port of /metrics, /livez and /readyz; 0 switches the endpoint off."""

    def __post_init__(self) -> None:
        if self.log_level.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR"):
            raise SettingsError(
                f"{_variable(self, 'log_level')}={self.log_level!r}: accepted are DEBUG, INFO, WARNING, ERROR"
            )
        if not 0 <= self.health_port <= 65535:
            raise SettingsError(f"{_variable(self, 'health_port')}={self.health_port}: accepted are 0 to 65535")
        if self.log_format not in ("json", "text"):
            raise SettingsError(f"{_variable(self, 'log_format')}={self.log_format!r}: accepted are json, text")


SHARED: tuple[type[Topic], ...] = (
    ClusterSettings,
    BusSettings,
    KafkaSettings,
    DatabaseSettings,
    ContrailSettings,
    ProcessSettings,
)


def from_env(topic: type[T], environ: Mapping[str, str], *, defaults: Mapping[str, Any] | None = None) -> T:
    """Settings of one topic from the environment; raises SettingsError.

    `defaults` replaces the class's own, field by field (the embedded run uses it).
    """
    hints = get_type_hints(topic)
    values: dict[str, Any] = dict(defaults or {})
    for spec in fields(topic):  # type: ignore[arg-type]
        name = _variable(topic, spec.name)
        text = _text(environ, name, secret=bool(spec.metadata.get("secret")))
        if text is not None:
            values[spec.name] = _parse(name, text, hints[spec.name])
        elif spec.name not in values and spec.default is MISSING and spec.default_factory is MISSING:
            raise SettingsError(f"{name} is not set; it has no default")
    return topic(**values)


def check_unknown(environ: Mapping[str, str], topics: Iterable[type[Topic]] = ()) -> None:
    """Raise SettingsError for a CONTRAIL_KUBE_ variable that nothing reads: usually a slip of the pen.

    `topics` are the calling service's own, beside the shared ones.
    """
    known = {
        name
        for topic in (*SHARED, *topics)
        for spec in fields(topic)  # type: ignore[arg-type]
        for name in _names(topic, spec.name, secret=bool(spec.metadata.get("secret")))
    }
    own = {topic.PREFIX for topic in topics}
    others = tuple(f"{ENV_PREFIX}{s}_" for s in SERVICES if not any(p.split("_")[0] == s for p in own))
    reserved = {ENV_PREFIX + name for name in RESERVED}
    for name in sorted(environ):
        if not name.startswith(ENV_PREFIX) or name in known or name in reserved or name.startswith(others):
            continue
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise SettingsError(f"{name} is not a setting{hint}")


def describe(*settings: Topic) -> str:
    """One line for the log at start: every setting with its value, secrets left out."""
    parts = []
    for topic in settings:
        for spec in fields(topic):  # type: ignore[arg-type]
            value = "***" if spec.metadata.get("secret") else getattr(topic, spec.name)
            parts.append(f"{topic.PREFIX.lower()}_{spec.name}={value}")
    return " ".join(parts)


def _variable(topic: Topic | type[Topic], name: str) -> str:
    return f"{ENV_PREFIX}{topic.PREFIX}_{name.upper()}"


def _names(topic: type[Topic], name: str, *, secret: bool) -> list[str]:
    variable = _variable(topic, name)
    return [variable, f"{variable}_FILE"] if secret else [variable]


def _text(environ: Mapping[str, str], name: str, *, secret: bool) -> str | None:
    if secret and (path := environ.get(f"{name}_FILE")):
        try:
            return Path(path).read_text().strip()
        except OSError as error:
            raise SettingsError(f"{name}_FILE={path}: cannot be read: {error.strerror}") from error
    return environ.get(name)


def _parse(name: str, text: str, hint: Any) -> Any:
    parser = _PARSERS.get(hint)
    if parser is None:
        raise TypeError(f"{name}: no parser for settings of type {hint}")
    try:
        return parser(text.strip())
    except ValueError:
        raise SettingsError(f"{name}={text!r}: expected {_EXPECTED[hint]}") from None


def _parse_bool(text: str) -> bool:
    words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    try:
        return words[text.lower()]
    except KeyError:
        raise ValueError from None


def _parse_float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError  # "nan" passes every check of a range, and nothing waits for "inf" seconds
    return number


def _parse_list(text: str) -> tuple[str, ...]:
    return tuple(part for part in text.replace(",", " ").split() if part)


_PARSERS: dict[Any, Callable[[str], Any]] = {
    str: str,
    int: int,
    float: _parse_float,
    bool: _parse_bool,
    Path: Path,
    tuple[str, ...]: _parse_list,
}
_EXPECTED = {int: "a whole number", float: "a number (seconds)", bool: "true or false"}
