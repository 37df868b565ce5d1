"""An address that waits for the rules that guard it, with an API that refuses the list for a while."""

from __future__ import annotations

from dataclasses import replace

import pytest

from schemas.contrail.objects import ContrailObject, Reference
from schemas.identity import object_uuid
from simulators.contrail.faults import Fault, Trouble
from simulators.contrail.server import ContrailSimulator
from tests.applier.desired import CLUSTER, DesiredStore
from tests.applier.objects import annotations, project
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
