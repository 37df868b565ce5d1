"""A small shop of pods, and what somebody else makes beside it."""

from __future__ import annotations

from typing import Any

import requests

from schemas.contrail.objects import ContrailObject
from simulators.contrail.server import ContrailSimulator
from tests.applier.desired import DesiredStore
from tests.applier.objects import BOOTSTRAP, Pod, pod, project


def put_pods(store: DesiredStore, *pods: Pod, namespace: str = "shop") -> None:
    """Want these pods, and their namespace."""
    store.put(project(namespace), *(o for p in pods for o in p.objects), namespace=namespace)


def shop(store: DesiredStore, *names: str) -> list[Pod]:
    """A cluster with these pods, put into the store."""
    pods = [pod("shop", name) for name in names]
    store.put(*BOOTSTRAP)
    put_pods(store, *pods)
    return pods


def post(contrail: ContrailSimulator, type_: str, **fields: Any) -> str:
    """What somebody else makes in Contrail; returns its uuid."""
    answer = requests.post(f"{contrail.url}/{type_}s", json={type_: fields}, timeout=5)
    assert answer.status_code == 200, answer.text
    uuid: str = answer.json()[type_]["uuid"]
    return uuid


def fields_of(wanted: ContrailObject) -> dict[str, Any]:
    """Fields of an object, for another like it."""
    return {name: getattr(wanted, name) for name in ContrailObject.__dataclass_fields__}
