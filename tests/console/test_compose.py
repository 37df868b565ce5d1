"""docker-compose.yml, the image and the manifests, checked without an engine: schema, references, settings, rights."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from console.__main__ import cli
from console.settings import OF_SERVICES, settings_of
from schemas.settings import ENV_PREFIX, SHARED
from watchers.kinds import BUILT_IN, OPTIONAL

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"
OURS = frozenset({"migrate", "contrail-api", "provisioner", "watchers", "translator", "applier", "feedback"})
JOBS = frozenset({"migrate"})
WITHOUT_PROBE = frozenset({"provisioner"})
"""Serves nobody and is waited for by nobody."""
READ_ONLY_EXCEPT = frozenset({"kafka"})
"""The official image writes its configuration below /opt when it starts."""
CONDITIONS = ("service_started", "service_healthy", "service_completed_successfully")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded = yaml.safe_load(COMPOSE.read_text())
    assert isinstance(loaded, dict)
    return loaded


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = compose["services"]
    return found


@pytest.mark.process
def test_the_file_follows_the_compose_specification() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_part_is_there(services: dict[str, dict[str, Any]]) -> None:
    assert set(services) == OURS | {"postgres", "kafka"}


def test_what_a_service_waits_for_exists_and_can_come_true(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        for other, how in service.get("depends_on", {}).items():
            assert other in services, f"{name} waits for {other}"
            assert how["condition"] in CONDITIONS
            if how["condition"] == "service_healthy":
                assert "healthcheck" in services[other], f"{name} waits for the health of {other}, which has no check"
            if how["condition"] == "service_completed_successfully":
                assert other in JOBS, f"{name} waits for the end of {other}, which does not end"
            if "profiles" in services[other] and services[other].get("profiles") != service.get("profiles"):
                assert how["required"] is False, f"{name} cannot start where the profile of {other} is off"


def test_nothing_waits_for_itself(services: dict[str, dict[str, Any]]) -> None:
    def waits_for(name: str, seen: tuple[str, ...]) -> None:
        assert name not in seen, " -> ".join((*seen, name))
        for other in services[name].get("depends_on", {}):
            waits_for(other, (*seen, name))

    for name in services:
        waits_for(name, ())


def test_networks_and_volumes_are_declared_and_used(
    compose: dict[str, Any], services: dict[str, dict[str, Any]]
) -> None:
    networks = {network for service in services.values() for network in service["networks"]}
    assert networks == set(compose["networks"])
    mounts = [mount for service in services.values() for mount in service.get("volumes", [])]
    named = {mount.partition(":")[0] for mount in mounts if isinstance(mount, str)}
    assert named == set(compose["volumes"])
    assert all(mount["read_only"] for mount in mounts if isinstance(mount, dict)), "host files are only read"


def test_services_that_talk_share_a_network(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        for variable, value in service.get("environment", {}).items():
            hosts = re.findall(r"(?:@|//)([a-z][a-z-]*):\d+", str(value).replace("PLAINTEXT://kafka", ""))
            hosts += re.findall(r"^([a-z-]+):\d+$", str(value))
            for host in hosts:
                assert host in services, f"{name}: {variable} names {host}"
                assert set(service["networks"]) & set(services[host]["networks"]), f"{name} cannot reach {host}"


def test_what_is_published_is_published_on_the_loopback_only(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), f"{name} publishes {port} to everybody"
            assert "outside" in service["networks"], f"{name} publishes a port on an internal network only"


def test_every_service_is_probed_and_starts_again(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert service["restart"] == ("on-failure" if name in JOBS else "unless-stopped"), name
        if name not in JOBS | WITHOUT_PROBE:
            assert service["healthcheck"]["test"], name


def test_case_95_containers_have_no_more_rights_than_they_need(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert "no-new-privileges:true" in service["security_opt"], name
        assert not service.get("privileged") and not service.get("cap_add"), name
        assert service.get("read_only") is True or name in READ_ONLY_EXCEPT, name
        if name in OURS:
            assert service["cap_drop"] == ["ALL"], name
            assert service["user"].partition(":")[0] != "0", name


def test_images_are_pinned(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        tag = service["image"].rpartition(":")[2]
        assert re.fullmatch(r"\d+\.\d+(\.\d+)?(-[a-z]+)?", tag), f"{name}: {service['image']}"


def test_every_setting_exists(services: dict[str, dict[str, Any]]) -> None:
    topics = [*SHARED, *(topic for topics in OF_SERVICES.values() for topic in topics)]
    known = {setting.variable for topic in topics for setting in settings_of(topic)}
    for name in OURS:
        for variable in services[name]["environment"]:
            assert not variable.startswith(ENV_PREFIX) or variable in known, f"{name}: {variable} is no setting"


def test_every_command_exists(services: dict[str, dict[str, Any]]) -> None:
    for name in OURS:
        match services[name]["command"]:
            case ["python", "-m", module, *_]:
                assert importlib.util.find_spec(f"{module}.__main__") is not None, f"{name}: no module {module}"
            case ["contrail-kube", command]:
                assert command in cli.commands, f"{name}: no command {command}"
            case other:
                raise AssertionError(f"{name}: {other}")


def test_every_variable_of_the_file_is_in_the_example() -> None:
    used = set(re.findall(r"\$\{([A-Z_]+)", COMPOSE.read_text()))
    shown = set(re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert used == shown - {"COMPOSE_PROFILES"}
    ignored = (ROOT / ".gitignore").read_text().split()
    assert ".env" in ignored and ".env.example" not in ignored


def test_the_image_is_built_in_stages_and_runs_unprivileged() -> None:
    lines = (ROOT / "deploy" / "Dockerfile").read_text().splitlines()
    stages = [line for line in lines if line.startswith("FROM ")]
    assert len(stages) == 2
    assert all(re.search(r":\d+\.\d+\.\d+-", stage) for stage in stages), "base images are pinned"
    last = lines[lines.index(stages[-1]) :]
    users = [line.split()[1] for line in last if line.startswith("USER ")]
    assert users and re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1]), "a number, so that Kubernetes can check it"
    after = last[last.index(f"USER {users[-1]}") :]
    assert not any(line.startswith(("RUN ", "COPY ", "ADD ")) for line in after)


def test_the_image_gets_every_package_and_nothing_else() -> None:
    copied = set(re.findall(r"^COPY ([a-z]+) \1$", (ROOT / "deploy" / "Dockerfile").read_text(), re.MULTILINE))
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "benchmarks"}
    assert copied == packages
    assert copied <= allowed


def test_case_94_the_watchers_may_look_and_write_one_lease() -> None:
    manifests = list(yaml.safe_load_all((ROOT / "deploy" / "kubernetes" / "watchers-rbac.yaml").read_text()))
    rules = {m["kind"]: m["rules"] for m in manifests if "rules" in m}
    assert set(rules) == {"ClusterRole", "Role"}
    *kinds, cluster_uid = rules["ClusterRole"]
    looked_at = [(g, r) for rule in kinds for g in rule["apiGroups"] for r in rule["resources"]]
    assert sorted(looked_at) == sorted((kind.group, kind.resource) for kind in (*BUILT_IN, *OPTIONAL))
    assert all(rule["verbs"] == ["list", "watch"] for rule in kinds)
    assert (cluster_uid["resourceNames"], cluster_uid["verbs"]) == (["kube-system"], ["get"])
    for rule in rules["Role"]:
        assert (rule["apiGroups"], rule["resources"]) == (["coordination.k8s.io"], ["leases"])
        assert rule.get("resourceNames") == ["contrail-kube-watchers"] or rule["verbs"] == ["create"]
    words = {word for rule in [*rules["ClusterRole"], *rules["Role"]] for part in rule.values() for word in part}
    assert not words & {"*", "secrets", "delete", "deletecollection", "patch"}


def test_case_94_the_feedback_may_patch_and_write_events_and_read_nothing() -> None:
    manifests = list(yaml.safe_load_all((ROOT / "deploy" / "kubernetes" / "feedback-rbac.yaml").read_text()))
    rules = {m["kind"]: m["rules"] for m in manifests if "rules" in m}
    granted = {
        (group, resource): rule["verbs"]
        for rule in rules["ClusterRole"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    assert granted == {
        ("", "services/status"): ["patch"],
        ("networking.k8s.io", "ingresses/status"): ["patch"],
        ("", "pods"): ["patch"],
        ("events.k8s.io", "events"): ["create", "patch"],
    }
    for rule in rules["Role"]:
        assert (rule["apiGroups"], rule["resources"]) == (["coordination.k8s.io"], ["leases"])
        assert rule.get("resourceNames") == ["contrail-kube-feedback"] or rule["verbs"] == ["create"]
    assert {m["metadata"]["name"] for m in manifests} == {"contrail-kube-feedback"}, "an account of its own"


def test_a_simulated_contrail_tells_the_cluster_nothing(services: dict[str, dict[str, Any]]) -> None:
    example = (ROOT / ".env.example").read_text()
    assert services["feedback"]["profiles"] == ["feedback"]
    assert re.search(r"^COMPOSE_PROFILES=simulator$", example, re.MULTILINE)
