"""Telling a change from noise."""

from __future__ import annotations

from schemas.identity import ResourceKey
from schemas.records import PodRecord
from watchers.decoding import Malformed
from watchers.inventory import Inventory, digest
from watchers.kinds import Observed


def _pod(uid: str, **record: object) -> Observed:
    return Observed(ResourceKey("Pod", "shop", uid), uid, "1", PodRecord(**record))  # type: ignore[arg-type]


def test_the_order_of_a_map_does_not_matter_and_its_content_does() -> None:
    one, other = PodRecord(labels={"a": "1", "b": "2"}), PodRecord(labels={"b": "2", "a": "1"})
    assert digest(one) == digest(other)
    assert digest(one) != digest(PodRecord(labels={"a": "1", "b": "3"}))


def test_only_new_and_changed_objects_are_news() -> None:
    inventory = Inventory()
    assert inventory.put(_pod("a", phase="Pending"))
    assert not inventory.put(_pod("a", phase="Pending"))
    assert inventory.put(_pod("a", phase="Running"))
    inventory.remove("a")
    assert inventory.put(_pod("a", phase="Running"))
    assert len(inventory) == 1


def test_a_malformed_object_exists_until_it_is_mended_or_gone() -> None:
    inventory = Inventory()
    inventory.put(_pod("a"))
    inventory.put_malformed(Malformed("a", "2", "Pod shop/a: bad"))
    inventory.put_malformed(Malformed("b", "3", "Pod shop/b: bad"))
    assert len(inventory) == 2
    assert inventory.complaint() == "2 malformed, their last good state stays: Pod shop/a: bad"
    inventory.put(_pod("a"))
    inventory.remove("b")
    assert (len(inventory), inventory.complaint()) == (1, "")
