"""A simulated Contrail that began anew gets everything again, and nobody else's cluster is touched."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, text

from console.amnesia import forget
from console.observe import snapshot
from tests.console import rows

pytestmark = pytest.mark.postgres


def test_everything_is_to_be_applied_again_and_no_address_is_known(store_engine: Engine) -> None:
    with store_engine.begin() as connection:
        rows.put_object(connection, rows.NETWORK)
        rows.put_pod(connection, "shop", "web-0", address="10.47.255.252")
    assert forget(store_engine, cluster=rows.CLUSTER) == 5
    found = snapshot(store_engine, cluster=rows.CLUSTER, topic=rows.TOPIC)
    assert (found.counts.objects, found.counts.links) == ({"pending": 4}, {"pending": 1})
    assert (found.pods[0].address, found.pods[0].state) == ("", "pending")


def test_another_cluster_of_the_same_store_keeps_what_it_has(store_engine: Engine) -> None:
    with store_engine.begin() as connection:
        rows.put_object(connection, rows.NETWORK)
        rows.put_pod(connection, "shop", "web-0", address="10.47.255.252")
    assert forget(store_engine, cluster="other") == 0
    found = snapshot(store_engine, cluster=rows.CLUSTER, topic=rows.TOPIC)
    assert found.pods[0].state == "ready"


def test_the_applier_is_woken(store_engine: Engine) -> None:
    listener = store_engine.raw_connection()
    try:
        cursor = listener.cursor()
        cursor.execute("LISTEN desired")
        listener.commit()
        forget(store_engine, cluster=rows.CLUSTER)
        cursor.execute("SELECT 1")
        notifies = listener.driver_connection.notifies  # type: ignore[union-attr]
        assert [n.payload.split(",")[:2] for n in notifies] == [["0", "1"]]
    finally:
        listener.close()


def test_nothing_is_said_of_an_empty_store(store_engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    assert forget(store_engine, cluster=rows.CLUSTER) == 0
    assert not caplog.records
    with store_engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM apply_state")) == 0
