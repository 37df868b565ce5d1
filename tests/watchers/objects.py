"""Kubernetes objects and API answers as a server writes them, for tests."""

from __future__ import annotations

import json
from typing import Any

Json = dict[str, Any]


def pod(name: str = "web-0", namespace: str = "shop", *, uid: str = "", version: int = 1, **more: Any) -> Json:
    """A pod; `more`: labels, annotations, phase, node, deleting."""
    metadata: Json = {
        "name": name,
        "namespace": namespace,
        "uid": uid or f"uid-{name}",
        "resourceVersion": str(version),
        "labels": more.get("labels", {"app": "web"}),
        "managedFields": [{"manager": "kubelet", "fieldsV1": {"f:status": {}}}],
    }
    if "annotations" in more:
        metadata["annotations"] = more["annotations"]
    if more.get("deleting"):
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return {
        "metadata": metadata,
        "spec": {"nodeName": more.get("node", "node-1"), "containers": [{"name": "c", "image": "i"}]},
        "status": {"phase": more.get("phase", "Running")},
    }


def node(name: str = "node-1", *, version: int = 1, heartbeat: str = "2026-01-01T00:00:00Z") -> Json:
    """A node; its heartbeat is noise."""
    return {
        "metadata": {"name": name, "uid": f"uid-{name}", "resourceVersion": str(version)},
        "spec": {},
        "status": {
            "addresses": [{"type": "InternalIP", "address": "198.18.0.1"}],
            "conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": heartbeat}],
        },
    }


def namespace(name: str = "shop", *, version: int = 1) -> Json:
    """A namespace."""
    return {
        "metadata": {"name": name, "uid": f"uid-{name}", "resourceVersion": str(version)},
        "status": {"phase": "Active"},
    }


def listing(*items: Json, version: int = 100, following: str = "") -> bytes:
    """A list answer."""
    metadata: Json = {"resourceVersion": str(version)}
    if following:
        metadata["continue"] = following
    return dump({"kind": "List", "apiVersion": "v1", "metadata": metadata, "items": list(items)})


def line(kind: str, thing: Json) -> bytes:
    """A watch line: kind is ADDED, MODIFIED, DELETED, BOOKMARK or ERROR."""
    return dump({"type": kind, "object": thing}) + b"\n"


def bookmark(version: int) -> bytes:
    """A bookmark as the API server sends it for pods: an object with nothing but its version."""
    return line(
        "BOOKMARK",
        {
            "kind": "Pod",
            "apiVersion": "v1",
            "metadata": {"resourceVersion": str(version), "creationTimestamp": None},
            "spec": {"containers": None},
            "status": {},
        },
    )


def initial_end(version: int) -> bytes:
    """The bookmark that ends a streamed list."""
    marks = {"k8s.io/initial-events-end": "true"}
    return line("BOOKMARK", {"metadata": {"resourceVersion": str(version), "annotations": marks}})


def status(code: int, message: str = "it is so", **more: Any) -> Json:
    """A Status; `more` becomes its details."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": "Expired",
        "code": code,
        "details": more,
    }


def dump(thing: Json) -> bytes:
    """Compact JSON, as Go writes it."""
    return json.dumps(thing, separators=(",", ":"), ensure_ascii=False).encode()
