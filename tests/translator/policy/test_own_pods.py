"""Own pods by tags and addresses: what a look at each of them would find."""

from __future__ import annotations

from tests.translator.golden import resource
from translator.policy.model import NO_TAGS, Tags
from translator.policy.own_pods import OwnPods


def pods() -> OwnPods:
    """web and db with an address of each family, and one without labels; db and the last are members of a tag."""
    held = (("web", {"app": "web", "tier": "x"}), ("db", {"app": "db", "tier": "x"}), ("tool", {}))
    every = [
        resource("Pod", "shop", name, uid=name, body={"labels": labels, "pod_ips": [f"10.0.0.{n}", f"fd00::{n}"]})
        for n, (name, labels) in enumerate(held, 1)
    ]
    return OwnPods(every, {"sel.a": {"db", "tool", "elsewhere"}})


def test_pods_are_those_that_carry_all_tags_and_addresses_those_inside() -> None:
    found = pods()
    tier, web = (("pod.tier", "x"),), (("pod.app", "web"), ("pod.tier", "x"))
    assert sorted(found.addresses(NO_TAGS, ("10.0.0.0/30",))) == ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
    assert sorted(found.addresses(Tags(tier), ("10.0.0.2/31", "fd00::/127"))) == ["10.0.0.2", "fd00::1"]
    assert found.addresses(Tags(web), ("fd00::/64",)) == ["fd00::1"]
    assert found.addresses(Tags(tier, ("sel.a",)), ("0.0.0.0/0",)) == ["10.0.0.2"]
    assert found.addresses(Tags((("pod.app", "nobody"),)), ("0.0.0.0/0",)) == []
    assert found.addresses(NO_TAGS, ("203.0.113.0/24",)) == []
