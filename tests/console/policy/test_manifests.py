"""Manifests are read as kubectl would take them, and a fault says where it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from console.policy.manifests import read
from console.policy.picture import Given, picture
from schemas.errors import SettingsError
from schemas.records import NetworkPolicyRecord, PodRecord
from tests.console.policy.shop import written

POLICY = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: n, namespace: shop}
spec:
"""


def one(tmp_path: Path, text: str, name: str = "a.yaml") -> Given:
    path = tmp_path / name
    path.write_text(text)
    (found,) = read([path])
    return found


def test_a_folder_is_read_with_all_that_is_below_it(tmp_path: Path) -> None:
    found = {(g.kind, g.namespace, g.name) for g in read([written(tmp_path)])}
    pods = {("Pod", "shop", "web"), ("Pod", "shop", "db"), ("Pod", "monitoring", "probe")}
    policies = {("NetworkPolicy", "shop", each) for each in ("deny", "db", "web")}
    assert found == {("Namespace", "", "shop"), *pods, *policies}


def test_json_is_read_and_lists_of_a_kind(tmp_path: Path) -> None:
    pod = {"metadata": {"name": "p", "namespace": "shop", "labels": {"since": "2024-01-01"}}}
    found = one(tmp_path, json.dumps({"apiVersion": "v1", "kind": "PodList", "items": [pod]}), "a.json")
    assert (found.kind, found.namespace, found.name) == ("Pod", "shop", "p")
    dated = one(tmp_path, "apiVersion: v1\nkind: Pod\nmetadata: {name: p, labels: {since: 2024-01-01}}\n")
    assert isinstance(dated.record, PodRecord) and dated.record.labels == {"since": "2024-01-01"}
    assert dated.namespace == "default"


def test_json_may_hold_tabs_pairs_of_escapes_and_several_objects(tmp_path: Path) -> None:
    """None of which YAML does, and kubectl takes."""
    pods = [{"kind": "Pod", "metadata": {"name": each, "labels": {"a": "\U0001f600"}}} for each in ("p", "q")]
    (tmp_path / "a.json").write_text("\n".join(json.dumps(each, indent="\t") for each in pods))
    found = read([tmp_path])
    assert [each.name for each in found] == ["p", "q"]
    assert isinstance(found[1].record, PodRecord) and found[1].record.labels == {"a": "\U0001f600"}
    assert one(tmp_path, "{kind: Pod, metadata: {name: p}}\n").name == "p"


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet", "Job", "ReplicaSet", "CronJob"])
def test_what_makes_pods_counts_as_one_of_its_name(tmp_path: Path, kind: str) -> None:
    template = {
        "template": {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [{"ports": [{"containerPort": 1}]}]}}
    }
    spec = {"jobTemplate": {"spec": template}} if kind == "CronJob" else template
    found = one(tmp_path, json.dumps({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "w"}, "spec": spec}))
    assert isinstance(found.record, PodRecord) and found.name == "w"
    assert found.record.labels == {"app": "x"} and found.record.ports[0].port == 1


def test_rules_keep_their_place_in_the_manifest(tmp_path: Path) -> None:
    ports = "".join(f"  - ports: [{{port: {each}}}]\n" for each in (9, 5, 9, 7))
    found = one(tmp_path, f"{POLICY}  podSelector: {{}}\n  ingress:\n{ports}")
    assert isinstance(found.record, NetworkPolicyRecord)
    assert [rule.ports[0].port for rule in found.record.ingress] == [5, 7, 9]
    assert found.written["ingress"] == (1, 3, 0)


def test_what_manifests_leave_out_is_assumed_and_told(tmp_path: Path) -> None:
    seen = picture(read([written(tmp_path)]), subnets=("10.32.0.0/24", "fd00::/64"), complete=False)
    assert seen.namespaces["shop"] == {"team": "x", "kubernetes.io/metadata.name": "shop"}
    assert seen.namespaces["monitoring"] == {"kubernetes.io/metadata.name": "monitoring"}
    assert seen.pods["monitoring/probe"].addresses == ("10.32.0.200",)
    assert seen.pods["shop/db"].addresses == ("10.32.0.8", "fd00::8")
    assert any("monitoring" in note for note in seen.notes) and any("2 pods" in note for note in seen.notes)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "cannot be read as YAML or JSON"),
        ("- 1\n", "is no Kubernetes object"),
        ("a: 1\n---\nkind: Pod\n", "a.yaml, document 1: is no Kubernetes object"),
        ("kind: List\nitems: [7]\n", "items[0]: is no Kubernetes object"),
        ("kind: List\nitems: &a\n- {kind: List, items: *a}\n", "holds itself"),
        ("kind: Pod\napiVersion: v1\nmetadata: {}\n", "metadata.name is missing"),
        (POLICY.replace("v1", "v2") + "  {}\n", "apiVersion 'networking.k8s.io/v2'; accepted is networking.k8s.io/v1"),
        (POLICY + "  ingress: 7\n", "NetworkPolicy shop/n: Expected `array | null`, got `int` - at `$.spec.ingress`"),
        (POLICY + "  policyTypes: [Both]\n", "spec.policyTypes[0] is 'Both'; accepted are Ingress, Egress"),
        (POLICY + "  ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/99}}]}]\n", "spec.ingress[0].from[0].ipBlock.cidr"),
        (POLICY + "  ingress: []\n  ingress: [{}]\n", "key 'ingress' stands twice"),
        (POLICY + "  ingres: []\n", "NetworkPolicy shop/n: spec.ingres is no field of a NetworkPolicy"),
        (POLICY + "  ingress: [{from: []}, {form: []}]\n", "spec.ingress[1].form is no field"),
        (POLICY + "  podSelector: {matchLabel: {a: b}}\n", "spec.podSelector.matchLabel is no field"),
        (
            POLICY + "  egress: [{to: [{podSelector: {matchExpressions: [{Key: a}]}}]}]\n",
            "missing required field `key`",
        ),
        ("kind: Pod\nmetadata: {name: p, labels: {on: yes}}\n", "Expected `str`, got `bool`"),
        ("kind: Pod\nmetadata: {generateName: 7}\n", "metadata.name is missing"),
        ("kind: Deployment\nmetadata: {name: w}\nspec: 7\n", "spec is '7'; accepted is a mapping"),
        ("kind: Job\nmetadata: {name: w}\nspec: {template: {metadata: x}}\n", "metadata is 'x'; accepted is a mapping"),
        ("kind: Job\nmetadata: {name: w}\nspec: {template: {spec: [1]}}\n", "spec is '[1]'; accepted is a mapping"),
        ("kind: CronJob\nmetadata: w\n", "metadata is 'w'; accepted is a mapping"),
        ("kind: List\nitems: [{metadata: {name: p}}]\n", "items[0]: is no Kubernetes object"),
        (POLICY.replace("spec:\n", "podSelector: {}\n"), "podSelector is no field of a NetworkPolicy"),
        (POLICY.replace("namespace:", "namepsace:") + "  {}\n", "metadata.namepsace is no field of a NetworkPolicy"),
        ("kind: Pod\nmetadata: {name: p, label: {a: b}}\n", "metadata.label is no field of a Pod"),
        ("kind: Job\nmetadata: {name: w}\nspec: {template: {metadata: {label: {}}}}\n", "metadata.label is no field"),
        ("kind: Job\nmetadata: {name: w}\ntemplate: {}\n", "template is no field of a Job"),
        (POLICY + "  ingress: [{ports: [{port: '80'}]}]\n", "a port is the text '80'; accepted is the number without"),
        ("kind: Pod\nmetadata: {name: p}\nstatus: {podIP: 10.0.0.256}\n", "status.podIPs: '10.0.0.256' does not"),
        ('kind: Pod\nmetadata: {name: p, labels: {a: "\\ud83d"}}\n', "holds a text that is no Unicode"),
        ('{"kind": "Pod", "metadata": {"name": "p", "name": "q"}}', "key 'name' stands twice"),
        ('{"kind": "Pod", "metadata": {"name": "p"}', "cannot be read as YAML or JSON"),
    ],
)
def test_a_fault_names_the_file_the_object_and_the_field(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SettingsError) as error:
        one(tmp_path, text)
    assert str(tmp_path / "a.yaml") in str(error.value) and said in str(error.value)


def test_an_object_that_is_there_twice_is_a_fault(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text("kind: Pod\nmetadata: {name: p, namespace: shop}\n")
    with pytest.raises(SettingsError, match=r"b\.yaml: shop/p is in .*a\.yaml already"):
        read([tmp_path])


def test_a_path_that_holds_nothing_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no such file"):
        read([tmp_path / "none"])
    with pytest.raises(SettingsError, match=r"holds no \.yaml"):
        read([tmp_path])


def test_other_kinds_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("kind: Service\nmetadata: {name: s}\n---\nkind: Ingress\nmetadata: {name: i}\n")
    assert read([tmp_path]) == []
