"""A pod's address is not told before its interface has the membership tags that rules name."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, text

from tests.policy.building import expressed, policy, shop
from tests.translator.facts import CLUSTER
from tests.translator.world import World
from translator.postgres import PostgresStore

pytestmark = pytest.mark.postgres

_TAGGING = "d.type = 'link' AND d.body #>> '{target,type}' = 'tag'"
_APPLY = """
    UPDATE apply_state a SET status = 'applied', applied_generation = desired_generation
    FROM desired_object d WHERE d.uuid = a.object_uuid AND ({which})
"""
_OBSERVE = """
    INSERT INTO observed_object (uuid, type, body, digest)
    SELECT uuid, type, '{"address": "10.32.0.9", "prefix_len": 12}', '' FROM desired_object WHERE type = 'instance-ip'
"""
_STATES = "SELECT namespace || '/' || pod, state FROM pod_address WHERE family = 4"


def test_an_address_is_not_ready_before_the_membership_tags_are(store_engine: Engine) -> None:
    cluster = policy(shop(), "shop/others", expressed(("app", "NotIn", ("web",))), ingress=())
    world = World(PostgresStore(store_engine, CLUSTER), settings=cluster.settings, with_settings=True)
    world.tell(*cluster.events())
    with store_engine.begin() as connection:
        connection.execute(text(_APPLY.format(which=f"NOT ({_TAGGING})")))
        connection.execute(text(_OBSERVE))
        states = {row[0]: row[1] for row in connection.execute(text(_STATES))}
        assert {pod for pod, state in states.items() if state == "ready"} == {"shop/web", "other/web", "other/db"}
        assert states["shop/db"] == states["shop/tool"] == "pending"
        connection.execute(text(_APPLY.format(which=_TAGGING)))
        assert {state for _, state in connection.execute(text(_STATES))} == {"ready"}
