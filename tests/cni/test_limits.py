"""Limits as runtimes hand them over: read, refused by name, and kept for the first interface of an ADD."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cni.interface import interface_of
from cni.limits import UNLIMITED, Limit, Limits, limits_of
from schemas.errors import RequestRefused
from tests.cni.fakes import Fixture
from tests.cni.rows import row

LIMITS = Limits(ingress=Limit(10_000_000, 800_000), egress=Limit(20_000_000, 1_600_000))


def _given(**bandwidth: Any) -> dict[str, Any]:
    return {"bandwidth": bandwidth}


@pytest.mark.parametrize("nothing", [None, {}, {"bandwidth": None}, _given(), _given(ingressRate=0, ingressBurst=0)])
def test_without_rates_nothing_is_limited(nothing: Any) -> None:
    assert limits_of(nothing) == UNLIMITED


def test_each_way_is_limited_by_itself() -> None:
    both = _given(ingressRate=10_000_000, ingressBurst=800_000, egressRate=20_000_000, egressBurst=1_600_000)
    assert limits_of(both) == LIMITS
    assert limits_of(_given(egressRate=1000, egressBurst=1)) == Limits(egress=Limit(1000, 1))


@pytest.mark.parametrize("filled_in", [2**31 - 1, 2**32 - 1, (2**32 - 1) * 8 - 1])
def test_the_burst_that_a_runtime_names_unasked_is_a_tenth_of_a_second(filled_in: int) -> None:
    fast = limits_of(_given(egressRate=10**9, egressBurst=filled_in)).egress
    slow = limits_of(_given(egressRate=10**6, egressBurst=filled_in)).egress
    assert fast == Limit(10**9, 10**8) and slow == Limit(10**6, 64 * 1024 * 8)


@pytest.mark.parametrize(
    ("runtime_config", "key", "read", "accepted"),
    [
        ([], "runtimeConfig", "[]", "a JSON object"),
        ({"bandwidth": "10M"}, "runtimeConfig.bandwidth", "'10M'", "a JSON object"),
        (_given(ingressRate="10M", ingressBurst=1), "bandwidth.ingressRate", "'10M'", "from 1000 to 1000000000000000"),
        (_given(ingressRate=999, ingressBurst=1), "bandwidth.ingressRate", "999", "bits per second from 1000"),
        (_given(egressRate=10**16, egressBurst=1), "bandwidth.egressRate", str(10**16), "or 0 for no limit"),
        (_given(egressRate=True, egressBurst=1), "bandwidth.egressRate", "True", "a whole number"),
        (_given(egressRate=1e6, egressBurst=1), "bandwidth.egressRate", "1000000.0", "a whole number"),
        (_given(egressRate=1000, egressBurst=-1), "bandwidth.egressBurst", "-1", "bits from 1 to"),
        (_given(egressRate=1000, egressBurst=2**35), "bandwidth.egressBurst", str(2**35), "34359738359"),
        (_given(ingressRate=1000), "bandwidth.ingressBurst", "ingressRate 1000", "both or none"),
        (_given(egressBurst=1000), "bandwidth.egressRate", "egressBurst 1000", "both or none"),
        (_given(egressRate="9" * 1000, egressBurst=1), "bandwidth.egressRate", "…", "a whole number"),
    ],
)
def test_what_cannot_be_held_is_refused_by_key(runtime_config: Any, key: str, read: str, accepted: str) -> None:
    with pytest.raises(RequestRefused) as refused:
        limits_of(runtime_config)
    said = str(refused.value)
    assert refused.value.code == 7 and len(said) < 200
    assert key in said and read in said and accepted in said, said


def test_only_the_first_interface_is_limited() -> None:
    assert interface_of((row(),), "eth0", 1500, LIMITS).limits == LIMITS
    assert interface_of((row(),), "net1", 1500, LIMITS).limits == UNLIMITED


def test_an_add_keeps_its_limits_over_a_kill_and_other_limits_make_the_interface_anew(node: Fixture) -> None:
    first = node.add(limits=LIMITS)
    (made,) = node.kernel.links.values()
    assert made[0].limits == LIMITS
    node = node.again()
    (record,) = node.records.all()
    assert record.interface.limits == LIMITS
    assert node.add(limits=LIMITS) == first and node.kernel.plugged == 1
    assert node.add() == first and node.kernel.plugged == 2
    (made,) = node.kernel.links.values()
    assert made[0].limits == UNLIMITED


def test_a_record_without_limits_reads_as_one_from_before_there_were_any(node: Fixture) -> None:
    node.add()
    (path,) = (node.directory / "records").glob("*.json")
    assert "limits" not in json.loads(path.read_text())["interface"]
    (record,) = node.again().records.all()
    assert record.interface.limits == UNLIMITED
