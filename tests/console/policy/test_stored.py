"""`contrail-kube policy` on a running system: what its database knows, and what it would have Contrail do."""

from __future__ import annotations

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine, text

from console.__main__ import cli
from schemas.errors import StoreUnavailable
from tests.policy.building import labelled, pods, policy, rule, shop
from tests.translator.world import World
from translator.postgres import PostgresStore

pytestmark = pytest.mark.postgres
CLUSTER = policy(shop(), "shop/in", labelled(app="db"), ingress=(rule(pods(labelled(app="web"))),))


@pytest.fixture
def filled(store_engine: Engine) -> Engine:
    store = PostgresStore(store_engine, "k8s")
    world = World(store, settings=CLUSTER.settings, with_settings=True)
    world.tell(*CLUSTER.events())
    store.close()
    return store_engine


def ask(database_url: str, source: str, target: str) -> Result:
    asked = ["policy", "test", "--database", database_url, "--from", source, "--to", target, "--port", "80"]
    return CliRunner().invoke(cli, asked, env={})


def test_a_running_system_is_asked(filled: Engine, database_url: str) -> None:
    result = ask(database_url, "shop/web", "shop/db")
    assert result.exit_code == 0, result.output
    assert "shop/in, ingress rule 1 as stored: from pods app=web in shop on every port" in result.output
    assert ask(database_url, "shop/tool", "shop/db").exit_code == 1
    assert ask(database_url, "192.168.0.1", "shop/db").exit_code == 0
    table = CliRunner().invoke(cli, ["policy", "matrix", "--database", database_url, "--port", "80"], env={})
    assert table.exit_code == 0 and "!" not in table.output.splitlines()[3]


def test_a_difference_is_told_loudly(filled: Engine, database_url: str) -> None:
    """Exit code 3: somebody changed what Contrail is given, behind the translator's back."""
    with filled.begin() as connection:
        changed = "jsonb_set(body, '{properties,action_list,simple_action}', '\"pass\"')"
        connection.execute(text(f"UPDATE desired_object SET body = {changed} WHERE type = 'firewall-rule'"))
    result = ask(database_url, "shop/tool", "shop/db")
    assert result.exit_code == 3
    assert "denied: shop/tool" in result.stdout and "contrail  allowed" in result.stdout
    assert (
        "KUBERNETES AND CONTRAIL DIFFER in " in result.stderr and "Kubernetes denied, Contrail allowed" in result.stderr
    )
    table = CliRunner().invoke(cli, ["policy", "matrix", "--database", database_url, "--port", "80"], env={})
    assert table.exit_code == 3 and "!" in table.stdout and "DIFFER" in table.stderr


def test_a_policy_that_was_put_aside_is_told(filled: Engine, database_url: str) -> None:
    with filled.begin() as connection:
        columns = "cluster, stage, topic, partition, at_offset, resource, error_class, error, payload"
        letter = "'k8s', 'translate', 't', 0, 1, 'NetworkPolicy/shop/odd', 'TranslationError', 'is odd', ''"
        connection.execute(text(f"INSERT INTO dead_letter ({columns}) VALUES ({letter})"))
    result = ask(database_url, "shop/web", "shop/db")
    assert "note: put aside, the state before counts: NetworkPolicy/shop/odd: is odd" in result.stderr


def test_a_database_that_is_away_says_how_to_name_another() -> None:
    result = ask("postgresql://nobody@127.0.0.1:1/none", "shop/web", "shop/db")
    assert isinstance(result.exception, StoreUnavailable) and "-f FILE" in str(result.exception)
