"""Answers of the agent: results in the form of each specification version, and errors with their codes (pure).

A result is kept and passed around in the form of 1.1.0; older versions are derived from it.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from schemas.errors import (
    AddressPending,
    AgentRefused,
    AgentUnavailable,
    ContrailKubeError,
    PlugError,
    RequestRefused,
    Retryable,
    StoreMismatch,
    StoreUnavailable,
)

Json = Any

INCOMPATIBLE = 1
BAD_ENVIRONMENT = 4
IO_FAILURE = 5
UNDECODABLE = 6
BAD_CONFIG = 7
TRY_AGAIN = 11
UNAVAILABLE = 50
"""STATUS: ADD cannot be served."""
LIMITED = 51
"""STATUS: ADD cannot be served, and attached containers may lack connectivity."""
NOT_OF_THIS_NODE = 100
NOT_AS_ADDED = 101
"""CHECK: the interface is not as ADD left it."""
NOT_ALL_FREED = 102
"""GC: something could not be freed; the rest was."""

_ADVICE: tuple[tuple[type[ContrailKubeError], str], ...] = (
    (AddressPending, "the runtime will try again; `contrail-kube status` shows what the pod waits for"),
    (StoreUnavailable, "the runtime will try again; is the database up, and reachable from this node?"),
    (StoreMismatch, "the database belongs to another version of contrail-kube than this agent"),
    (AgentUnavailable, "the runtime will try again; is the contrail-vrouter-agent running on this node?"),
    (AgentRefused, "the log of the contrail-vrouter-agent on this node may say more"),
    (PlugError, "the kernel refused; nothing half-made was left"),
)


def code_of(error: ContrailKubeError) -> int:
    """Error code of the specification for an error of ours."""
    if isinstance(error, RequestRefused):
        return error.code
    return TRY_AGAIN if isinstance(error, Retryable) else IO_FAILURE


def error_answer(error: ContrailKubeError) -> dict[str, Json]:
    """{'error': {code, msg, details}} for the plugin, which adds the version."""
    said: dict[str, Json] = {"code": code_of(error), "msg": str(error)}
    for kind, advice in _ADVICE:
        if isinstance(error, kind):
            said["details"] = advice
            break
    return {"error": said}


def result_answer(result: dict[str, Json] | None) -> dict[str, Json]:
    """{'result': …} for the plugin; None for commands that print nothing."""
    return {"result": result}


def result_in(result: dict[str, Json], version: str) -> dict[str, Json]:
    """The result in the form of `version`.

    Before 1.0.0 an address names its family ('version': '4'); before 1.1.0 an interface has no 'mtu'.
    """
    shaped = {**result, "cniVersion": version}
    if version != "1.1.0":
        shaped["interfaces"] = [{k: v for k, v in i.items() if k != "mtu"} for i in result["interfaces"]]
    if version.startswith("0."):
        shaped["ips"] = [{"version": str(ipaddress.ip_interface(ip["address"]).version), **ip} for ip in result["ips"]]
    return shaped
