"""`python -m applier adopt`: what it prints, asks and answers with."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from applier.__main__ import main
from simulators.contrail.server import ContrailSimulator
from tests.applier.adoption.taking import uuids, writes
from tests.applier.incumbent import KubeManager
from tests.applier.kubernetes import KubernetesInStore, uid_of

pytestmark = pytest.mark.postgres


@pytest.fixture(autouse=True)
def _root_logger() -> Iterator[None]:
    """`main` sets logging up for a process; put back what the tests' own process has."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def environ(kubernetes: KubernetesInStore, contrail: ContrailSimulator, predecessor: KubeManager) -> dict[str, str]:
    """A cluster with a pod that runs and one that is gone, and the settings to adopt it."""
    for namespace in ("default", "shop"):
        predecessor.namespace(namespace)
    for name in ("web-0", "gone-0"):
        predecessor.pod("shop", name, uid=uid_of("shop", name))
    kubernetes.start("default", "shop")
    kubernetes.pod("shop", "web-0")
    return {
        "CONTRAIL_KUBE_DATABASE_URL": kubernetes.engine.url.set(drivername="postgresql").render_as_string(
            hide_password=False
        ),
        "CONTRAIL_KUBE_CONTRAIL_URLS": contrail.url,
        "CONTRAIL_KUBE_PROCESS_LOG_LEVEL": "WARNING",
    }


def test_a_dry_run_groups_by_verdict(
    environ: dict[str, str], contrail: ContrailSimulator, capsys: pytest.CaptureFixture[str]
) -> None:
    before = writes(contrail)
    assert main(["adopt", "--dry-run", "--quiet", "0"], environ) == 0
    said = capsys.readouterr().out
    assert writes(contrail) == before
    assert "\nREMOVED: 3. its pod or namespace is gone: deleted\n" in said
    assert "  1 instance-ip, 1 virtual-machine, 1 virtual-machine-interface\n" in said
    assert said.startswith("KEPT: ")
    (interface,) = [line for line in said.splitlines() if "k8s-shop:web-0__" in line]
    assert interface.endswith("stays as it is: tag_refs, virtual_machine_interface_mac_addresses")


def test_json_tells_all_of_every_object(
    environ: dict[str, str], contrail: ContrailSimulator, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["adopt", "--yes", "--quiet", "0", "--output", "json"], environ) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["done"] == {
        "recorded": told["counts"]["kept"] - 1,
        "deleted": 3,
        "failures": [],
    }  # a machine needs none
    assert sum(told["counts"].values()) == len(told["objects"])
    (interface,) = [o for o in told["objects"] if o["type"] == "virtual-machine-interface" and o["verdict"] == "kept"]
    assert {interface["uuid"]} == uuids(contrail, "virtual-machine-interface")
    assert interface["serves"] != interface["uuid"]


def test_nothing_happens_before_somebody_says_yes(
    environ: dict[str, str],
    contrail: ContrailSimulator,
    kubernetes: KubernetesInStore,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = writes(contrail)
    assert main(["adopt", "--quiet", "0"], environ) == 2
    assert "say --yes" in capsys.readouterr().err
    assert main(["adopt", "--yes"], environ) == 1
    assert "is contrail-kube-manager still running?" in capsys.readouterr().err
    assert main(["adopt", "--dry-run"], environ) == 1
    assert "NOT YET: " in capsys.readouterr().out
    assert writes(contrail) == before
    with kubernetes.engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM adopted_object")) == 0


def test_a_store_that_knows_few_of_the_pods_removes_none_unless_told_so(
    environ: dict[str, str],
    contrail: ContrailSimulator,
    predecessor: KubeManager,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for n in range(20):
        predecessor.pod("shop", f"more-{n}", uid=uid_of("shop", f"more-{n}"))
    before = writes(contrail)
    assert main(["adopt", "--dry-run", "--quiet", "0"], environ) == 1
    assert "NOT YET: 21 of 22 pods in Contrail would be removed" in capsys.readouterr().out
    assert main(["adopt", "--yes", "--quiet", "0"], environ) == 1
    assert "say --remove-many. Nothing was changed." in capsys.readouterr().err
    assert writes(contrail) == before
    assert main(["adopt", "--yes", "--quiet", "0", "--remove-many"], environ) == 0
    assert len(uuids(contrail, "virtual-machine")) == 1


def test_what_a_person_must_decide_ends_with_one(
    environ: dict[str, str], predecessor: KubeManager, capsys: pytest.CaptureFixture[str]
) -> None:
    predecessor.interface("shop", "web-0", machine=uid_of("shop", "web-0"))
    assert main(["adopt", "--yes", "--quiet", "0"], environ) == 1
    said = capsys.readouterr().out
    assert "\nAMBIGUOUS: 2." in said
    assert "\nHELD BACK: " in said
    main(["plan"], environ)
    planned = [line.split()[:3] for line in capsys.readouterr().out.splitlines()]
    assert ["update", "project", "default-domain:k8s-shop"] in planned  # it is there, under another uuid
    main(["retry", "--dead"], environ)
    assert capsys.readouterr().out == "0 objects will be tried again\n"


def test_a_contrail_that_is_away_is_named(environ: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["adopt", "--dry-run"], {**environ, "CONTRAIL_KUBE_CONTRAIL_URLS": "http://127.0.0.1:9"}) == 1
    assert "Contrail API http://127.0.0.1:9" in capsys.readouterr().err
