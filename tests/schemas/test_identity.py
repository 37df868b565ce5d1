"""Identity rules are promises: these literal values must never change."""

from __future__ import annotations

import uuid

import pytest

from schemas.identity import ROOT, ResourceKey, event_id, link_uuid, mac_of, object_uuid, partition_of, shard_of


def test_formulas_have_not_moved() -> None:
    assert str(ROOT) == "a4468a91-0e50-52ab-b460-339c7463b90a"
    assert object_uuid("k8s", "project", "default-domain:k8s-shop") == "d8bde25a-1d4c-5026-a591-b1f5134df1c2"
    assert event_id("k8s", "u", "1", "upsert") == "9992cb50-d82f-50cb-9df1-e6b7e9448cc4"
    assert link_uuid("virtual-router", "g:n", "virtual-machine", "u") == "67f925fd-d32a-56b7-bee6-cfd84ebb7dca"


def test_ids_are_rfc_version_5_uuids() -> None:
    for number in range(200):
        assert object_uuid("k8s", "tag", f"ä{number}") == str(uuid.uuid5(ROOT, f"k8s/tag/ä{number}"))


def test_a_namespace_and_all_in_it_share_a_partition() -> None:
    for name in ("shop", "kube-system", "a.b", ""):
        namespace = partition_of(ResourceKey("Namespace", "", name), 16)
        assert namespace == partition_of(ResourceKey("Pod", name, "cart-0"), 16) or name == ""


def test_partitions_and_shards_stay_in_range_and_are_used() -> None:
    keys = [ResourceKey("Pod", f"ns-{i}", "p") for i in range(200)]
    assert {partition_of(k, 4) for k in keys} == {0, 1, 2, 3}
    assert {shard_of(k.namespace, 16) for k in keys} == set(range(16))


def test_a_key_reads_back_what_it_wrote() -> None:
    key = ResourceKey("Pod", "shop", "cart-0")
    assert ResourceKey.parse(str(key)) == key
    assert ResourceKey.parse("Node//n") == ResourceKey("Node", "", "n")
    with pytest.raises(ValueError):
        ResourceKey.parse("Pod/shop")


def test_a_mac_is_local_unicast_and_comes_from_the_interface() -> None:
    assert mac_of("7a3f1122-33ff-4a25-8f61-2f6a1c1a0001") == "02:7a:3f:11:22:33"
