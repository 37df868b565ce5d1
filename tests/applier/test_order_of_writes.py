"""Addresses that wait for the rules that guard them, lists for the tags they name, with an API that refuses these."""

from __future__ import annotations

from dataclasses import replace

import pytest

from schemas.contrail.objects import ContrailObject, Link, Reference
from schemas.identity import object_uuid
from simulators.contrail.faults import Fault, Trouble
from simulators.contrail.server import ContrailSimulator
from tests.applier.desired import CLUSTER, DesiredStore
from tests.applier.objects import BOOTSTRAP, Pod, annotations, pod, project
from tests.applier.running import applying, until, until_applied

pytestmark = pytest.mark.postgres
PARENT = "policy-management"


def _under_management(type_: str, name: str, *references: Reference, **properties: object) -> ContrailObject:
    fq_name = ("default-policy-management", name)
    marks = {"annotations": annotations(kind="Namespace", name="shop")}
    uuid = object_uuid(CLUSTER, type_, name)
    return ContrailObject(type_, fq_name, uuid, PARENT, {**marks, **properties}, references)


def rule(name: str) -> ContrailObject:
    anybody = {"endpoint_1": {"any": True}, "endpoint_2": {"any": True}, "direction": ">"}
    every = {"protocol": "any", "dst_ports": {"start_port": 0, "end_port": 65535}}
    action = {"simple_action": "deny"}
    return _under_management("firewall-rule", name, service=every, action_list=action, **anybody)


def membership(name: str) -> ContrailObject:
    """The tag of what a selector selects."""
    value = f"k8s.sel.{name}"
    properties = {"tag_type_name": "label", "tag_value": value, "annotations": annotations(kind="Settings")}
    return ContrailObject("tag", (f"label={value}",), object_uuid(CLUSTER, "tag", value), None, properties)


def member(of: Pod, tag: ContrailObject) -> Link:
    """The tag on the pod's interface."""
    worn = of.interface
    return Link(worn.type, worn.fq_name, tag.type, tag.fq_name, tag.uuid, owner_uuid=worn.uuid)


def listed(*rules: ContrailObject) -> ContrailObject:
    """The list with these rules."""
    references = [
        Reference(each.type, each.fq_name, each.uuid, {"sequence": f"{number:05d}.0"})
        for number, each in enumerate(rules)
    ]
    return _under_management("firewall-policy", "shop", *references)


def address(name: str, *guards: ContrailObject) -> ContrailObject:
    """What is reached from outside: here a project, which needs nothing else."""
    return replace(project(name), after=tuple(sorted(each.uuid for each in guards)))


def is_there(contrail: ContrailSimulator, wanted: ContrailObject) -> bool:
    return any(each["uuid"] == wanted.uuid for each in contrail.objects(wanted.type))


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_an_address_is_not_made_while_the_list_is_refused(
    store: DesiredStore, contrail: ContrailSimulator, method: str
) -> None:
    first, second = rule("first"), rule("second")
    with applying(store, contrail):
        if method == "PUT":
            store.put(first, listed(first), namespace="shop")
            until_applied(store)
        contrail.faults.add(Fault(Trouble.STATUS, method, "/firewall-polic", count=None))
        public = address("public", second, listed())
        store.put(first, second, listed(second, first), namespace="shop")
        store.put(public, namespace="shop")
        waits = f"waits for firewall-policy {':'.join(listed().fq_name)}"
        until(lambda: waits in store.states()[public.uuid].reason, told=lambda: store.states()[public.uuid])
        assert is_there(contrail, second) and not is_there(contrail, public)
        contrail.faults.clear()
        until_applied(store)
        assert is_there(contrail, public)


def test_an_address_waits_for_rules_that_nobody_asks_for_yet(store: DesiredStore, contrail: ContrailSimulator) -> None:
    first, second = rule("first"), rule("second")
    with applying(store, contrail):
        store.put(first, listed(first), namespace="shop")
        until_applied(store)
        public = address("public", second, listed())
        store.put(public, namespace="shop")
        until(lambda: second.uuid in store.states()[public.uuid].reason)
        assert not is_there(contrail, public)
        store.put(first, second, listed(second, first), namespace="shop")
        until_applied(store)
        assert is_there(contrail, public)


@pytest.mark.parametrize("trouble", ["the API refuses it", "the interface is not there"])
def test_a_list_is_written_once_interfaces_that_are_there_carry_the_tags_that_it_names(
    store: DesiredStore, contrail: ContrailSimulator, trouble: str
) -> None:
    web, tag = pod("shop", "web-0"), membership("others")
    denial = replace(rule("denial"), needs=(tag.uuid,))
    waits = trouble == "the API refuses it"
    with applying(store, contrail):
        store.put(*BOOTSTRAP)
        store.put(project("shop"), namespace="shop")
        until_applied(store)
        if not waits:
            contrail.faults.add(Fault(Trouble.STATUS, "POST", "/virtual-machine-interfaces", count=None))
        store.put(*web.objects, tag, namespace="shop")
        until(lambda: store.states()[web.machine.uuid].status == "applied")
        if waits:
            until_applied(store)
            contrail.faults.add(Fault(Trouble.STATUS, "POST", "/ref-update", count=None))
        store.put(member(web, tag), denial, listed(denial), namespace="shop")
        if waits:
            reason = (
                f"waits for link from virtual-machine-interface {':'.join(web.interface.fq_name)} to tag {tag.uuid}"
            )
            until(lambda: store.states()[listed().uuid].reason.startswith(reason))
            assert not is_there(contrail, listed())
            contrail.faults.clear()
        until(lambda: store.states()[listed().uuid].status == "applied")
        assert is_there(contrail, listed())
