"""Every kind's golden pairs, and what holds for all of them."""

from __future__ import annotations

import pytest

from tests.watchers.kinds.golden import ALL, Pair, observed, pairs

PAIRS = pairs()


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: str(pair.name))
def test_an_object_becomes_its_record(pair: Pair) -> None:
    seen = observed(pair.kind, pair.object)
    assert seen.record == pair.record
    meta = pair.object["metadata"]
    assert (seen.uid, seen.resource_version) == (meta["uid"], meta["resourceVersion"])
    assert str(seen.key) == f"{pair.kind}/{meta.get('namespace', '')}/{meta['name']}"


def test_every_form_of_record_has_a_pair() -> None:
    forms = {kind.normalize for kind in ALL.values()}
    assert {ALL[pair.kind].normalize for pair in PAIRS} == forms
