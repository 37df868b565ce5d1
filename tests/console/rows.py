"""Rows of a store as translator and applier leave them, for tests that only look at it."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, insert

from schemas.contrail.objects import ContrailObject, Desired, Link, Reference, joined
from schemas.identity import object_uuid
from schemas.store import tables as t

CLUSTER = "k8s"
TOPIC = "k8s.changes.k8s"
PROJECT = ("default-domain", "k8s-default")
NETWORK = ContrailObject(
    "virtual-network", (*PROJECT, "k8s-default-pod-network"), object_uuid(CLUSTER, "virtual-network", "pods"), "project"
)


def put_object(
    connection: Connection,
    value: Desired,
    *,
    status: str = "applied",
    reason: str = "",
    resource: str = "Settings//k8s",
) -> None:
    """One desired object with its source and how far it is applied; `applied` is in Contrail, else it is not."""
    digest = hashlib.sha256(value.uuid.encode()).digest()
    row: dict[str, Any] = {
        "uuid": value.uuid,
        "cluster": CLUSTER,
        "shard": 0,
        "namespace": "",
        "type": value.type,
        "fq_name": joined(value.fq_name),
        "body": value.body(),
        "digest": digest,
        "generation": 1,
    }
    connection.execute(insert(t.desired_object), row)
    connection.execute(
        insert(t.desired_source),
        {"object_uuid": value.uuid, "cluster": CLUSTER, "resource": resource, "digest": digest},
    )
    applied = 1 if status == "applied" else None
    connection.execute(
        insert(t.apply_state),
        {
            "object_uuid": value.uuid,
            "shard": 0,
            "status": status,
            "desired_generation": 1,
            "applied_generation": applied,
            "reason": reason,
        },
    )
    diff = {key: row[key] for key in ("cluster", "type", "fq_name")}
    connection.execute(
        insert(t.object_diff),
        {
            **diff,
            "object_uuid": value.uuid,
            "generation": 1,
            "op": "create",
            "resource": resource,
            "topic": TOPIC,
            "partition": 0,
            "at_offset": 0,
            "translator_version": "1",
        },
    )
    targets: list[str | None] = []
    if isinstance(value, Link):
        targets = [value.target_uuid]
    elif isinstance(value, ContrailObject):
        targets = [r.uuid for r in value.references]
    for target in targets:
        connection.execute(insert(t.desired_edge), {"from_uuid": value.uuid, "to_uuid": target, "relation": "ref"})


def put_resource(connection: Connection, kind: str, namespace: str, name: str, body: Mapping[str, Any]) -> str:
    """One Kubernetes resource; returns its uid."""
    uid = str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{kind}/{namespace}/{name}"))
    connection.execute(
        insert(t.k8s_resource),
        {
            "cluster": CLUSTER,
            "kind": kind,
            "namespace": namespace,
            "name": name,
            "api_version": "v1",
            "uid": uid,
            "resource_version": "1",
            "epoch": 1,
            "body": dict(body),
            "digest": b"",
            "topic": TOPIC,
            "partition": 0,
            "at_offset": 0,
        },
    )
    return uid


def put_pod(
    connection: Connection,
    namespace: str,
    name: str,
    *,
    node: str = "node-1",
    address: str = "",
    status: str = "applied",
    reason: str = "",
) -> None:
    """A pod with its machine, interface, instance-ip and link, all of one status, and its address if it has one."""
    uid = put_resource(connection, "Pod", namespace, name, {"node_name": node})
    resource = f"Pod/{namespace}/{name}"
    machine = ContrailObject("virtual-machine", (f"{CLUSTER}__{namespace}__{name}",), uid)
    interface_uuid = object_uuid(CLUSTER, "virtual-machine-interface", f"{uid}/eth0")
    interface = ContrailObject(
        "virtual-machine-interface",
        (*PROJECT, f"{name}__{interface_uuid}"),
        interface_uuid,
        "project",
        {"annotations": {"key_value_pair": [{"key": "index", "value": "0/1"}]}},
        (
            Reference("virtual-machine", machine.fq_name, machine.uuid),
            Reference("virtual-network", NETWORK.fq_name, NETWORK.uuid),
        ),
    )
    ip_uuid = object_uuid(CLUSTER, "instance-ip", f"{uid}/eth0")
    instance_ip = ContrailObject(
        "instance-ip",
        (f"{name}__{ip_uuid}",),
        ip_uuid,
        references=(
            Reference("virtual-machine-interface", interface.fq_name, interface.uuid),
            Reference("virtual-network", NETWORK.fq_name, NETWORK.uuid),
        ),
    )
    router = ("default-global-system-config", node)
    link = Link("virtual-router", router, "virtual-machine", machine.fq_name, machine.uuid)
    for value in (machine, interface, instance_ip, link):
        put_object(connection, value, status=status, reason=reason, resource=resource)
    if address:
        body = {"address": address, "prefix_len": 12, "gateway": "10.47.255.254", "dns": "10.47.255.253", "family": 4}
        observed = {"uuid": ip_uuid, "type": "instance-ip", "body": body, "digest": b""}
        connection.execute(insert(t.observed_object), observed)


def put_position(connection: Connection, offsets: Mapping[int, int], states: Mapping[str, str]) -> None:
    """How far the translator read, and the snapshot state of each kind (in every partition)."""
    for partition, offset in offsets.items():
        connection.execute(
            insert(t.consumer_offset),
            {
                "consumer": "translator",
                "topic": TOPIC,
                "partition": partition,
                "next_offset": offset,
                "translator_version": "1-abc",
            },
        )
        for kind, state in states.items():
            connection.execute(
                insert(t.watch_epoch),
                {
                    "cluster": CLUSTER,
                    "kind": kind,
                    "topic": TOPIC,
                    "partition": partition,
                    "epoch": 7,
                    "state": state,
                    "at_offset": 0,
                },
            )


def put_dead_letter(connection: Connection, error: str, *, resource: str = "") -> None:
    """One open dead letter of the decoding stage."""
    connection.execute(
        insert(t.dead_letter),
        {
            "cluster": CLUSTER,
            "stage": "decode",
            "topic": TOPIC,
            "partition": 1,
            "at_offset": 17,
            "resource": resource,
            "error_class": "UndecodableRecord",
            "error": error,
        },
    )
