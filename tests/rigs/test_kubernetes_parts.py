"""The parts of the Kubernetes rig that need no cluster: cache and reasons, fake nodes, kubeconfig, processes."""

from __future__ import annotations

import base64
import ipaddress
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.rigs.kubernetes import (
    Access,
    ClusterFailed,
    Component,
    Pace,
    binary,
    binary_path,
    build,
    flags,
    kubernetes_version,
    unavailable,
)
from tests.rigs.kubernetes.nodes import fake_nodes, stages
from tests.rigs.kubernetes.options import CONTROLLERS, Options


def test_the_cache_is_outside_the_tree_and_can_be_moved() -> None:
    assert binary.cache_directory({}) == Path("~/.cache/contrail-kube").expanduser()
    assert binary.cache_directory({"CONTRAIL_KUBE_CACHE": "/somewhere"}) == Path("/somewhere")


def test_changed_sources_are_another_binary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = binary_path()
    copy = Path(shutil.copytree(binary.SOURCE, tmp_path / "go"))
    monkeypatch.setattr(binary, "SOURCE", copy)
    assert binary_path() == before
    (copy / "main.go").write_text("package main\n")
    assert binary_path() != before


def test_without_go_the_reason_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTRAIL_KUBE_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert unavailable.__wrapped__() == "no 'go' on PATH"


@pytest.mark.process
def test_an_old_go_is_named_with_the_version_that_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTRAIL_KUBE_CACHE", str(tmp_path / "cache"))
    go = tmp_path / "go"
    go.write_text("#!/bin/sh\necho go1.19.8\n")
    go.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert unavailable.__wrapped__() == "Go 1.19.8 is too old, 1.26.0 is needed"


def test_a_binary_in_the_cache_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTRAIL_KUBE_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    binary_path().parent.mkdir(parents=True)
    binary_path().touch()
    assert unavailable.__wrapped__() is None
    assert build() == binary_path()


@pytest.mark.process
def test_a_failed_build_leaves_no_binary_and_shows_what_go_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONTRAIL_KUBE_CACHE", str(tmp_path / "cache"))
    go = tmp_path / "go"
    go.write_text('#!/bin/sh\n[ "$1" = list ] && exit 0\necho half >"$8"\necho "main.go:1: no such thing"; exit 2\n')
    go.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(binary.BuildFailed, match="no such thing"):
        build()
    assert list(binary_path().parent.iterdir()) == []


def test_the_pinned_version_is_one_of_kubernetes() -> None:
    assert kubernetes_version().startswith("v1.")


def test_fake_nodes_differ_in_name_and_address_and_take_the_zones_in_turn() -> None:
    nodes = list(fake_nodes(300, network="198.18.0.0/15"))
    addresses = {node["status"]["addresses"][0]["address"] for node in nodes}
    assert len({node["metadata"]["name"] for node in nodes}) == len(addresses) == 300
    assert all(ipaddress.ip_address(a) in ipaddress.ip_network("198.18.0.0/15") for a in addresses)
    zones = [node["metadata"]["labels"]["topology.kubernetes.io/zone"] for node in nodes[:4]]
    assert zones == ["a", "b", "c", "a"]


def test_the_pace_is_the_delay_of_the_stages() -> None:
    documents: list[Any] = list(yaml.safe_load_all(stages(Pace(start=(0.5, 2), stop=(0.1, 0.1)))))
    delays = {d["metadata"]["name"]: d["spec"].get("delay") for d in documents}
    assert delays["pod-running"] == {"durationMilliseconds": 500, "jitterDurationMilliseconds": 2000}
    assert delays["pod-deleted"] == {"durationMilliseconds": 100, "jitterDurationMilliseconds": 100}
    assert delays["pod-completed"] == {"durationMilliseconds": 1000, "jitterDurationMilliseconds": 1000}


def test_admission_waits_for_no_controller_that_is_not_there() -> None:
    off = "--disable-admission-plugins="
    bare = flags.apiserver(Path("/d"), port=1, options=Options())
    assert off + "ServiceAccount,TaintNodesByCondition" in bare
    assert off in flags.apiserver(Path("/d"), port=1, options=Options(controllers=CONTROLLERS))


def test_a_kubeconfig_stands_alone_and_is_private(tmp_path: Path) -> None:
    path = Access("https://127.0.0.1:1", "PEM", "secret").write_kubeconfig(tmp_path / "kubeconfig")
    config = yaml.safe_load(path.read_text())
    assert config["clusters"][0]["cluster"] == {
        "server": "https://127.0.0.1:1",
        "certificate-authority-data": base64.b64encode(b"PEM").decode(),
    }
    assert config["users"][0]["user"] == {"token": "secret"}
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.process
def test_a_component_that_ends_early_shows_the_tail_of_its_log(tmp_path: Path) -> None:
    component = shell("echo the port is taken; exit 3", tmp_path)
    component.start()
    with pytest.raises(ClusterFailed, match=r"ended before readiness(?s:.*)the port is taken"):
        component.wait(lambda: None, "readiness", seconds=10)
    component.stop()


@pytest.mark.process
def test_a_component_that_ignores_the_request_to_end_is_killed(tmp_path: Path) -> None:
    component = shell("trap '' TERM; touch ready; while :; do sleep 0.01; done", tmp_path)
    component.start()
    component.wait((tmp_path / "ready").exists, "trap", seconds=10)
    component.stop(seconds=0.1)
    assert not component.running
    assert component.pid is None


def shell(script: str, directory: Path) -> Component:
    return Component("-c", [script], binary=Path("/bin/sh"), directory=directory)
