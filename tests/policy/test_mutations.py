"""Compilers that are broken on purpose: the random tables notice each of them.

This replaces our own functions, which no other test may do, because here it is the tests that are tested.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from schemas.records import IpBlock
from tests.policy.exploring import notices
from tests.policy.holding import holds
from tests.policy.strategies import clusters
from tests.policy.test_random import SETS, means_each
from tests.translator.forgetting import forget
from translator.policy import admin, blocks, census, compile, heads, ports, product, selectors
from translator.policy.model import EVERYTHING, NO_TAGS, Service
from translator.policy.place import Place

pytestmark = pytest.mark.slow
EXAMPLES = 100
"""Random clusters, each with six sets of policies, that a fault may hide from."""


@pytest.fixture(autouse=True)
def with_empty_caches() -> Iterator[None]:
    forget()
    yield
    forget()


def _ports_not_compared(original: Any) -> Any:
    return lambda one, other: one if one.protocol != "any" else other


def _one_behind_the_other(original: Any) -> Any:
    """Without the product: what the first list says counts for both."""
    return lambda egress, ingress, *more: (*original(egress, (), *more)[:-1], *original((), ingress, *more))


def _whole_blocks(original: Any) -> Any:
    return lambda asked: original(IpBlock(cidr=each.cidr) for each in asked)


def _last_port(original: Any) -> Any:
    return lambda pod, port: (
        [0] + [p.port for p in pod.ports if (p.name, p.protocol) == (port.port_name, port.protocol)]
    )[-1]


def _first_of_a_range(original: Any) -> Any:
    return lambda port: Service(original(port).protocol, original(port).low, original(port).low if port.port else 65535)


def _no_not_in(original: Any) -> Any:
    def selects(selector: Any, labels: Any) -> bool:
        kept = () if selector is None else tuple(e for e in selector.match_expressions if e.operator != "NotIn")
        return bool(
            original(selector and type(selector)(match_labels=selector.match_labels, match_expressions=kept), labels)
        )

    return selects


def _only_the_last_value(original: Any) -> Any:
    return lambda selector, kind: (found := original(selector, kind)) and found[-1:]


def _nodes_left_out(original: Any) -> Any:
    return lambda *arguments: original(*arguments)[1:]


def _without_members(original: Any) -> Any:
    return lambda self, text, owners: original(self, text, [])


def _everyone(original: Any) -> Any:
    return lambda self, wanted: EVERYTHING if wanted == NO_TAGS else original(self, wanted)


MUTATIONS: dict[str, tuple[Any, str, Callable[[Any], Any]]] = {
    "no default deny": (heads, "_denials", lambda _: lambda parts: ()),
    "default deny of the first policy only": (heads, "_denials", lambda original: lambda parts: original(parts)[:1]),
    "an egress rule opens the target": (compile, "rules_of", _one_behind_the_other),
    "ports of a pair are not compared": (product, "meet", _ports_not_compared),
    "the last rule first": (compile, "rules_of", lambda original: lambda *heads: original(*heads)[::-1]),
    "endPort is ignored": (ports, "_service", _first_of_a_range),
    "the last port of a name": (ports, "number_of", _last_port),
    "except is ignored": (blocks, "prefixes", _whole_blocks),
    "NotIn is ignored": (selectors, "selects", _no_not_in),
    "In means its last value": (selectors, "conjunctions", _only_the_last_value),
    "all namespaces are all addresses": (Place, "pods", _everyone),
    "pods of any namespace": (Place, "own", lambda _: Place.pods),
    "nodes are cut off": (heads, "_inward_head", _nodes_left_out),
    "nobody carries membership tags": (census.Census, "_give", _without_members),
    "what a policy selects is everything": (census.Census, "own", lambda _: lambda self, selector: (NO_TAGS,)),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_broken_compiler_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    place, attribute, broken = MUTATIONS[name]
    monkeypatch.setattr(place, attribute, broken(getattr(place, attribute)))
    asked = notices(means_each, SETS, count=EXAMPLES)
    print(f"{name}: noticed after {asked} clusters")
    assert asked, f"{name}: not noticed in {EXAMPLES} clusters"


def _allow_for_pass(original: Any) -> Any:
    def steps(*arguments: Any, **more: Any) -> Any:
        return tuple(
            type(each)(each.own, each.peer, each.service, "Allow") if each.action == "Pass" else each
            for each in original(*arguments, **more)
        )

    return steps


def _by_name(original: Any) -> Any:
    def concern(*arguments: Any) -> Any:
        found = original(*arguments)
        return type(found)(found.before[::-1], found.behind)

    return concern


def _without_the_baseline(original: Any) -> Any:
    return lambda *arguments: type(original(*arguments))(original(*arguments).before, ())


OF_ADMINISTRATORS: dict[str, tuple[Any, str, Callable[[Any], Any]]] = {
    "Pass allows": (admin, "inward", _allow_for_pass),
    "priorities the other way round": (admin, "concern", _by_name),
    "no baseline": (admin, "concern", _without_the_baseline),
}


@pytest.mark.parametrize("name", OF_ADMINISTRATORS)
def test_broken_tiers_are_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    place, attribute, broken = OF_ADMINISTRATORS[name]
    monkeypatch.setattr(place, attribute, broken(getattr(place, attribute)))
    asked = notices(holds, clusters(admin=True), count=EXAMPLES)
    print(f"{name}: noticed after {asked} clusters")
    assert asked, f"{name}: not noticed in {EXAMPLES} clusters"


def test_the_whole_compiler_passes_what_the_broken_ones_fail() -> None:
    assert notices(means_each, SETS, count=15) == 0
    assert notices(holds, clusters(admin=True), count=40) == 0
