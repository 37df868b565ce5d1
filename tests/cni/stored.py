"""Pod shop/web-0 in a real store, as translator and applier leave it, written straight into the tables."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, insert

from schemas.contrail.objects import ContrailObject, Link, Reference
from schemas.store import tables
from tests.cni.rows import NETWORK_UUID, UID, row

IIP_UUID = "5c3f2b6e-0000-4000-8000-0000000000f1"
ROUTER = ("default-global-system-config", "node-a")


def _objects() -> list[tuple[str, str, str, Any]]:
    """(uuid, type, fq_name, body) of what a translated pod leaves in the store."""
    expected = row()
    machine = ContrailObject("virtual-machine", (expected.machine_name,), UID)
    interface = ContrailObject(
        "virtual-machine-interface",
        ("default-domain", "k8s-shop", "web-0__x"),
        expected.interface_uuid,
        parent_type="project",
        properties={
            "virtual_machine_interface_mac_addresses": {"mac_address": [expected.mac]},
            "annotations": {"key_value_pair": [{"key": "index", "value": "0/1"}]},
        },
        references=(
            Reference("virtual-machine", (expected.machine_name,), UID),
            Reference("virtual-network", tuple(expected.network.split(":")), NETWORK_UUID),
        ),
    )
    address = ContrailObject(
        "instance-ip",
        ("web-0__y",),
        IIP_UUID,
        references=(Reference("virtual-machine-interface", interface.fq_name, interface.uuid),),
    )
    made = [(o.uuid, o.type, ":".join(o.fq_name), o.body()) for o in (machine, interface, address)]
    link = Link("virtual-router", ROUTER, "virtual-machine", (expected.machine_name,), UID)
    return [*made, (link.uuid, "link", ":".join(link.fq_name), link.body())]


def insert_pod(engine: Engine) -> None:
    """As the translator leaves it, nothing applied yet."""
    pod = {
        "cluster": "k8s",
        "kind": "Pod",
        "namespace": "shop",
        "name": "web-0",
        "api_version": "v1",
        "uid": UID,
        "resource_version": "1",
        "epoch": 1,
        "body": {"node_name": "node-a"},
        "digest": b"",
        "topic": "",
        "partition": -1,
        "at_offset": -1,
    }
    objects = [
        {
            "uuid": uuid,
            "cluster": "k8s",
            "shard": 0,
            "namespace": "shop",
            "type": kind,
            "fq_name": fq_name,
            "body": body,
            "digest": b"",
            "generation": 1,
        }
        for uuid, kind, fq_name, body in _objects()
    ]
    sources = [
        {"object_uuid": o["uuid"], "cluster": "k8s", "resource": "Pod/shop/web-0", "digest": b""} for o in objects
    ]
    edges = [(row().interface_uuid, UID), (IIP_UUID, row().interface_uuid), (objects[3]["uuid"], UID)]
    with engine.begin() as connection:
        connection.execute(insert(tables.k8s_resource), pod)
        connection.execute(insert(tables.desired_object), objects)
        connection.execute(insert(tables.desired_source), sources)
        connection.execute(
            insert(tables.desired_edge),
            [{"from_uuid": one, "to_uuid": other, "relation": "ref"} for one, other in edges],
        )


def apply_pod(engine: Engine) -> None:
    """As the applier leaves it: all in Contrail, the address read back."""
    observed = {"address": "10.47.255.250", "prefix_len": 12, "gateway": "10.47.255.254", "dns": "10.47.255.253"}
    states = [
        {"object_uuid": uuid, "shard": 0, "status": "applied", "desired_generation": 1, "applied_generation": 1}
        for uuid, *_ in _objects()
    ]
    with engine.begin() as connection:
        connection.execute(insert(tables.apply_state), states)
        connection.execute(
            insert(tables.observed_object),
            {"uuid": IIP_UUID, "type": "instance-ip", "body": observed, "digest": b""},
        )
