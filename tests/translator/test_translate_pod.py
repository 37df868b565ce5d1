"""What golden pairs cannot say about pods: malformed ones, and names at their limits."""

from __future__ import annotations

import pytest

from schemas.errors import ModelError, TranslationError
from schemas.events import ChangeEvent, Op, change
from schemas.identity import ResourceKey
from schemas.records import OwnerReference
from tests.translator.facts import SETTINGS, SOURCE
from tests.translator.golden import resource
from translator.resource import Resource
from translator.translate.pod import has_interface, is_mirror
from translator.translate.registry import require_valid, require_well_formed, translate
from translator.view import View

UID = "0c2b5d0e-5a3b-4a25-8f61-2f6a1c1a0001"


def view_of(namespace: str = "shop") -> View:
    found = resource("Namespace", "", namespace, uid=UID)
    return View(SETTINGS, {found.key: found, "Node//n1": None}, {})  # type: ignore[dict-item]


def _told(resource: Resource) -> ChangeEvent:
    key = ResourceKey(resource.kind, resource.namespace, resource.name)
    body = resource.body
    return change(op=Op.UPSERT, epoch=1, key=key, uid=resource.uid, resource_version="1", source=SOURCE, body=body)  # type: ignore[arg-type]


def pod(name: str = "web-0", *, uid: str = UID, **body: object) -> Resource:
    return resource("Pod", "shop", name, uid=uid, body=body)


@pytest.mark.parametrize("uid", ["", "x", UID.upper(), UID + "0", "3a1f9c0d1b2a"])
def test_a_uid_that_no_machine_can_take_is_named(uid: str) -> None:
    with pytest.raises(TranslationError, match=r"Pod shop/web-0: metadata\.uid .* lower-case uuid"):
        require_well_formed(_told(pod(uid=uid)))


@pytest.mark.parametrize("node", ["n" * 254, "a/b", "a:b", "Ä", "-n", "n\n"])
def test_a_node_name_that_is_none_is_named(node: str) -> None:
    with pytest.raises(TranslationError, match=r"Pod shop/web-0: spec\.nodeName is .*; accepted is"):
        require_well_formed(_told(pod(node_name=node)))


def test_pods_without_an_interface_may_have_any_uid() -> None:
    require_well_formed(_told(pod(uid="3a1f9c0d1b2a", host_network=True, node_name="Any Name")))


def test_case_34_long_names_and_odd_texts_give_names_that_contrail_takes() -> None:
    name = "a" * 250 + ".b2"
    odd = {"labels": {"a.b/c": "x=y"}, "annotations": {"note": 'größe: {}"\\', "e": "🙂"}}
    objects = translate(pod(name, **odd), view_of())
    for each in objects:
        require_valid(each)
    assert objects[0].fq_name == (f"k8s__shop__{name}",)


def test_a_name_with_a_colon_is_refused_before_anything_is_stored() -> None:
    with pytest.raises(ModelError, match="':'"):
        for each in translate(pod("a:b"), view_of()):
            require_valid(each)


def test_case_33_pods_without_an_interface() -> None:
    host, mirror = pod(host_network=True), pod(annotations={"kubernetes.io/config.mirror": "1"})
    node = OwnerReference(api_version="v1", kind="Node", name="n1", uid=UID, controller=True)
    owned = pod(owners=[{"api_version": "v1", "kind": node.kind, "name": node.name, "uid": node.uid}])
    for each in (host, mirror, owned, pod(phase="Succeeded"), pod(phase="Failed")):
        assert translate(each, view_of()) == ()
    assert is_mirror(owned.body)  # type: ignore[arg-type]
    for phase in ("", "Pending", "Running", "Unknown"):
        assert has_interface(pod(phase=phase).body)  # type: ignore[arg-type]


def test_readiness_and_labels_that_every_pod_has_for_itself_change_nothing() -> None:
    plain, own = translate(pod(), view_of()), {"pod-template-hash": "5d9c", "controller-revision-hash": "1"}
    assert translate(pod(labels=own, ready=True, pod_ips=["10.1.1.1"], phase="Running"), view_of()) == plain
