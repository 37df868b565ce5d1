"""What must not change a record: noise, the order of keys, and the order of lists where it means nothing."""

from __future__ import annotations

import copy
import random
from collections.abc import Set
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import encode
from schemas.events import Op, Source, change
from tests.watchers.kinds.golden import Json, Pair, observed, pairs
from watchers.inventory import Inventory, digest

PAIRS = pairs()
MAPS = frozenset({"labels", "annotations", "matchLabels", "selector"})
"""Fields whose keys are a user's own: an unknown one there is news."""
SET_LIKE = frozenset(
    {
        "ownerReferences",
        "endpoints",
        "ports",
        "ingress",
        "egress",
        "from",
        "to",
        "matchExpressions",
        "values",
        "except",
        "externalIPs",
        "loadBalancerSourceRanges",
        "hosts",
        "traffic",
    }
)
"""Lists whose order means nothing, in the kinds whose normalizer says so."""
UNORDERED = ("endpoint_slice", "network_policy", "service_load_balancer", "service_chain", "ingress")
ORDERED_RULES = ("admin_network_policy", "baseline_admin_network_policy")
"""Here the order of `ingress` and `egress` means something, and that of what is in a rule nothing."""
STRICT = frozenset({"AdminNetworkPolicy", "BaselineAdminNetworkPolicy"})
"""Kinds whose spec is refused with any field that is not known: a rule half understood would match too much."""
NOISE = st.dictionaries(
    st.from_regex(r"x-[a-z]{1,8}", fullmatch=True),
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda v: st.lists(v) | st.just({"a": 1})),
    max_size=3,
)


def _noisy(thing: Any, noise: Json, draw: random.Random, field: str = "") -> Any:
    """The same with unknown fields in its objects, and every object's keys in another order."""
    if isinstance(thing, list):
        return [_noisy(each, noise, draw) for each in thing]
    if not isinstance(thing, dict):
        return thing
    more = {} if field in MAPS else {key: value for key, value in noise.items() if draw.random() < 0.5}
    silence = field == "" and thing.get("kind") in STRICT
    inner = {key: {} if silence and key == "spec" else noise for key in thing}
    items = [*more.items(), *((key, _noisy(value, inner[key], draw, key)) for key, value in thing.items())]
    draw.shuffle(items)
    return dict(items)


def _shuffled(thing: Any, draw: random.Random, lists: Set[str] = SET_LIKE) -> Any:
    if isinstance(thing, list):
        return [_shuffled(each, draw, lists) for each in thing]
    if not isinstance(thing, dict):
        return thing
    found = {key: _shuffled(value, draw, lists) for key, value in thing.items()}
    for key, value in found.items():
        if key in lists and isinstance(value, list):
            draw.shuffle(value)
    return found


@settings(max_examples=30)
@given(st.sampled_from(PAIRS), NOISE, st.randoms(use_true_random=False))
def test_unknown_fields_and_the_order_of_keys_never_change_a_record(
    pair: Pair, noise: Json, draw: random.Random
) -> None:
    seen = observed(pair.kind, _noisy(pair.object, noise, draw)).record
    assert seen == pair.record
    assert digest(seen) == digest(pair.record)


@settings(max_examples=30)
@given(
    st.sampled_from([pair for pair in PAIRS if pair.name in UNORDERED + ORDERED_RULES]),
    st.randoms(use_true_random=False),
)
def test_the_order_of_lists_that_have_none_never_changes_a_byte(pair: Pair, draw: random.Random) -> None:
    lists = SET_LIKE if pair.name in UNORDERED else SET_LIKE - {"ingress", "egress"} | {"networks", "domainNames"}
    records = [observed(pair.kind, thing).record for thing in (pair.object, _shuffled(pair.object, draw, lists))]
    source = Source(cluster="k8s")
    key = observed(pair.kind, pair.object).key
    first, second = (
        encode(change(op=Op.UPSERT, epoch=1, key=key, uid="u", resource_version="1", source=source, body=record))
        for record in records
    )
    assert first == second


def _later(pair: Pair, **metadata: Any) -> Json:
    """The same object one write later."""
    thing = copy.deepcopy(pair.object)
    thing["metadata"] |= {"resourceVersion": "999999", "generation": 99} | metadata
    return thing


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: str(pair.name))
def test_case_24_managed_fields_and_status_conditions_are_no_news(pair: Pair) -> None:
    inventory = Inventory()
    assert inventory.put(observed(pair.kind, pair.object))
    for second in range(10):
        at = f"2026-11-23T03:00:{second:02}Z"
        thing = _later(pair, managedFields=[{"manager": "kubelet", "operation": "Update", "time": at}])
        if pair.kind not in ("EndpointSlice", "IngressClass"):
            noise = {"type": "Synced", "status": "True", "lastHeartbeatTime": at, "lastTransitionTime": at}
            status = thing.setdefault("status", {})
            status["observedGeneration"] = second
            status["conditions"] = [*status.get("conditions", ()), noise]
        assert not inventory.put(observed(pair.kind, thing))


def test_case_34_an_ephemeral_container_is_no_news() -> None:
    """A debugger that comes into a running pod shares its network; it may declare no ports."""
    [pair] = [pair for pair in PAIRS if pair.name == "pod_several_interfaces"]
    inventory = Inventory()
    assert inventory.put(observed(pair.kind, pair.object))
    thing = _later(pair)
    debugger = {"name": "debugger-1", "image": "example.org/debug:1", "targetContainerName": "web", "stdin": True}
    thing["spec"]["ephemeralContainers"] = [debugger]
    state = {"name": "debugger-1", "state": {"running": {"startedAt": "2026-11-23T03:00:00Z"}}, "ready": False}
    thing.setdefault("status", {})["ephemeralContainerStatuses"] = [state]
    assert not inventory.put(observed(pair.kind, thing))


def test_case_24_heartbeats_of_a_thousand_nodes_are_no_news() -> None:
    [pair] = [pair for pair in PAIRS if pair.name == "node"]
    inventory = Inventory()
    for beat in range(2):
        for number in range(1000):
            thing = dict(pair.object)
            thing["metadata"] = pair.object["metadata"] | {"name": f"node-{number}", "uid": f"u-{number}"}
            ready = {"type": "Ready", "status": "True", "lastHeartbeatTime": f"2026-11-23T03:00:{beat:02}Z"}
            thing["status"] = pair.object["status"] | {"conditions": [ready]}
            assert inventory.put(observed("Node", thing)) is (beat == 0)


@pytest.mark.parametrize("name", ["endpoint_slice", "service_load_balancer", "replica_set", "ingress"])
def test_case_23_a_leader_election_in_annotations_is_no_news(name: str) -> None:
    [pair] = [pair for pair in PAIRS if pair.name == name]
    inventory = Inventory()
    assert inventory.put(observed(pair.kind, pair.object))
    for second in range(30):
        at = f"2026-11-23T03:00:{second:02}Z"
        annotations = pair.object["metadata"].get("annotations", {}) | {
            "control-plane.alpha.kubernetes.io/leader": f'{{"holderIdentity":"a","renewTime":"{at}"}}',
            "endpoints.kubernetes.io/last-change-trigger-time": at,
        }
        assert not inventory.put(observed(pair.kind, _later(pair, annotations=annotations)))


def test_case_23_neither_endpoints_nor_leases_are_watched_at_all() -> None:
    from watchers.kinds import BUILT_IN, OPTIONAL

    assert {"endpoints", "leases", "configmaps", "secrets"}.isdisjoint(k.resource for k in (*BUILT_IN, *OPTIONAL))


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("pod_several_interfaces", ("status", "podIPs"), [{"ip": "10.47.255.9"}]),
        ("pod_several_interfaces", ("metadata", "labels", "app"), "other"),
        ("service_load_balancer", ("spec", "selector", "app"), "other"),
        ("service_load_balancer", ("spec", "ports", 0, "targetPort"), 8443),
        ("service_load_balancer", ("status", "loadBalancer", "ingress"), []),
        ("endpoint_slice", ("endpoints", 0, "conditions", "serving"), False),
        ("endpoint_slice", ("metadata", "labels", "kubernetes.io/service-name"), "other"),
        ("network_policy", ("spec", "ingress", 0, "from", 0), {"podSelector": {}}),
        ("network_policy", ("spec", "policyTypes"), ["Ingress"]),
        ("admin_network_policy", ("spec", "priority"), 51),
        ("admin_network_policy", ("spec", "ingress", 0, "action"), "Allow"),
        ("admin_network_policy", ("spec", "egress", 0, "to", 0, "networks"), ["fd00::/8"]),
        ("baseline_admin_network_policy", ("spec", "subject"), {"namespaces": {}}),
        ("ingress", ("spec", "rules", 0, "http", "paths", 0, "pathType"), "Exact"),
        ("ingress_class", ("metadata", "annotations"), {}),
        ("network_attachment_definition", ("spec", "config"), "{}"),
        ("replica_set", ("metadata", "labels", "opencontrail.org/name"), "other"),
        ("service_chain", ("spec", "services", 0, "mode"), "in-network"),
        ("node", ("status", "addresses", 0, "address"), "198.18.0.9"),
        ("namespace_isolated", ("metadata", "annotations", "opencontrail.org/isolation"), "false"),
    ],
)
def test_what_networking_reads_is_news(name: str, path: tuple[str | int, ...], value: Any) -> None:
    [pair] = [pair for pair in PAIRS if pair.name == name]
    thing = copy.deepcopy(pair.object)
    place: Any = thing
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    inventory = Inventory()
    inventory.put(observed(pair.kind, pair.object))
    assert inventory.put(observed(pair.kind, thing))


@pytest.mark.parametrize("name", ORDERED_RULES)
def test_the_order_of_rules_of_which_the_first_decides_is_news(name: str) -> None:
    [pair] = [pair for pair in PAIRS if pair.name == name]
    thing = copy.deepcopy(pair.object)
    thing["spec"]["egress"].reverse()
    inventory = Inventory()
    inventory.put(observed(pair.kind, pair.object))
    assert inventory.put(observed(pair.kind, thing))
