"""Results in the forms of the versions, errors with their codes."""

from __future__ import annotations

import pytest

from cni.answers import error_answer, result_in
from cni.interface import interface_of, result_of
from schemas.errors import (
    AddressPending,
    AgentRefused,
    AgentUnavailable,
    ContrailKubeError,
    PlugError,
    RequestRefused,
    StoreMismatch,
    StoreUnavailable,
)
from tests.cni.rows import row, six

RESULT = result_of([(interface_of((row(), six(row())), "eth0", 1400), "fe:00:00:00:00:01")], "/run/netns/x")


@pytest.mark.parametrize("version", ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"])
def test_a_result_has_the_form_of_its_version(version: str) -> None:
    shaped = result_in(RESULT, version)
    assert shaped["cniVersion"] == version
    old = version.startswith("0.")
    assert [ip.get("version") for ip in shaped["ips"]] == (["4", "6"] if old else [None, None])
    assert [i.get("mtu") for i in shaped["interfaces"]] == ([1400, 1400] if version == "1.1.0" else [None, None])
    assert shaped["interfaces"][1]["sandbox"] == "/run/netns/x"
    assert shaped["ips"][0]["interface"] == 1


def test_shaping_a_result_leaves_it_as_it_was() -> None:
    before = repr(RESULT)
    result_in(RESULT, "0.3.1")
    assert repr(RESULT) == before


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (AddressPending("x"), 11),
        (StoreUnavailable("x"), 11),
        (AgentUnavailable("x"), 11),
        (AgentRefused("x"), 5),
        (PlugError("x"), 5),
        (StoreMismatch("x"), 5),
        (RequestRefused(7, "x"), 7),
    ],
)
def test_an_error_has_its_code(error: ContrailKubeError, code: int) -> None:
    answer = error_answer(error)["error"]
    assert (answer["code"], answer["msg"]) == (code, "x")
    assert bool(answer.get("details")) != isinstance(error, RequestRefused)
