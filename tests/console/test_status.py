"""`contrail-kube status`: one report on a running system, for a person or as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine

from console.__main__ import cli
from console.status import as_text, gather
from schemas.bus.log import LogProducer
from schemas.errors import StoreMismatch, StoreUnavailable
from tests.console import rows

pytestmark = pytest.mark.postgres


@pytest.fixture
def filled(store_engine: Engine) -> Engine:
    with store_engine.begin() as connection:
        rows.put_object(connection, rows.NETWORK)
        rows.put_pod(connection, "shop", "web-0", address="10.47.255.252")
        rows.put_pod(connection, "shop", "web-1", status="blocked", reason="virtual-router node-1 is not known")
        rows.put_resource(connection, "Node", "", "node-1", {})
        rows.put_position(connection, {0: 30, 1: 12}, {"Pod": "streaming", "Node": "listing"})
        rows.put_dead_letter(connection, "record has no value")
    return store_engine


def _environ(database_url: str, **more: str) -> dict[str, str]:
    return {"CONTRAIL_KUBE_DATABASE_URL": database_url, **more}


def test_every_stage_is_told(filled: Engine, database_url: str) -> None:
    text = "\n".join(as_text(gather(_environ(database_url), rows=20)))
    assert "kubernetes 1 Node, 2 Pod" in text
    assert "objects    4 applied, 3 blocked" in text
    assert "links      1 applied, 1 blocked" in text
    assert "addresses  1 of 2 allocated" in text
    assert "lag        unknown: CONTRAIL_KUBE_BUS_KIND is not set, so the bus was not asked" in text
    assert "oldest     blocked for 0s: " in text
    assert "letters    1 dead letters" in text
    assert "translator  0          30    ?    ?" in text
    assert "Node      0 of 2 partitions" in text
    assert "blocked: virtual-machine k8s__shop__web-1: virtual-router node-1 is not known" in text
    assert "dead letter: decode at k8s.changes.k8s/1@17:  record has no value" in text


def test_lag_is_told_where_the_bus_can_be_asked(filled: Engine, database_url: str, tmp_path: Path) -> None:
    producer = LogProducer(tmp_path, rows.TOPIC, 2)
    for i in range(35):
        producer.publish(0, b"k", str(i).encode())
    producer.flush(10)
    producer.close()
    environ = _environ(
        database_url,
        CONTRAIL_KUBE_BUS_KIND="log",
        CONTRAIL_KUBE_BUS_DIRECTORY=str(tmp_path),
        CONTRAIL_KUBE_BUS_PARTITIONS="2",
    )
    report = gather(environ, rows=5)
    assert report.lag == 5
    assert [(p.partition, p.end, p.lag) for p in report.positions] == [(0, 35, 5), (1, 0, 0)]
    assert "lag        5 events" in as_text(report)


def test_a_bus_that_does_not_answer_is_told_and_the_rest_is_reported(
    filled: Engine, database_url: str, tmp_path: Path
) -> None:
    report = gather(_environ(database_url, CONTRAIL_KUBE_BUS_DIRECTORY=str(tmp_path / "none")), rows=5)
    assert report.lag is None and "holds no topic" in report.bus
    assert report.store.addressed == 1


def test_an_empty_store_is_reported_as_such(store_engine: Engine, database_url: str) -> None:
    text = as_text(gather(_environ(database_url), rows=5))
    assert "kubernetes nothing yet" in text
    assert "oldest     everything is applied" in text
    assert "nothing was read from the bus yet" in text


def test_json_has_the_same_facts(filled: Engine, database_url: str) -> None:
    done = CliRunner().invoke(cli, ["status", "--database", database_url, "--output", "json", "--rows", "1"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.output)
    assert found["objects"] == {"applied": 4, "blocked": 3}
    assert found["addresses"] == {"wanted": 2, "allocated": 1}
    assert found["read"][0]["next_offset"] == 30
    assert found["snapshots"][1] == {"kind": "Pod", "partitions": 2, "streaming": 2, "epochs": [7, 7]}
    assert found["oldest_unapplied"]["status"] == "blocked"
    assert len(found["not_applicable"]) == 1
    assert found["dead_letters"]["open"] == 1


def test_a_database_that_is_away_or_not_migrated_is_named(database_url: str) -> None:
    with pytest.raises(StoreUnavailable, match=r"nothing on 127\.0\.0\.1:1"):
        gather(_environ("postgresql://postgres@127.0.0.1:1/nothing"), rows=1)
    with pytest.raises(StoreMismatch, match="migrate"):
        gather(_environ(database_url.rpartition("/")[0] + "/postgres"), rows=1)


def test_a_state_directory_without_a_run_is_named(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["status", "--state", str(tmp_path)])
    assert done.exception is not None and "no `contrail-kube up` runs over this directory" in str(done.exception)


def test_a_database_that_is_away_is_named_with_what_to_do() -> None:
    done = CliRunner().invoke(cli, ["status", "--database", "postgresql://u@127.0.0.1:1/x"])
    assert isinstance(done.exception, StoreUnavailable)
    assert "x on 127.0.0.1:1" in str(done.exception)
    assert "--state DIR" in str(done.exception) and "--database URL" in str(done.exception)
