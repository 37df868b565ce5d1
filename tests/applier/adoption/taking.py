"""Adoption of a cluster in tests, and pictures of what must not change by it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from applier.adoption.adopting import Adopted, Adoption, Outlook
from applier.adoption.surveying import TYPES
from applier.client import ContrailClient
from schemas.settings import ClusterSettings, ContrailSettings
from simulators.contrail.server import ContrailSimulator
from tests.applier.kubernetes import KubernetesInStore

READS = ("fqname-to-id", "list-bulk-collection")


@contextmanager
def adoption(kubernetes: KubernetesInStore, contrail: ContrailSimulator, **more: Any) -> Iterator[Adoption]:
    """The adoption of the store's cluster, which does not mind that all was made a moment ago."""
    client = ContrailClient(ContrailSettings(urls=(contrail.url,), connect_timeout=2.0, read_timeout=2.0))
    try:
        cluster = ClusterSettings(name=kubernetes.cluster)
        yield Adoption(client, kubernetes.engine, cluster=cluster, **{"quiet": 0.0, **more})
    finally:
        client.close()


def look(kubernetes: KubernetesInStore, contrail: ContrailSimulator) -> Outlook:
    """A dry run."""
    with adoption(kubernetes, contrail) as it:
        return it.look()


def adopt(kubernetes: KubernetesInStore, contrail: ContrailSimulator) -> tuple[Outlook, Adopted]:
    """The whole."""
    with adoption(kubernetes, contrail) as it:
        outlook = it.look()
        return outlook, it.adopt(outlook)


def writes(contrail: ContrailSimulator) -> int:
    """Requests so far that change something."""
    return sum(
        count
        for (method, what), count in contrail.counters.items()
        if method in ("PUT", "DELETE") or (method == "POST" and what not in READS)
    )


def verdicts(outlook: Outlook, *types: str) -> dict[str, str]:
    """Verdict by uuid, of all objects or of these types."""
    return {j.live.uuid: str(j.verdict) for j in outlook.judgement.judged if not types or j.live.type in types}


def addresses(contrail: ContrailSimulator) -> dict[str, str]:
    """Address by the uuid of its instance-ip."""
    return {o["uuid"]: o["instance_ip_address"] for o in contrail.objects("instance-ip")}


def uuids(contrail: ContrailSimulator, type_: str) -> set[str]:
    """All of a type."""
    return {o["uuid"] for o in contrail.objects(type_)}


def all_objects(contrail: ContrailSimulator) -> dict[str, set[str]]:
    """Uuids of everything, by type."""
    return {type_: uuids(contrail, type_) for type_ in TYPES}
