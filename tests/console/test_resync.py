"""`contrail-kube resync`, against a running service and its register: in a Lease, and in a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from console.__main__ import cli
from schemas.errors import KubernetesUnavailable, SettingsError
from tests.watchers.fake_cluster import FakeCluster
from tests.watchers.objects import pod
from tests.watchers.patience import eventually
from tests.watchers.watching import watching

pytestmark = pytest.mark.process


def _resync(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["resync", *arguments])


def _kubeconfig(directory: Path, server: str) -> str:
    path = directory / "kubeconfig"
    config = {
        "current-context": "x",
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        "clusters": [{"name": "x", "cluster": {"server": server}}],
        "users": [{"name": "x", "user": {}}],
    }
    path.write_text(json.dumps(config))
    return str(path)


def _lose(cluster: FakeCluster, count: int) -> None:
    for uid in sorted(cluster.uids())[:count]:
        cluster.forget_silently(uid)


def test_case_20_a_listing_that_lacks_too_much_deletes_nothing_until_a_person_confirms_it(tmp_path: Path) -> None:
    with FakeCluster() as cluster:
        for number in range(40):
            cluster.put(pod(f"p-{number:02}"))
        everything = cluster.uids()
        access = ("--kubeconfig", _kubeconfig(tmp_path, cluster.api.url), "--seconds", "15")
        with watching(cluster.api.load, None, lease_seconds=1.0) as run:
            run.settled(cluster.uids)
            eventually(
                lambda: cluster.lease and "opencontrail.org/known.Pod" in cluster.lease["metadata"]["annotations"]
            )
            told = _resync("Pod", *access)
            assert (told.exit_code, "40 objects" in told.output) == (0, True), told.output
            _lose(cluster, 35)
            held = _resync("Pod", *access)
            assert held.exit_code == 1
            assert "5 objects, 40 were known: deletions are held back" in held.output
            assert "contrail-kube resync --confirm Pod" in held.output
            assert run.folded().uids("Pod") == everything
            told = _resync("pod", "--confirm", *access)
            assert (told.exit_code, "5 objects" in told.output) == (0, True), told.output
            run.settled(cluster.uids)
            run.ready()
            notes = cluster.lease["metadata"]["annotations"] if cluster.lease else {}
            assert not [name for name in notes if "resync." in name or "held." in name]


def test_a_wish_reaches_a_watcher_that_keeps_its_epochs_in_the_state_directory(tmp_path: Path) -> None:
    with FakeCluster() as cluster:
        cluster.put(pod("web-0"))
        with watching(cluster.api.load, None, epoch_file=str(tmp_path / "epochs")) as run:
            run.settled(cluster.uids)
            assert _resync("Pod", "--state", str(tmp_path), "--seconds", "15").exit_code == 0
            assert len(run.snapshots()) == 2


def test_without_a_watcher_the_wish_is_taken_back_and_that_is_said(tmp_path: Path) -> None:
    with FakeCluster() as cluster:
        done = _resync("Pod", "--confirm", "--kubeconfig", _kubeconfig(tmp_path, cluster.api.url), "--seconds", "1")
        assert isinstance(done.exception, KubernetesUnavailable)
        assert "does one run" in str(done.exception)
        assert cluster.lease is not None
        assert not [name for name in cluster.lease["metadata"]["annotations"] if "resync." in name]


def test_a_state_directory_without_a_watcher_is_named(tmp_path: Path) -> None:
    done = _resync("Pod", "--state", str(tmp_path))
    assert isinstance(done.exception, SettingsError)
    assert "no watcher keeps its epochs there" in str(done.exception)
