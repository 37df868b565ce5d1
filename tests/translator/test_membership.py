"""Where services and ingresses belong, and which pool their public addresses come from."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from schemas.errors import TranslationError
from schemas.records import SettingsRecord
from tests.translator.facts import SETTINGS
from tests.translator.golden import resource
from translator.resource import Resource
from translator.translate.membership import ingress_membership, public_pool, service_membership
from translator.view import View

PREFIX = "opencontrail.org"
DUAL = msgspec.structs.replace(
    SETTINGS, service_subnets=("10.96.0.0/12", "fd00:96::/112"), ip_fabric_subnets=("fd00:64::/64",)
)
BLUE = json.dumps({"domain": "default-domain", "project": "tenants", "name": "blue"})
POOL = {"domain": "d", "project": "p", "network": "n", "name": "one"}


def space(**annotations: str) -> Resource:
    held = {f"{PREFIX}/{key.replace('__', '-')}": value for key, value in annotations.items()}
    return resource("Namespace", "", "shop", body={"annotations": held})


def asker(kind: str = "Service", **body: Any) -> Resource:
    return resource(kind, "shop", "web", body=body)


def view(settings: SettingsRecord = SETTINGS) -> View:
    return View(settings, {}, {})


@pytest.mark.parametrize(
    ("home", "labels", "network", "shared"),
    [
        (space(), {}, "k8s-default-service-network", 0),
        (space(isolation="true"), {}, "k8s-shop-service-network", 0),
        (space(network=BLUE), {}, "k8s-default-service-network", 0),
        (space(isolation="true", network=BLUE), {}, "k8s-shop-service-network", 0),
        (space(), {f"{PREFIX}/name": "web"}, "k8s-shop__web-service-network", 3),
        (space(isolation="true"), {f"{PREFIX}/name": ""}, "k8s-shop-service-network", 0),
    ],
)
def test_a_service_is_in_its_apps_network_its_namespaces_or_the_clusters(
    home: Resource, labels: dict[str, str], network: str, shared: int
) -> None:
    found = service_membership(asker(labels=labels), home, view(DUAL))
    assert found.network.fq_name[-1] == network
    assert found.families == ("v4", "v6")
    assert len(found.shared) == shared


@pytest.mark.parametrize(
    ("home", "network", "families"),
    [
        (space(), "k8s-default-pod-network", ("v4",)),
        (space(isolation="true"), "k8s-shop-pod-network", ("v4",)),
        (space(isolation="true", network=BLUE), "blue", ("v4",)),
        (space(isolation="true", ip_fabric_forwarding="true"), "k8s-shop-pod-network", ("v6",)),
    ],
)
def test_an_ingress_is_where_the_pods_of_its_namespace_are(
    home: Resource, network: str, families: tuple[str, ...]
) -> None:
    found = ingress_membership(home, view(DUAL))
    assert found.network.fq_name[-1] == network
    assert found.families == families
    assert (found.network.uuid is None) == (network == "blue")


@pytest.mark.parametrize("kind", ["Service", "Ingress"])
def test_a_pool_is_the_askers_its_namespaces_or_the_clusters(kind: str) -> None:
    settings = msgspec.structs.replace(SETTINGS, public_pool="d:p:n:three")
    own = asker(kind, annotations={f"{PREFIX}/fip-pool": json.dumps(POOL)})
    home = space(fip__pool=str({**POOL, "name": "two"}))
    assert public_pool(own, home, view(settings)) == ("d", "p", "n", "one")
    assert public_pool(asker(kind), home, view(settings)) == ("d", "p", "n", "two")
    assert public_pool(asker(kind), space(), view(settings)) == ("d", "p", "n", "three")
    assert public_pool(asker(kind), space(), view()) is None
    with pytest.raises(TranslationError, match=f"{kind} shop/web: annotation opencontrail"):
        public_pool(asker(kind, annotations={f"{PREFIX}/fip-pool": "{}"}), home, view(settings))
