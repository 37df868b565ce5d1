"""Whoever may write an object may name anything in it, at any length: no text of it stops the translator."""

from __future__ import annotations

import json
import random
import string

import pytest
from sqlalchemy import Engine

from schemas.contrail.objects import Json
from schemas.events import ChangeEvent
from schemas.records import Endpoint, IngressBackend, OwnerReference
from tests.translator.facts import attachment, namespace, pod, service
from tests.translator.ingresses import CART, ingress
from tests.translator.services import endpoints
from tests.translator.world import World
from translator.postgres import PostgresStore

# Nothing that compresses: the longest key of an index is 8,191 bytes.
LONG = "".join(random.Random(1).choices(string.ascii_lowercase + string.digits, k=20_000))
PUBLIC = {"domain": "default-domain", "project": "admin", "network": "public", "name": "pool"}
BLUE = {"domain": "default-domain", "project": "admin", "name": "blue"}


def naming(text: str) -> list[ChangeEvent]:
    """Objects that name another one by this text, wherever Kubernetes leaves that unchecked."""
    owner = OwnerReference(api_version="apps/v1", kind="ReplicaSet", name=text, uid="x", controller=True)
    annotated: dict[str, Json] = {"type": "LoadBalancer", "cluster_ips": ("10.96.0.9",)}
    return [
        pod("owned", owners=(owner,)),
        pod("attached", annotations={"k8s.v1.cni.cncf.io/networks": json.dumps([{"name": text}])}),
        pod("placed", annotations={"opencontrail.org/network": json.dumps({**BLUE, "name": text})}),
        service("pooled", annotations={"opencontrail.org/fip-pool": json.dumps({**PUBLIC, "name": text})}, **annotated),
        endpoints("of", "web", of=text),
        endpoints("with", Endpoint(addresses=("10.32.0.9",), pod_name=text, pod_uid="x"), of="pooled"),
        ingress("classed", default_backend=CART, class_name=text),
        ingress("marked", default_backend=CART, legacy_class=text),
        ingress("leading", default_backend=IngressBackend(service=text, port=80)),
        attachment("linked", network=json.dumps({**BLUE, "project": text})),
        namespace("elsewhere", network=json.dumps({**BLUE, "domain": text})),
        namespace("outward", isolation="true", external__network=json.dumps({**BLUE, "domain": text})),
    ]


@pytest.mark.postgres
@pytest.mark.parametrize("text", [LONG, "*", "a/b", "a/*"], ids=["long", "all", "parted", "all-below"])
def test_a_name_that_nothing_can_have_stops_nobody_else(store_engine: Engine, text: str) -> None:
    store = PostgresStore(store_engine, "k8s")
    try:
        world = World(store, with_settings=True)
        world.tell(namespace(), *naming(text))
        world.tell(pod("web"))
        with store_engine.connect() as connection:
            found = connection.exec_driver_sql("SELECT count(*) FROM desired_object WHERE fq_name LIKE '%%__shop__web'")
            assert found.scalar() == 1
    finally:
        store.close()


@pytest.mark.postgres
@pytest.mark.parametrize("text", ["a\x00b", "a\ud800b"], ids=["nul", "surrogate"])
def test_case_96_an_escape_that_no_store_keeps_stops_nobody_else(store_engine: Engine, text: str) -> None:
    """The record's own text is plain; only what the annotation says, once it is read as JSON, is not."""
    store = PostgresStore(store_engine, "k8s")
    held = {"opencontrail.org/fip-pool": json.dumps({**PUBLIC, "name": text})}
    try:
        world = World(store, with_settings=True)
        world.tell(
            namespace(),
            pod("placed", annotations={"opencontrail.org/network": json.dumps({**BLUE, "name": text})}),
            service("pooled", type="LoadBalancer", cluster_ips=("10.96.0.9",), annotations=held),
            attachment("zoned", cidr=json.dumps([f"fd05::%{text}/64"])),
            namespace("outward", isolation="true", external__network=json.dumps({**BLUE, "domain": text})),
            pod("web"),
        )
        with store_engine.connect() as connection:
            wrong = connection.exec_driver_sql("SELECT resource, error FROM dead_letter").fetchall()
            found = connection.exec_driver_sql("SELECT count(*) FROM desired_object WHERE fq_name LIKE '%%__shop__web'")
            assert found.scalar() == 1
    finally:
        store.close()
    said = {each.resource: each.error for each in wrong}
    assert "accepted is 1 to 64 subnets" in said.pop("NetworkAttachmentDefinition/shop/zoned")
    assert said.keys() == {"Pod/shop/placed", "Service/shop/pooled", "Namespace//outward"}
    assert all("control characters" in error for error in said.values())
