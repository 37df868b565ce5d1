"""Reads what Contrail has (shell): all objects of the types that kube-manager makes, page by page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from applier.adoption.keeping import fields_of
from applier.adoption.objects import INSTANCE_IP, Live, Survey
from applier.answer import Answer
from applier.client import ContrailClient
from applier.observe import CHUNK
from applier.outcome import Call, Verdict, classify
from schemas.contrail.objects import Json
from schemas.errors import ContrailUnavailable

TYPES = (
    "project",
    "network-ipam",
    "virtual-network",
    "network-policy",
    "security-group",
    "virtual-machine",
    "virtual-machine-interface",
    "instance-ip",
    "loadbalancer",
    "loadbalancer-listener",
    "loadbalancer-pool",
    "loadbalancer-member",
    "floating-ip-pool",
    "floating-ip",
    "application-policy-set",
    "firewall-policy",
    "firewall-rule",
    "address-group",
    "tag",
)
"""Types of what kube-manager makes."""
_ROUTER = "virtual-router"
_ADDRESS = "instance_ip_address"


def survey(client: ContrailClient, *, types: Iterable[str] = TYPES, told: Callable[[int], None]) -> Survey:
    """Everything of these types; `told` hears of every page how many objects came. Raises ContrailUnavailable."""
    objects: list[Live] = []
    for type_ in types:
        for page in _pages(client, type_, fields_of(type_)):
            objects += [Live.of(type_, item) for item in page]
            told(len(page))
    routers: dict[str, list[str]] = {}
    for page in _pages(client, _ROUTER, ("virtual_machine_refs",)):
        for router in page:
            for machine in router.get("virtual_machine_refs") or ():
                routers.setdefault(machine["uuid"], []).append(router["uuid"])
    return Survey(objects, {machine: tuple(found) for machine, found in routers.items()})


def addresses(client: ContrailClient, uuids: Iterable[str]) -> dict[str, str]:
    """Addresses of instance-ips by uuid, '' for none; those that are gone are left out."""
    left = list(uuids)
    found: dict[str, str] = {}
    while left:
        chunk, left = left[:CHUNK], left[CHUNK:]
        answer = client.read_many(INSTANCE_IP, fields=(_ADDRESS,), uuids=chunk)
        items = _require(answer, INSTANCE_IP)[f"{INSTANCE_IP}s"]
        found.update((item["uuid"], item.get(_ADDRESS) or "") for item in items)
    return found


def _pages(client: ContrailClient, type_: str, fields: Iterable[str]) -> Iterator[list[Mapping[str, Json]]]:
    marker: str | None = "None"
    while marker is not None:
        answer = _require(client.read_page(type_, fields=fields, marker=marker), type_)
        yield answer[f"{type_}s"]
        marker = answer.get("marker")


def _require(answer: Answer, type_: str) -> Mapping[str, Json]:
    outcome = classify(Call.LOOKUP, answer)
    if outcome.verdict is not Verdict.DONE:
        raise ContrailUnavailable(f"cannot list every {type_}: {outcome.reason}; nothing was changed")
    listed: Mapping[str, Json] = answer.json
    return listed
