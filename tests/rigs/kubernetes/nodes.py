"""The fake nodes of the rig, and what kwok plays on them. Pure but for reading its template."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from .access import Json
from .options import Pace

STAGES = Path(__file__).parent / "stages.yaml"
ZONES = ("a", "b", "c")


def stages(pace: Pace) -> str:
    """kwok's configuration: its stages as YAML documents."""
    text = STAGES.read_text()
    for step, (shortest, longest) in asdict(pace).items():
        delay = {"durationMilliseconds": round(shortest * 1000), "jitterDurationMilliseconds": round(longest * 1000)}
        text = text.replace(f"%{step}%", json.dumps(delay))
    return text


def fake_nodes(count: int, *, network: str) -> Iterator[Json]:
    """Node objects node-1 … node-<count>, with the first addresses of `network`, in three zones in turn."""
    addresses = ipaddress.ip_network(network).hosts()
    for number, address in zip(range(1, count + 1), addresses, strict=False):
        yield _node(f"node-{number}", str(address), ZONES[(number - 1) % len(ZONES)])


def _node(name: str, address: str, zone: str) -> Json:
    resources = {"cpu": "32", "memory": "256Gi", "pods": "250", "ephemeral-storage": "1Ti"}
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "topology.kubernetes.io/region": "rig",
        "topology.kubernetes.io/zone": zone,
    }
    return {
        "metadata": {"name": name, "labels": labels, "annotations": {"kwok.x-k8s.io/node": "fake"}},
        "status": {
            "addresses": [
                {"type": "InternalIP", "address": address},
                {"type": "Hostname", "address": name},
            ],
            "allocatable": resources,
            "capacity": resources,
            "nodeInfo": {
                "architecture": "amd64",
                "bootID": "",
                "containerRuntimeVersion": "kwok",
                "kernelVersion": "kwok",
                "kubeProxyVersion": "kwok",
                "kubeletVersion": "kwok",
                "machineID": "",
                "operatingSystem": "linux",
                "osImage": "kwok",
                "systemUUID": "",
            },
        },
    }
