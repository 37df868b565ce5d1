"""Pytest plugin: the real Kubernetes API for tests marked `kubernetes`; name it in the root conftest's pytest_plugins.

Where the rig cannot be had, those tests skip, and the reason begins with "kubernetes suite unavailable:".
The binary is built after collection and before the first test, outside of any test's time limit.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rigs.kubernetes import BuildFailed, KubernetesCluster, Options, binary_path, build, unavailable

UNAVAILABLE = "kubernetes suite unavailable"
_numbers = itertools.count(1)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build what the selected tests need, with a line of progress now and then."""
    wanted = any(item.get_closest_marker("kubernetes") for item in session.items)
    if not wanted or session.config.option.collectonly or unavailable():
        return
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    try:
        build(lambda line: reporter.write_line(f"kubernetes: {line}") if reporter else None)
    except BuildFailed as error:
        if reporter:
            reporter.write_line(f"kubernetes: {error}", red=True)


@pytest.fixture(scope="session")
def kubernetes_binary() -> Path:
    """The built binary; for a test that starts clusters of its own. Skips the test where there is none."""
    if reason := unavailable():
        pytest.skip(f"{UNAVAILABLE}: {reason}")
    if not binary_path().exists():
        pytest.skip(f"{UNAVAILABLE}: the build failed, see above")
    return binary_path()


@pytest.fixture(scope="session")
def kubernetes_cluster(kubernetes_binary: Path) -> Iterator[KubernetesCluster]:
    """One API server for the whole run, shared: a test makes its own namespaces and breaks nothing.

    Nothing schedules or runs pods; give one a nodeName and a status yourself. A pod with a nodeName goes only
    when it is deleted with a grace period of 0. A deleted namespace goes, with what is in it.
    """
    with KubernetesCluster(Options(controllers=("namespace-controller",))) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def kubernetes_whole_cluster(kubernetes_binary: Path) -> Iterator[KubernetesCluster]:
    """One cluster for the whole run, shared, that runs pods: all controllers, scheduler, three fake nodes."""
    with KubernetesCluster(Options.whole()) as cluster:
        yield cluster


@pytest.fixture
def kubernetes_namespace(kubernetes_cluster: KubernetesCluster) -> Iterator[str]:
    """A new namespace of the shared API server, deleted (not awaited) after the test."""
    name = f"test-{next(_numbers)}"
    kubernetes_cluster.admin.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    yield name
    kubernetes_cluster.admin.request("DELETE", f"/api/v1/namespaces/{name}")
