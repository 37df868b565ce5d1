"""What changes while it is applied, and while nobody applies it: case 77."""

from __future__ import annotations

import pytest

from schemas.contrail.objects import ContrailObject, Link
from schemas.identity import object_uuid
from simulators.contrail.faults import Fault, Trouble
from simulators.contrail.server import ContrailSimulator
from tests.applier.desired import DesiredStore
from tests.applier.objects import annotations, pod, project
from tests.applier.running import applying, until, until_applied
from tests.applier.shop import put_pods, shop

pytestmark = [pytest.mark.postgres, pytest.mark.process]


def test_a_generation_that_changes_while_it_is_applied_is_applied_again(
    store: DesiredStore, contrail: ContrailSimulator
) -> None:
    shop(store, "web-0")
    contrail.faults.add(Fault(Trouble.LATENCY, "POST", "/virtual-machines", 1, seconds=0.5))
    with applying(store, contrail):
        until(lambda: not contrail.faults.waiting)
        put_pods(store, pod("shop", "web-0", labels='{"app": "new"}'))
        until_applied(store)
    (machine,) = contrail.objects("virtual-machine")
    assert {"key": "labels", "value": '{"app": "new"}'} in machine["annotations"]["key_value_pair"]


def test_a_pod_that_is_deleted_while_it_is_made_leaves_nothing(
    store: DesiredStore, contrail: ContrailSimulator
) -> None:
    (web,) = shop(store, "web-0")
    contrail.faults.add(Fault(Trouble.LATENCY, "POST", "/virtual-machine-interfaces", 1, seconds=0.5))
    with applying(store, contrail):
        until(lambda: not contrail.faults.waiting)
        store.remove(*web.objects)
        until_applied(store)
    assert contrail.count("virtual-machine") == contrail.count("instance-ip") == 0
    assert not store.observed()


def test_case_77_what_was_removed_while_the_applier_was_away_goes_at_its_start(
    store: DesiredStore, contrail: ContrailSimulator
) -> None:
    (web,) = shop(store, "web-0")
    with applying(store, contrail):
        until_applied(store)
    store.remove(*web.objects)
    with applying(store, contrail):
        until_applied(store)
    assert contrail.count("virtual-machine") == 0


def test_what_is_wanted_again_while_it_is_being_deleted_is_made_anew_before_what_is_given_to_it(
    store: DesiredStore, contrail: ContrailSimulator
) -> None:
    """A namespace is made again under its name: its project wears a tag, which a project in place gets first."""
    shop(store)
    uuid = object_uuid("k8s", "tag", "application=k8s.green")
    properties = {"tag_type_name": "application", "tag_value": "k8s.green", "annotations": annotations()}
    tag = ContrailObject("tag", ("application=k8s.green",), uuid, None, properties)
    green = project("green")
    link = Link(green.type, green.fq_name, tag.type, tag.fq_name, tag.uuid, green.uuid)
    with applying(store, contrail):
        store.put(green, namespace="green")
        until_applied(store)
        contrail.faults.add(Fault(Trouble.LATENCY, "DELETE", "/project/", 1, seconds=0.5))
        store.remove(green)
        until(lambda: not contrail.faults.waiting)
        store.put(green, tag, link, namespace="green")
        until_applied(store)
    (made,) = [each for each in contrail.objects("project") if each["uuid"] == green.uuid]
    assert [ref["uuid"] for ref in made["tag_refs"]] == [tag.uuid]
