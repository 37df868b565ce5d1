"""Parsing of requests: fields, defaults, refusals that name the field."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cni.requests import Attachment, Pod, parse, pod_of
from schemas.errors import RequestRefused

UID = "0c2b5d0e-5a3b-4a25-8f61-2f6a1c1a0001"


def _line(command: str = "ADD", config: Any = None, **fields: Any) -> bytes:
    message = {
        "protocol": 1,
        "command": command,
        "container": "abc123",
        "netns": "/run/netns/x",
        "ifname": "eth0",
        "args": f"IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0;K8S_POD_UID={UID}",
        "timeout": 43,
        "config": {"cniVersion": "1.0.0", "name": "contrail", **(config or {})},
    }
    return json.dumps({**message, **fields}).encode() + b"\n"


def test_an_add_has_everything() -> None:
    request = parse(_line(config={"mtu": 1400}))
    assert request.attachment == Attachment("abc123", "eth0")
    assert request.pod == Pod("shop", "web-0", UID)
    assert (request.version, request.network, request.mtu, request.netns) == ("1.0.0", "contrail", 1400, "/run/netns/x")


@pytest.mark.parametrize("args", ["", "K8S_POD_NAME=web-0", None])
def test_del_needs_no_pod_and_no_netns(args: object) -> None:
    request = parse(_line("DEL", args=args, netns=""))
    assert request.pod is None and request.netns == ""


def test_status_ignores_container_fields() -> None:
    assert parse(_line("STATUS", container="", netns="", ifname="", args="")).pod is None


def test_gc_keeps_what_is_listed() -> None:
    listed = {"cni.dev/valid-attachments": [{"containerID": "a", "ifname": "eth0"}]}
    assert parse(_line("GC", listed)).valid == {Attachment("a", "eth0")}
    assert parse(_line("GC", {"cni.dev/valid-attachments": []})).valid == frozenset()


@pytest.mark.parametrize("entry", [None, {}, "all", [1], [{"containerID": 1, "ifname": "eth0"}], [{"ifname": "e"}]])
def test_gc_without_a_proper_list_is_refused_instead_of_freeing_all(entry: object) -> None:
    with pytest.raises(RequestRefused, match="valid-attachments") as refused:
        parse(_line("GC", {"cni.dev/valid-attachments": entry}))
    assert refused.value.code == 7


@pytest.mark.parametrize(
    ("line", "code", "field"),
    [
        (b"nonsense\n", 6, "not JSON"),
        (b"[" * 100_000 + b"\n", 6, "not JSON"),
        (_line(protocol=2), 1, "protocol"),
        (_line("RESTART"), 4, "CNI_COMMAND"),
        (_line(config={"cniVersion": "0.2.0"}), 1, "cniVersion"),
        (_line(config={"name": "a b"}), 7, "name"),
        (_line(container="../etc"), 4, "CNI_CONTAINERID"),
        (_line(container="x" * 201), 4, "CNI_CONTAINERID"),
        (_line(ifname="eth0/.."), 4, "CNI_IFNAME"),
        (_line(ifname=".."), 4, "CNI_IFNAME"),
        (_line(ifname="sixteen-letters-"), 4, "CNI_IFNAME"),
        (_line(netns="relative"), 4, "CNI_NETNS"),
        (_line(netns="/a\0b"), 4, "CNI_NETNS"),
        (_line(args="K8S_POD_NAME=web-0"), 4, "K8S_POD_NAMESPACE"),
        (_line(args="K8S_POD_NAMESPACE=shop;K8S_POD_NAME=a'; DROP TABLE"), 4, "K8S_POD_NAME"),
        (_line(config={"mtu": "1500"}), 7, "mtu"),
        (_line(config={"mtu": 100}), 7, "mtu"),
        (_line(timeout=0), 7, "timeout"),
        (_line(config=None, timeout=True), 7, "timeout"),
    ],
)
def test_a_bad_field_is_refused_by_name(line: bytes, code: int, field: str) -> None:
    with pytest.raises(RequestRefused, match=field) as refused:
        parse(line)
    assert refused.value.code == code


def test_case_33_the_uid_of_a_static_pod_is_not_one_that_the_api_knows() -> None:
    args = f"K8S_POD_NAMESPACE=kube-system;K8S_POD_NAME=dns-a;K8S_POD_UID={'ab12' * 8}"
    assert pod_of(args, needed=True) == Pod("kube-system", "dns-a", "")


def test_a_pod_name_of_253_characters_is_taken() -> None:
    name = "a" * 253
    pod = pod_of(f"K8S_POD_NAMESPACE=shop;K8S_POD_NAME={name}", needed=True)
    assert pod is not None and pod.name == name
