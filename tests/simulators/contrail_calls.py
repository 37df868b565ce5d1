"""Short ways to talk to a simulated config API in tests."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Json = Any
PROJECT = ["default-domain", "p"]


@dataclass(frozen=True)
class Said:
    """One answer."""

    status: int
    body: Json
    headers: Mapping[str, str]


class Caller:
    """One keep-alive connection to the API on a port."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

    def close(self) -> None:
        self._connection.close()

    def call(self, method: str, path: str, body: Json = None) -> Said:
        content = None if body is None else json.dumps(body)
        self._connection.request(method, path, content, {"Content-Type": "application/json"})
        response = self._connection.getresponse()
        text = response.read().decode()
        is_json = response.headers.get("Content-Type") == "application/json" and text
        return Said(response.status, json.loads(text) if is_json else text, dict(response.headers))

    def get(self, path: str) -> Json:
        said = self.call("GET", path)
        assert said.status == 200, said
        return said.body

    def post(self, path: str, body: Json) -> Json:
        said = self.call("POST", path, body)
        assert said.status == 200, said
        return said.body

    def create(self, type_: str, fq_name: list[str], parent_type: str | None = None, **fields: Json) -> str:
        """Uuid of a new object."""
        body: dict[str, Json] = {"fq_name": fq_name, **fields}
        if parent_type:
            body["parent_type"] = parent_type
        return str(self.post(f"/{type_}s", {type_: body})[type_]["uuid"])

    def read(self, type_: str, uuid: str) -> dict[str, Json]:
        body: dict[str, Json] = self.get(f"/{type_}/{uuid}")[type_]
        return body

    def pod_network(self, *subnets: str) -> str:
        """A project with a flat IPAM of these subnets and a network on it; the network's uuid."""
        self.create("project", PROJECT, "domain")
        prefixes = [dict(zip(("ip_prefix", "ip_prefix_len"), subnet.split("/"), strict=True)) for subnet in subnets]
        self.create(
            "network-ipam",
            [*PROJECT, "ipam"],
            "project",
            ipam_subnet_method="flat-subnet",
            ipam_subnets={"subnets": [{"subnet": {**p, "ip_prefix_len": int(p["ip_prefix_len"])}} for p in prefixes]},
        )
        return self.network("net")

    def network(self, name: str) -> str:
        """A network on that IPAM."""
        return self.create(
            "virtual-network",
            [*PROJECT, name],
            "project",
            address_allocation_mode="flat-subnet-only",
            virtual_network_properties={"forwarding_mode": "l3"},
            network_ipam_refs=[{"to": [*PROJECT, "ipam"], "attr": {"ipam_subnets": []}}],
        )

    def address(self, name: str, network: str = "net", **fields: Json) -> str:
        """Address of a new instance-ip."""
        refs = [{"to": [*PROJECT, network]}]
        uuid = self.create("instance-ip", [name], virtual_network_refs=refs, **fields)
        return str(self.read("instance-ip", uuid).get("instance_ip_address"))
