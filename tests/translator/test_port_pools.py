"""Pools of ports that pods are translated to follow the settings, beside those of other clusters."""

from __future__ import annotations

from typing import Any

import msgspec

from tests.translator.contrail import FollowingContrail
from tests.translator.facts import SETTINGS
from tests.translator.rows import MemoryBackend
from tests.translator.world import World
from translator.memory import MemoryStore

TCP, UDP = "tcp:56000-57023", "udp:57024-58047"


def told(store: MemoryStore, *pools: str, cluster: str = "k8s") -> None:
    """The cluster's settings name these pools now."""
    settings = msgspec.structs.replace(SETTINGS, port_translation_pools=pools, cluster=cluster)
    World(store, settings=settings, with_settings=True)


def pools(contrail: FollowingContrail) -> list[tuple[Any, ...]]:
    (owner,) = contrail.everything("global-vrouter-config")
    held = (owner.get("port_translation_pools") or {}).get("port_translation_pool") or []
    return sorted((p["protocol"], p["port_range"]["start_port"], p["port_range"]["end_port"]) for p in held)


def test_pools_come_change_and_go_with_the_settings() -> None:
    store, contrail = MemoryBackend().store, FollowingContrail()
    told(store, TCP, UDP)
    contrail.follow(store)
    assert pools(contrail) == [("tcp", 56000, 57023), ("udp", 57024, 58047)]
    contrail.writes.clear()
    told(store, "tcp:40000-40999", UDP)
    contrail.follow(store)
    assert pools(contrail) == [("tcp", 40000, 40999), ("udp", 57024, 58047)]
    assert [verb for verb, _ in contrail.writes] == ["entry", "entry"]
    told(store)
    contrail.follow(store)
    assert pools(contrail) == []


def test_case_69_equal_pools_of_two_clusters_end_with_their_own_cluster() -> None:
    contrail = FollowingContrail()
    first, second = MemoryBackend().store, MemoryBackend().store
    told(first, TCP)
    told(second, TCP, cluster="other")
    contrail.follow(first)
    contrail.follow(second)
    assert pools(contrail) == [("tcp", 56000, 57023)] * 2  # nodes take equal ones for one
    told(first)
    contrail.follow(first)
    assert pools(contrail) == [("tcp", 56000, 57023)]
