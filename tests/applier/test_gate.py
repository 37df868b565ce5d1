"""When calls are held back, and what is told of it."""

from __future__ import annotations

import time

import pytest

from applier.gate import PART, Gate
from applier.outcome import Outcome, Verdict
from schemas.health import Health

URLS = "http://a:8082, http://b:8082"


@pytest.fixture
def health() -> Health:
    return Health()


@pytest.fixture
def gate(health: Health) -> Gate:
    return Gate(8, url=URLS, health=health)


def note(gate: Gate, verdict: Verdict, *, elsewhere: bool = False) -> None:
    gate.note(Outcome(verdict, "said", elsewhere=elsewhere), began=time.monotonic())


@pytest.mark.parametrize("verdict", [Verdict.SILENT, Verdict.BUSY])
def test_while_another_endpoint_takes_the_calls_nothing_is_held_back(
    gate: Gate, health: Health, verdict: Verdict
) -> None:
    gate.note_probe(Outcome(Verdict.DONE), began=time.monotonic())
    before = gate.limit
    for _ in range(8):
        note(gate, verdict, elsewhere=True)
    assert gate.limit == before
    assert not gate.is_shut(time.monotonic())
    assert PART not in health.why_not_ready()


@pytest.mark.parametrize("verdict", [Verdict.SILENT, Verdict.BUSY])
def test_when_no_endpoint_is_left_calls_are_held_back(gate: Gate, health: Health, verdict: Verdict) -> None:
    gate.note_probe(Outcome(Verdict.DONE), began=time.monotonic())
    note(gate, verdict)
    assert gate.is_shut(time.monotonic())
    assert health.why_not_ready()[PART]


def test_a_first_probe_at_an_endpoint_that_is_away_is_repeated_at_the_next(gate: Gate, health: Health) -> None:
    gate.note_probe(Outcome(Verdict.SILENT, "refused", elsewhere=True), began=time.monotonic())
    wanted = [gate.wants_probe]
    assert not gate.is_shut(time.monotonic())
    gate.note_probe(Outcome(Verdict.GONE), began=time.monotonic())
    assert [*wanted, gate.wants_probe] == [True, False]
    assert PART not in health.why_not_ready()


def test_overload_names_all_endpoints(gate: Gate, health: Health) -> None:
    gate.note_probe(Outcome(Verdict.DONE), began=time.monotonic())
    note(gate, Verdict.BUSY)
    assert health.why_not_ready()[PART].startswith(f"Contrail API {URLS}: said")


def test_a_denied_probe_is_repeated_so_that_corrected_credentials_are_found(gate: Gate, health: Health) -> None:
    gate.note_probe(Outcome(Verdict.DENIED, "401"), began=time.monotonic())
    assert gate.is_waiting
    assert "check CONTRAIL_KUBE_CONTRAIL_AUTH, user, project and role" in health.why_not_ready()[PART]
