"""Golden pairs: raw JSON of each kind and the record that it becomes."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from schemas.errors import MalformedObject
from schemas.records import (
    RECORD_OF_KIND,
    ContainerPort,
    NamespaceRecord,
    NodeAddress,
    NodeRecord,
    OwnerReference,
    PodRecord,
)
from watchers.kinds import BUILT_IN, OPTIONAL, Kind, Observed, observe
from watchers.kinds.annotations import kept

BY_NAME = {kind.name: kind for kind in BUILT_IN}


def _observe(kind: str, **raw: Any) -> Observed:
    return observe(BY_NAME[kind], msgspec.convert(raw, BY_NAME[kind].input))


def _metadata(**more: Any) -> dict[str, Any]:
    return {"name": "x", "uid": "u", "resourceVersion": "7", **more}


ALL = (*BUILT_IN, *OPTIONAL)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: str(kind.name))
def test_every_kind_has_a_record_type_and_a_path(kind: Kind) -> None:
    assert kind.name in RECORD_OF_KIND
    assert kind.path.startswith("/api/v1/" if kind.api_version == "v1" else f"/apis/{kind.api_version}/")
    assert kind.path == f"{kind.discovery_path}/{kind.resource}"


def test_a_kind_that_is_watched_by_metadata_says_so_in_accept_headers() -> None:
    partial = {kind.name for kind in ALL if kind.metadata_only}
    assert partial == {"ReplicationController", "ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Job"}
    for kind in ALL:
        form = "application/json;as=PartialObjectMetadata{};g=meta.k8s.io;v=v1,application/json"
        expected = [form.format("List"), form.format("")] if kind.metadata_only else ["application/json"] * 2
        assert [kind.accept_list, kind.accept_watch] == expected


def test_only_what_a_crd_brings_is_optional() -> None:
    optional = {kind.name for kind in ALL if kind.optional}
    assert optional == {kind.name for kind in OPTIONAL}
    policies = {"AdminNetworkPolicy", "BaselineAdminNetworkPolicy"}
    assert optional == {"NetworkAttachmentDefinition", "ServiceChain"} | policies


def test_a_kind_of_an_api_group_is_served_under_apis() -> None:
    kind = Kind("Lease", "leases", BY_NAME["Pod"].input, BY_NAME["Pod"].normalize, api_version="coordination.k8s.io/v1")
    assert (kind.group, kind.path) == ("coordination.k8s.io", "/apis/coordination.k8s.io/v1/leases")


def test_a_pod_keeps_what_networking_reads() -> None:
    observed = _observe(
        "Pod",
        metadata=_metadata(
            namespace="shop",
            labels={"app": "web"},
            annotations={"opencontrail.org/network": "{}", "kubectl.kubernetes.io/last-applied-configuration": "{}"},
            ownerReferences=[
                {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "r", "controller": True},
                {"apiVersion": "v1", "kind": "ConfigMap", "name": "c", "uid": "m"},
            ],
        ),
        spec={
            "nodeName": "node-1",
            "hostNetwork": True,
            "containers": [{"name": "c", "env": [{"name": "A"}], "ports": [{"containerPort": 80, "name": "http"}]}, {}],
            "initContainers": [
                {"restartPolicy": "Always", "ports": [{"containerPort": 53, "protocol": "UDP"}]},
                {"ports": [{"containerPort": 9999}]},
            ],
        },
        status={
            "phase": "Running",
            "hostIPs": [{"ip": "198.18.0.1"}],
            "podIPs": [{"ip": "10.32.0.5"}, {"ip": "fd00::5"}],
            "podIP": "10.32.0.5",
            "conditions": [{"type": "Initialized", "status": "True"}, {"type": "Ready", "status": "True"}],
        },
    )
    assert str(observed.key) == "Pod/shop/x"
    assert (observed.uid, observed.resource_version) == ("u", "7")
    assert observed.record == PodRecord(
        labels={"app": "web"},
        annotations={"opencontrail.org/network": "{}"},
        owners=(
            OwnerReference(api_version="v1", kind="ConfigMap", name="c", uid="m"),
            OwnerReference(api_version="apps/v1", kind="ReplicaSet", name="web", uid="r", controller=True),
        ),
        node_name="node-1",
        host_network=True,
        phase="Running",
        ready=True,
        host_ips=("198.18.0.1",),
        pod_ips=("10.32.0.5", "fd00::5"),
        ports=(ContainerPort(port=80, name="http"), ContainerPort(port=53, protocol="UDP")),
    )


def test_a_pod_that_was_just_created_has_defaults_only() -> None:
    assert _observe("Pod", metadata=_metadata(namespace="shop")).record == PodRecord()


def test_a_pod_of_an_older_server_has_its_single_addresses() -> None:
    observed = _observe("Pod", metadata=_metadata(namespace="s"), status={"podIP": "10.32.0.5", "hostIP": "198.18.0.1"})
    assert observed.record == PodRecord(pod_ips=("10.32.0.5",), host_ips=("198.18.0.1",))


def test_nulls_that_go_clients_write_are_nothing() -> None:
    observed = _observe(
        "Pod",
        metadata=_metadata(namespace="s", labels=None, annotations=None, ownerReferences=None),
        spec={"containers": None, "initContainers": None, "hostNetwork": None},
        status={"conditions": None, "podIPs": None},
    )
    assert observed.record == PodRecord()


def test_a_pod_with_a_deletion_timestamp_is_being_deleted() -> None:
    record = _observe("Pod", metadata=_metadata(namespace="s", deletionTimestamp="2026-01-01T00:00:00Z")).record
    assert record == PodRecord(deleting=True)


def test_a_node_keeps_addresses_and_drops_heartbeats() -> None:
    observed = _observe(
        "Node",
        metadata=_metadata(labels={"zone": "a"}),
        spec={"podCIDR": "10.0.0.0/24", "podCIDRs": ["10.0.0.0/24", "fd00::/64"]},
        status={
            "addresses": [{"type": "InternalIP", "address": "198.18.0.1"}, {"type": "Hostname", "address": "x"}],
            "conditions": [{"type": "Ready", "lastHeartbeatTime": "2026-01-01T00:00:00Z"}],
            "images": [{"names": ["big"]}],
        },
    )
    assert observed.record == NodeRecord(
        labels={"zone": "a"},
        addresses=(NodeAddress("Hostname", "x"), NodeAddress("InternalIP", "198.18.0.1")),
        pod_cidrs=("10.0.0.0/24", "fd00::/64"),
    )


def test_a_node_of_an_older_server_has_its_single_pod_cidr() -> None:
    assert _observe("Node", metadata=_metadata(), spec={"podCIDR": "10.0.0.0/24"}).record == NodeRecord(
        pod_cidrs=("10.0.0.0/24",)
    )


@pytest.mark.parametrize(
    ("metadata", "status", "deleting"),
    [({}, {"phase": "Active"}, False), ({}, {"phase": "Terminating"}, True), ({"deletionTimestamp": "t"}, {}, True)],
)
def test_a_namespace_knows_whether_it_is_being_deleted(
    metadata: dict[str, Any], status: dict[str, Any], deleting: bool
) -> None:
    record = _observe("Namespace", metadata=_metadata(labels={"a": "b"}, **metadata), status=status).record
    assert record == NamespaceRecord(labels={"a": "b"}, deleting=deleting)


@pytest.mark.parametrize(
    ("kind", "metadata", "field"),
    [
        ("Pod", {"uid": "u", "namespace": "s"}, "metadata.name is missing"),
        ("Pod", {"name": "x", "namespace": "s"}, "metadata.uid is missing"),
        ("Pod", {"name": "x", "uid": "u"}, "metadata.namespace is missing"),
        ("Node", {"name": "x", "uid": "u", "namespace": "s"}, "metadata.namespace is 's'"),
        ("Pod", {"name": "x/y", "uid": "u", "namespace": "s"}, "holds a '/'"),
    ],
)
def test_an_object_without_identity_is_malformed_by_name_and_field(
    kind: str, metadata: dict[str, Any], field: str
) -> None:
    with pytest.raises(MalformedObject, match=field) as caught:
        _observe(kind, metadata=metadata)
    assert str(caught.value).startswith(f"{kind} {metadata.get('namespace', '')}/{metadata.get('name', '')}: ")


def test_annotations_that_are_inputs_are_kept_and_others_are_not() -> None:
    inputs = {
        "opencontrail.org/isolation": "true",
        "k8s.v1.cni.cncf.io/networks": "a,b",
        "kubernetes.io/config.mirror": "hash",
        "kubernetes.io/ingress-bandwidth": "1M",
        "kubernetes.io/egress-bandwidth": "1M",
    }
    others = {
        "k8s.v1.cni.cncf.io/network-status": "[]",
        "opencontrail.org/pod-state": "{}",
        "kubernetes.io/psp": "x",
        "opencontrail.organic/x": "y",
    }
    assert kept(inputs | others) == inputs
    assert kept(None) == {}
