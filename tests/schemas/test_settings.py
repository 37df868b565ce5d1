"""Settings: what is read, what is refused, and how the refusal helps."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from schemas.errors import SettingsError
from schemas.settings import (
    BusSettings,
    ClusterSettings,
    ContrailSettings,
    DatabaseSettings,
    KafkaSettings,
    ProcessSettings,
    check_unknown,
    describe,
    from_env,
)


@dataclass(frozen=True, slots=True)
class OwnSettings:
    PREFIX: ClassVar[str] = "APPLIER"
    tries: int = 3
    fast: bool = False


def test_defaults_need_no_environment() -> None:
    assert from_env(ClusterSettings, {}).pod_subnets == ("10.32.0.0/12",)
    assert from_env(BusSettings, {}).topic_of("k8s") == "k8s.changes.k8s"


def test_every_type_is_read() -> None:
    environ = {
        "CONTRAIL_KUBE_CLUSTER_POD_SUBNETS": "10.0.0.0/16, fd00::/64",
        "CONTRAIL_KUBE_BUS_DIRECTORY": "/var/lib/log",
        "CONTRAIL_KUBE_BUS_PARTITIONS": "8",
        "CONTRAIL_KUBE_APPLIER_FAST": "Yes",
        "CONTRAIL_KUBE_DATABASE_STATEMENT_TIMEOUT": "2.5",
    }
    assert from_env(ClusterSettings, environ).pod_subnets == ("10.0.0.0/16", "fd00::/64")
    assert from_env(BusSettings, environ) == BusSettings(directory=Path("/var/lib/log"), partitions=8)
    assert from_env(OwnSettings, environ).fast is True
    assert from_env(DatabaseSettings, environ).statement_timeout == 2.5


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("BUS_PARTITIONS", "many", "CONTRAIL_KUBE_BUS_PARTITIONS='many': expected a whole number"),
        ("BUS_PARTITIONS", "0", "at least 1"),
        ("BUS_KIND", "pigeon", "accepted are 'kafka' and 'log'"),
        ("CLUSTER_POD_SUBNETS", "10.0.0.1/8", "has host bits set"),
        ("CLUSTER_POD_SUBNETS", "10.96.0.0/16", "overlap"),
        ("CLUSTER_NAME", "a:b", "without ':'"),
        ("CLUSTER_NAME", "a=b", "without ':'"),
        ("CLUSTER_NAME", "k8s.pod", "begins that"),
        ("CLUSTER_PROJECT", "d:p", "a project's name alone"),
        ("CLUSTER_PUBLIC_POOL", "d:p:pool", "accepted is domain:project:network:pool"),
        ("CLUSTER_SERVICE_LOAD_BALANCER", "native", "accepted are floating-ip and loadbalancer"),
        ("CLUSTER_PUBLIC_POOL", "d:p::pool", "accepted is domain:project:network:pool"),
        ("CLUSTER_NESTED_NETWORK", "cloud", "accepted is domain:project:network"),
        ("CLUSTER_NESTED_NETWORK", "d:p:cloud", "needs CONTRAIL_KUBE_CLUSTER_NESTED=true"),
        ("CONTRAIL_URLS", "127.0.0.1:8082", "http://"),
        ("PROCESS_LOG_LEVEL", "LOUD", "accepted are DEBUG"),
    ],
)
def test_a_malformed_value_is_refused_by_name(variable: str, value: str, says: str) -> None:
    environ = {f"CONTRAIL_KUBE_{variable}": value}
    with pytest.raises(SettingsError) as raised:
        for topic in (ClusterSettings, BusSettings, ContrailSettings, ProcessSettings):
            from_env(topic, environ)
    assert f"CONTRAIL_KUBE_{variable}" in str(raised.value)
    assert says in str(raised.value)


def test_nodes_are_machines_of_hosts_or_hosts_themselves() -> None:
    nested = {"CONTRAIL_KUBE_CLUSTER_NESTED": "true", "CONTRAIL_KUBE_CLUSTER_NESTED_NETWORK": "d:p:cloud"}
    assert from_env(ClusterSettings, nested).nested_network == "d:p:cloud"
    with pytest.raises(
        SettingsError, match="CLUSTER_VIRTUAL_ROUTERS is not possible with CONTRAIL_KUBE_CLUSTER_NESTED"
    ):
        from_env(ClusterSettings, {**nested, "CONTRAIL_KUBE_CLUSTER_VIRTUAL_ROUTERS": "true"})


def test_a_misspelt_variable_is_refused_with_the_likely_one() -> None:
    with pytest.raises(SettingsError, match="did you mean CONTRAIL_KUBE_CLUSTER_NAME"):
        check_unknown({"CONTRAIL_KUBE_CLUSTER_NAMES": "x"})
    with pytest.raises(SettingsError, match="CONTRAIL_KUBE_APPLIER_TRIES"):
        check_unknown({"CONTRAIL_KUBE_APPLIER_TRYS": "x"}, [OwnSettings])


def test_variables_of_other_services_and_other_programs_are_left_alone() -> None:
    check_unknown({"CONTRAIL_KUBE_APPLIER_TRIES": "5", "CONTRAIL_KUBE_CACHE": "/c", "PATH": "/bin"})


def test_a_secret_comes_from_a_file_and_never_shows(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("hunter2\n")
    settings = from_env(KafkaSettings, {"CONTRAIL_KUBE_KAFKA_SASL_PASSWORD_FILE": str(tmp_path / "password")})
    assert settings.sasl_password == "hunter2"
    assert "hunter2" not in repr(settings) + describe(settings)


def test_a_secret_file_that_cannot_be_read_is_named() -> None:
    with pytest.raises(SettingsError, match="SASL_PASSWORD_FILE=/nowhere: cannot be read"):
        from_env(KafkaSettings, {"CONTRAIL_KUBE_KAFKA_SASL_PASSWORD_FILE": "/nowhere"})


@pytest.mark.parametrize("pool", ["tcp:1-65536", "tcp:0-9", "tcp:9-8", "sctp:1-2", "56000-57023", "tcp:1-2:3", ""])
def test_a_pool_of_ports_that_is_none_is_refused_with_what_is_accepted(pool: str) -> None:
    with pytest.raises(SettingsError, match=r"PORT_TRANSLATION_POOLS.*tcp:first-last"):
        ClusterSettings(port_translation_pools=(pool,))


def test_pools_of_ports_are_read_and_may_be_none() -> None:
    name = "CONTRAIL_KUBE_CLUSTER_PORT_TRANSLATION_POOLS"
    assert from_env(ClusterSettings, {name: "tcp:1-2, udp:3-3"}).port_translation_pools == ("tcp:1-2", "udp:3-3")
    assert from_env(ClusterSettings, {name: ""}).port_translation_pools == ()
