"""One object of each kind in a real kube-apiserver: what its list and its watch send becomes the same record."""

from __future__ import annotations

import copy
import json
import re
import ssl
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from schemas.records import IngressRecord, NamespaceRecord, OwnerReference, Record, ServiceRecord, WorkloadRecord
from tests.rigs.kubernetes import Access, ApiError, KubernetesCluster, Options
from tests.watchers.kinds.golden import ALL, DECODINGS, Json, Pair, pairs
from tests.watchers.patience import eventually
from watchers.decoding import Bookmark, Change
from watchers.kinds import Kind, Observed

pytestmark = pytest.mark.kubernetes

DEPLOY = Path(__file__).parents[3] / "deploy" / "kubernetes"
HERE = Path(__file__).parent
CRDS = (DEPLOY / "servicechain-crd.yaml", HERE / "nad-crd.yaml", HERE / "anp-crd.yaml", HERE / "banp-crd.yaml")
CONTAINER = {"name": "c", "image": "example.org/i:1"}
TEMPLATE = {"metadata": {"labels": {"app": "cart"}}, "spec": {"containers": [CONTAINER]}}
SELECTOR = {"matchLabels": {"app": "cart"}}
SPECS: dict[str, Json] = {
    "ReplicationController": {"replicas": 0, "selector": {"app": "cart"}, "template": TEMPLATE},
    "ReplicaSet": {"replicas": 0, "selector": SELECTOR, "template": TEMPLATE},
    "Deployment": {"replicas": 0, "selector": SELECTOR, "template": TEMPLATE},
    "StatefulSet": {"replicas": 0, "selector": SELECTOR, "template": TEMPLATE, "serviceName": "cart"},
    "DaemonSet": {"selector": SELECTOR, "template": TEMPLATE},
    "Job": {"suspend": True, "template": {"spec": {"containers": [CONTAINER], "restartPolicy": "Never"}}},
}
"""Whole objects of the kinds that are watched by metadata."""


DROPPED = (
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
)
"""Of metadata what the server decides itself."""


@pytest.fixture(scope="module")
def cluster(kubernetes_binary: Path) -> Iterator[KubernetesCluster]:
    """A cluster with the CRDs of the optional kinds."""
    with KubernetesCluster(Options()) as cluster:
        admin = cluster.admin
        for path in CRDS:
            crd = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)
            admin.request("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd)
        for kind in (kind for kind in ALL.values() if kind.optional):
            eventually(partial(admin.succeeds, kind.path))
        for name in ("shop", "data"):
            eventually(partial(_made_or_there, admin, "/api/v1/namespaces", {"metadata": {"name": name}}))
        yield cluster


def _made_or_there(admin: Access, path: str, thing: Json) -> bool:
    try:
        admin.request("POST", path, thing)
    except ApiError as error:
        return error.status == 409
    return True


def _open(admin: Access, path: str, accept: str) -> Any:
    headers = {"Authorization": f"Bearer {admin.token}", "Accept": accept}
    context = ssl.create_default_context(cadata=admin.authority)
    return urllib.request.urlopen(
        urllib.request.Request(admin.server + path, headers=headers), timeout=30, context=context
    )


def _listed(admin: Access, kind: Kind, name: str) -> tuple[Observed, Json]:
    with _open(admin, f"{kind.path}?limit=500", kind.accept_list) as answer:
        body = answer.read()
    page = DECODINGS[kind.name].page(body)
    assert page.malformed == ()
    [found] = [item for item in page.items if item.key.name == name]
    return found, json.loads(body)


def _watched(admin: Access, kind: Kind, name: str) -> Observed:
    path = f"{kind.path}?watch=true&resourceVersion=0&allowWatchBookmarks=true&timeoutSeconds=20"
    with _open(admin, path, kind.accept_watch) as answer:
        for line in answer:
            event = DECODINGS[kind.name].line(line)
            assert isinstance(event, Change | Bookmark), event
            if isinstance(event, Change) and event.observed.key.name == name:
                return event.observed
    pytest.fail(f"the watch of {kind.resource} never showed {name}")


def _create(admin: Access, kind: Kind, thing: Json) -> Json:
    """Create the object, and give it its status where the server keeps one."""
    body = copy.deepcopy(thing)
    body |= {"kind": kind.name, "apiVersion": kind.api_version}
    body["metadata"] = {key: value for key, value in body["metadata"].items() if key not in DROPPED}
    namespace = body["metadata"].get("namespace")
    path = f"{kind.discovery_path}/namespaces/{namespace}/{kind.resource}" if namespace else kind.path
    made = admin.request("POST", path, body)
    if "status" in thing and kind.name not in SPECS:
        made["status"] = thing["status"]
        made = admin.request("PUT", f"{path}/{made['metadata']['name']}/status", made)
    return made


def _for_the_server(pair: Pair) -> tuple[Json, Record]:
    """The golden object as this server takes it (one address family, one way to name a class), and its record."""
    thing, record = copy.deepcopy(pair.object), pair.record
    if isinstance(record, ServiceRecord) and len(record.cluster_ips) == 2:
        thing["spec"] |= {"clusterIPs": ["10.96.20.7"], "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack"}
        record = msgspec.structs.replace(record, cluster_ips=("10.96.20.7",), ip_families=("IPv4",))
    if isinstance(record, IngressRecord):
        del thing["metadata"]["annotations"]["kubernetes.io/ingress.class"]
        record = msgspec.structs.replace(record, legacy_class="")
    return thing, record


PAIRS = [pair for pair in pairs() if pair.kind not in SPECS and pair.kind != "Namespace"]


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: str(pair.name))
def test_what_list_and_watch_send_becomes_the_record(cluster: KubernetesCluster, pair: Pair) -> None:
    kind = ALL[pair.kind]
    thing, record = _for_the_server(pair)
    made = _create(cluster.admin, kind, thing)
    listed, _ = _listed(cluster.admin, kind, made["metadata"]["name"])
    assert listed.record == record
    assert listed.uid == made["metadata"]["uid"]
    assert _watched(cluster.admin, kind, made["metadata"]["name"]) == listed


def test_a_namespace_of_the_server_becomes_its_record(cluster: KubernetesCluster) -> None:
    kind = ALL["Namespace"]
    made = {"metadata": {"name": "isolated", "annotations": {"opencontrail.org/isolation": "true", "other": "x"}}}
    cluster.admin.request("POST", kind.path, made)
    listed, _ = _listed(cluster.admin, kind, "isolated")
    assert listed.record == NamespaceRecord(
        labels={"kubernetes.io/metadata.name": "isolated"}, annotations={"opencontrail.org/isolation": "true"}
    )
    assert _watched(cluster.admin, kind, "isolated") == listed


@pytest.mark.parametrize("name", SPECS)
def test_of_what_owns_pods_the_server_sends_metadata_only(cluster: KubernetesCluster, name: str) -> None:
    kind = ALL[name]
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "cart", "uid": "d1", "controller": True}
    labels = {"app": "cart", "opencontrail.org/name": "cart"}
    metadata = {"name": "cart", "namespace": "shop", "labels": labels, "ownerReferences": [owner]}
    _create(cluster.admin, kind, {"metadata": metadata, "spec": SPECS[name]})
    listed, body = _listed(cluster.admin, kind, "cart")
    assert body["kind"] == "PartialObjectMetadataList"
    assert all("spec" not in item and "status" not in item for item in body["items"])
    assert listed.record == WorkloadRecord(
        labels={"opencontrail.org/name": "cart"},
        owners=(OwnerReference(api_version="apps/v1", kind="Deployment", name="cart", uid="d1", controller=True),),
    )
    assert _watched(cluster.admin, kind, "cart") == listed


@pytest.mark.parametrize("kind", ALL.values(), ids=lambda kind: str(kind.name))
def test_discovery_names_every_kind(cluster: KubernetesCluster, kind: Kind) -> None:
    found = cluster.admin.request("GET", kind.discovery_path)["resources"]
    [resource] = [each for each in found if each["name"] == kind.resource]
    assert (resource["kind"], resource["namespaced"]) == (kind.name, kind.namespaced)
    assert {"get", "list", "watch"} <= set(resource["verbs"])


CHAIN: Json = {
    "left": {"namespace": "a"},
    "right": {"namespace": "b"},
    "services": [{"name": "fw", "podSelector": {}}],
}


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"left": {}}, "spec.left"),
        ({"left": {"namespace": "a", "networkAttachmentDefinition": {"name": "x"}}}, "spec.left"),
        ({"right": {"network": {"domain": "a:b", "project": "p", "name": "n"}}}, "spec.right.network.domain"),
        ({"services": []}, "spec.services"),
        ({"services": [CHAIN["services"][0]] * 2}, "Duplicate value"),
        ({"services": [CHAIN["services"][0] | {"mode": "bridge"}]}, "spec.services[0].mode"),
        ({"traffic": [{"ports": [{"port": 80}]}]}, "ports need protocol TCP, UDP or SCTP"),
        ({"traffic": [{"protocol": "TCP", "ports": [{"port": 80, "endPort": 79}]}]}, "endPort must not be less than"),
        ({"traffic": [{"direction": "up"}]}, "spec.traffic[0].direction"),
    ],
)
def test_the_crd_refuses_what_the_normalizer_refuses(cluster: KubernetesCluster, spec: Json, says: str) -> None:
    thing = {"metadata": {"name": "bad", "namespace": "shop"}, "spec": CHAIN | spec}
    with pytest.raises(ApiError, match=re.escape(says)):
        _create(cluster.admin, ALL["ServiceChain"], thing)


def test_a_chain_has_its_defaults_from_the_crd_and_columns_for_people(cluster: KubernetesCluster) -> None:
    kind = ALL["ServiceChain"]
    thing = {"metadata": {"name": "plain", "namespace": "shop"}, "spec": CHAIN | {"traffic": [{}]}}
    made = _create(cluster.admin, kind, thing)
    assert made["spec"]["services"][0]["mode"] == "in-network"
    assert made["spec"]["traffic"] == [{"protocol": "any", "direction": "both"}]
    table = "application/json;as=Table;g=meta.k8s.io;v=v1"
    with _open(cluster.admin, "/apis/opencontrail.org/v1alpha1/namespaces/shop/servicechains", table) as answer:
        columns = [column["name"] for column in json.load(answer)["columnDefinitions"]]
    assert columns == ["Name", "Services", "Age"]


def test_the_api_server_itself_refuses_a_chain_that_goes_on_behind_address_translation(
    cluster: KubernetesCluster,
) -> None:
    ends = {side: {"networkAttachmentDefinition": {"name": side}} for side in ("left", "right")}
    services = [{"name": name, "mode": "in-network-nat", "podSelector": {}} for name in ("one", "two")]
    body = {
        "apiVersion": "opencontrail.org/v1alpha1",
        "kind": "ServiceChain",
        "metadata": {"name": "refused"},
        "spec": {**ends, "services": services},
    }
    with pytest.raises(ApiError, match="in-network-nat is for the last service"):
        cluster.admin.request("POST", f"{ALL['ServiceChain'].discovery_path}/namespaces/shop/servicechains", body)
