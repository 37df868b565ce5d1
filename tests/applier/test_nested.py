"""Nested mode from the store to a simulated Contrail: parents are found, tags given out once, kept and given back."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from applier.vlan_tags import VlanTags
from schemas.contrail.trunk import LAST_TAG, Trunk
from simulators.contrail.faults import Fault, Trouble
from simulators.contrail.server import ContrailSimulator
from tests.applier.desired import DesiredStore
from tests.applier.machines import HOST, UNDERLAY, Cloud, uuid_of
from tests.applier.objects import BOOTSTRAP, Pod, pod, project
from tests.applier.running import applying, until, until_applied

pytestmark = pytest.mark.postgres

ADDRESS = "192.168.7.10"
HERE = Trunk("node-1", address=ADDRESS, network=":".join(UNDERLAY))
SHOP = project("shop")


@pytest.fixture
def cloud(contrail: ContrailSimulator) -> Iterator[Cloud]:
    """A cloud whose machine `node-1` has 192.168.7.10."""
    made = Cloud(contrail)
    made.boot("node-1", ADDRESS)
    yield made
    made.close()


def nested(name: str, trunk: Trunk = HERE) -> Pod:
    """A pod below that machine's interface, or below another."""
    return pod("shop", name, node=trunk.node, trunk=trunk)


def want(store: DesiredStore, *pods: Pod) -> None:
    """Want these pods, and what they stand on."""
    store.put(*BOOTSTRAP)
    store.put(SHOP, *(each for one in pods for each in one.objects), namespace="shop")


def live(contrail: ContrailSimulator, one: Pod) -> dict[str, Any]:
    """The pod's interface as Contrail has it."""
    found = contrail.find("virtual-machine-interface", *one.interface.fq_name)
    assert found is not None
    return found


def tag(contrail: ContrailSimulator, one: Pod) -> int:
    """Its tag in Contrail."""
    return int(live(contrail, one)["virtual_machine_interface_properties"]["sub_interface_vlan_tag"])


def parent(contrail: ContrailSimulator, one: Pod) -> str:
    """Name of its parent in Contrail."""
    (ref,) = live(contrail, one)["virtual_machine_interface_refs"]
    return str(ref["to"][-1])


def given(store: DesiredStore) -> dict[str, int]:
    """Tags in the store by interface."""
    with store.engine.connect() as connection:
        return dict(connection.execute(text("SELECT interface_uuid::text, tag FROM vlan_tag")).all())  # type: ignore[arg-type]


def test_pods_become_sub_interfaces_of_their_machine_and_machines_of_its_host(
    store: DesiredStore, contrail: ContrailSimulator, cloud: Cloud
) -> None:
    pods = [nested(f"web-{n}") for n in range(3)]
    want(store, *pods)
    with applying(store, contrail):
        until_applied(store)
    assert {parent(contrail, one) for one in pods} == {"node-1"}
    assert sorted(tag(contrail, one) for one in pods) == [1, 2, 3]
    assert given(store) == {one.interface.uuid: tag(contrail, one) for one in pods}
    router = contrail.find("virtual-router", "default-global-system-config", HOST)
    assert router is not None
    assert {ref["uuid"] for ref in router["virtual_machine_refs"]} == {one.machine.uuid for one in pods}
    ours = contrail.find("virtual-router", "default-global-system-config", "node-1")
    assert ours is not None and not ours.get("virtual_machine_refs"), "node-1 is a machine here, and no host"


def test_pod_address_tells_tag_and_parent(store: DesiredStore, contrail: ContrailSimulator, cloud: Cloud) -> None:
    one = nested("web-0")
    want(store, one)
    with store.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO k8s_resource VALUES ('k8s', 'Pod', 'shop', 'web-0', 'v1', :uid, '1', 1, "
                "CAST('{\"node_name\": \"node-1\"}' AS jsonb), '', '', -1, -1)"
            ),
            {"uid": one.machine.uuid},
        )
        connection.execute(
            text("INSERT INTO desired_source VALUES (:uuid, 'k8s', 'Pod/shop/web-0', '')"), {"uuid": one.interface.uuid}
        )
    with applying(store, contrail):
        until_applied(store)
    with store.engine.connect() as connection:
        row = connection.execute(text("SELECT state, vlan, parent_uuid::text, parent FROM pod_address")).one()
    assert tuple(row) == (
        "ready",
        1,
        uuid_of("virtual-machine-interface node-1"),
        "default-domain:default-project:node-1",
    )


def test_the_interface_that_the_node_names_carries_its_pods(
    store: DesiredStore, contrail: ContrailSimulator, cloud: Cloud
) -> None:
    uuid = cloud.boot("node-2", "192.168.7.11")
    pods = [nested("web-0", Trunk("node-1", interface=uuid))]
    pods.append(nested("web-1", Trunk("node-1", interface="default-domain:default-project:node-2")))
    want(store, *pods)
    with applying(store, contrail):
        until_applied(store)
    assert [parent(contrail, one) for one in pods] == ["node-2", "node-2"]


def test_every_parent_has_tags_of_its_own(store: DesiredStore, contrail: ContrailSimulator, cloud: Cloud) -> None:
    cloud.boot("node-2", "192.168.7.11")
    one, other = nested("web-0"), nested("web-1", Trunk("node-2", address="192.168.7.11"))
    want(store, one, other)
    with applying(store, contrail):
        until_applied(store)
    assert (tag(contrail, one), tag(contrail, other)) == (1, 1)


def test_tags_of_strangers_are_passed_over(store: DesiredStore, contrail: ContrailSimulator, cloud: Cloud) -> None:
    cloud.trunk_port("node-1", "somebody", 1)
    one, later = nested("web-0"), nested("web-1")
    want(store, one)
    with applying(store, contrail):
        until_applied(store)
        cloud.trunk_port("node-1", "somebody-new", 3)
        want(store, later)  # which tags are in use is remembered by now: Contrail refuses the next one, 3
        until_applied(store)
    assert tag(contrail, one) == 2
    assert tag(contrail, later) == 4


def test_a_tag_is_given_back_when_contrail_has_the_sub_interface_no_more(
    store: DesiredStore, contrail: ContrailSimulator, cloud: Cloud
) -> None:
    one = nested("web-0")
    want(store, one)
    with applying(store, contrail):
        until_applied(store)
        store.remove(*one.objects)
        until_applied(store)
    assert contrail.find("virtual-machine-interface", *one.interface.fq_name) is None
    assert given(store) == {}
    with applying(store, contrail):
        want(store, nested("web-1"))
        until_applied(store)
    assert tag(contrail, nested("web-1")) == 1


def test_a_wiped_contrail_gets_the_tags_that_running_pods_have(
    store: DesiredStore, contrail: ContrailSimulator, cloud: Cloud
) -> None:
    pods = [nested(f"web-{n}") for n in range(4)]
    want(store, *pods)
    with applying(store, contrail):
        until_applied(store)
        store.remove(*pods[1].objects)
        until_applied(store)
    before = {one.interface.uuid: tag(contrail, one) for one in pods if one is not pods[1]}
    contrail.reset()
    cloud.close()
    again = Cloud(contrail)
    again.boot("node-1", ADDRESS)
    again.close()
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE apply_state SET status = 'pending', applied_generation = NULL"))
    with applying(store, contrail):
        until_applied(store)
    assert {one.interface.uuid: tag(contrail, one) for one in pods if one is not pods[1]} == before


def test_a_store_made_anew_takes_the_tags_that_contrail_has(
    store: DesiredStore, contrail: ContrailSimulator, cloud: Cloud
) -> None:
    first, second = nested("web-0"), nested("web-1")
    want(store, first, second)
    with applying(store, contrail):
        until_applied(store)
        store.remove(*first.objects)
        until_applied(store)
    assert tag(contrail, second) == 2 or tag(contrail, second) == 1
    before = tag(contrail, second)
    with store.engine.begin() as connection:
        connection.execute(text("DELETE FROM vlan_tag"))
        connection.execute(text("UPDATE apply_state SET status = 'pending', applied_generation = NULL"))
    want(store, nested("web-2"))
    with applying(store, contrail):
        until_applied(store)
    assert tag(contrail, second) == before == given(store)[second.interface.uuid]
    assert tag(contrail, nested("web-2")) != before


def test_a_later_word_of_the_node_does_not_move_what_is_there(
    store: DesiredStore, contrail: ContrailSimulator, cloud: Cloud
) -> None:
    cloud.boot("node-2", "192.168.7.11")
    one = nested("web-0")
    want(store, one)
    moved = nested("web-0", Trunk("node-1", interface=uuid_of("virtual-machine-interface node-2")))
    with applying(store, contrail):
        until_applied(store)
        want(store, moved)
        until_applied(store)
    assert parent(contrail, one) == "node-1"


def test_a_pod_whose_machine_is_gone_can_be_deleted(
    store: DesiredStore, contrail: ContrailSimulator, cloud: Cloud
) -> None:
    one = nested("web-0")
    want(store, one)
    with applying(store, contrail):
        until_applied(store)
    contrail.ask(lambda state: state.remove(state[uuid_of("instance-ip node-1-ip")]))
    with applying(store, contrail):  # started anew: it remembers nothing of the machine
        store.remove(*one.objects)
        until_applied(store)
    assert contrail.find("virtual-machine", *one.machine.fq_name) is None
    assert given(store) == {}


NOT_FOUND = (
    (Trunk("node-9"), "Kubernetes tells no internal address of it; the annotation opencontrail.org/interface"),
    (Trunk("node-9", address="192.168.7.99"), "no interface in Contrail has its address 192.168.7.99"),
    (
        Trunk("node-9", address=ADDRESS, network="default-domain:default-project:nowhere"),
        "virtual-network default-domain:default-project:nowhere is not in Contrail",
    ),
    (
        Trunk("node-9", interface=uuid_of("nothing")),
        f"virtual-machine-interface {uuid_of('nothing')} is not in Contrail",
    ),
    (Trunk("node-9", interface="default-domain:default-project:sub"), "is a sub-interface itself"),
)


def test_a_parent_that_is_not_found_is_waited_for_with_the_reason(
    store: DesiredStore, contrail: ContrailSimulator, cloud: Cloud
) -> None:
    cloud.trunk_port("node-1", "sub", 7)
    pods = [nested(f"web-{number}", trunk) for number, (trunk, _) in enumerate(NOT_FOUND)]
    want(store, *pods)
    with applying(store, contrail):
        until(lambda: all(store.states()[one.interface.uuid].reason for one in pods))
    for one, (_, why) in zip(pods, NOT_FOUND, strict=True):
        state = store.states()[one.interface.uuid]
        assert state.status == "blocked"
        assert state.reason.startswith("the interface of the machine that is node node-9 is not known: ")
        assert why in state.reason


def test_an_address_of_two_machines_is_asked_about(
    store: DesiredStore, contrail: ContrailSimulator, cloud: Cloud
) -> None:
    other = cloud.boot("node-2", "192.168.7.11")
    contrail.ask(lambda state: state[uuid_of("instance-ip node-2-ip")].properties.update(instance_ip_address=ADDRESS))
    want(store, nested("web-0", Trunk("node-1", address=ADDRESS)))
    with applying(store, contrail):
        reason = until(lambda: [r for r in store.reasons() if "2 interfaces in Contrail have its address" in r])[0]
    assert other in reason and "the annotation opencontrail.org/interface of the Node can name it" in reason


def test_a_host_is_known_by_its_name_with_or_without_its_domain(
    store: DesiredStore, contrail: ContrailSimulator, cloud: Cloud
) -> None:
    hosts = ("compute-1", "COMPUTE-1.cloud", "compute-1.elsewhere", "")
    for number, host in enumerate(hosts):
        cloud.boot(f"vm-{number}", f"192.168.7.{20 + number}", host=host)
    pods = [nested(f"web-{n}", Trunk(f"vm-{n}", address=f"192.168.7.{20 + n}")) for n in range(4)]
    want(store, *pods)
    with applying(store, contrail):
        until(lambda: len(store.unfinished()) == 2 and len(store.reasons()) == 3, told=store.unfinished)
    router = contrail.find("virtual-router", "default-global-system-config", HOST)
    assert router is not None
    assert {ref["uuid"] for ref in router["virtual_machine_refs"]} == {one.machine.uuid for one in pods[:2]}
    assert store.reasons() - {""} == {
        "virtual-router of host compute-1.elsewhere, on which node vm-2 runs, is not registered in Contrail",
        "interface default-domain:default-project:vm-3 of the machine that is node vm-3 is bound to no host (host_id)",
    }


def test_case_63_a_lost_answer_to_a_create_or_a_delete_costs_no_tag(
    store: DesiredStore, contrail: ContrailSimulator, cloud: Cloud
) -> None:
    pods = [nested(f"web-{n}") for n in range(3)]
    for method, path in (("POST", "/virtual-machine-interfaces"), ("DELETE", "/virtual-machine-interface")):
        contrail.faults.add(Fault(Trouble.DROP_AFTER, method, path, count=2))
    want(store, *pods)
    with applying(store, contrail):
        until_applied(store)
        assert sorted(tag(contrail, one) for one in pods) == [1, 2, 3]
        assert given(store) == {one.interface.uuid: tag(contrail, one) for one in pods}
        store.remove(*(each for one in pods for each in one.objects))
        until_applied(store)
    assert given(store) == {} and contrail.count("virtual-machine-interface") == 1


def test_two_appliers_at_once_give_out_no_tag_twice(
    store: DesiredStore, contrail: ContrailSimulator, cloud: Cloud
) -> None:
    store.put(*BOOTSTRAP)
    pods = [pod(f"shop-{n}", "web", node="node-1", trunk=HERE) for n in range(24)]
    for number, one in enumerate(pods):
        store.put(project(f"shop-{number}"), *one.objects, namespace=f"shop-{number}")
    with applying(store, contrail, max_shards=8), applying(store, contrail, max_shards=8):
        until_applied(store)
    assert sorted(tag(contrail, one) for one in pods) == list(range(1, 25))


def test_when_no_tag_is_left_that_pod_says_so_and_gets_the_one_that_comes_back(
    store: DesiredStore, contrail: ContrailSimulator, cloud: Cloud
) -> None:
    first, late = nested("web-0"), nested("web-1")
    want(store, first)
    with applying(store, contrail):
        until_applied(store)
        _use_up(store)
        want(store, late)
        state = until(
            lambda: [s for s in store.states().values() if s.fq_name.endswith(late.interface.uuid) and s.reason]
        )
        assert state[0].status == "blocked"
        name = "default-domain:default-project:node-1"
        said = f"no VLAN tag is left: all 4,094 of {name}, which carries node node-1, are in use"
        assert state[0].reason == said
        store.remove(*first.objects)
        until(lambda: len(given(store)) == LAST_TAG and late.interface.uuid in given(store))
        assert tag(contrail, late) == 1


def _use_up(store: DesiredStore) -> None:
    """Give the other 4,093 tags to interfaces that are there already."""
    values = {"parent": uuid_of("virtual-machine-interface node-1")}
    with store.engine.begin() as connection:
        connection.execute(
            text("""
                INSERT INTO desired_object (uuid, cluster, shard, namespace, type, fq_name, body, digest, generation)
                SELECT md5(t::text)::uuid, 'k8s', 0, 'shop', 'virtual-machine-interface', 'x:y:' || t, '{}', '', 1
                FROM generate_series(2, 4094) t
            """)
        )
        connection.execute(
            text("""
                INSERT INTO vlan_tag (interface_uuid, cluster, parent_uuid, parent_fq_name, tag)
                SELECT md5(t::text)::uuid, 'k8s', CAST(:parent AS uuid), 'x', t FROM generate_series(2, 4094) t
            """),
            values,
        )


def test_claims_from_everywhere_at_once_never_meet(store: DesiredStore) -> None:
    pods = [nested(f"web-{n}") for n in range(40)]
    want(store, *pods)
    where = uuid_of("parent"), "d:p:parent"
    with ThreadPoolExecutor(8) as pool:
        found = list(
            pool.map(lambda p: VlanTags(store.engine).claim(p.interface.uuid, *where, taken={3}), [*pods, *pods])
        )
    assert found[:40] == found[40:]
    assert sorted(tag or 0 for tag in found[:40]) == [1, 2, *range(4, 42)]


def test_the_database_refuses_a_tag_twice(store: DesiredStore) -> None:
    one, other = nested("web-0"), nested("web-1")
    want(store, one, other)
    insert = text("INSERT INTO vlan_tag VALUES (:uuid, 'k8s', :parent, 'x', 5)")
    with store.engine.begin() as connection:
        connection.execute(insert, {"uuid": one.interface.uuid, "parent": uuid_of("parent")})
    with pytest.raises(IntegrityError, match="vlan_tag_parent_uuid_tag_idx"), store.engine.begin() as connection:
        connection.execute(insert, {"uuid": other.interface.uuid, "parent": uuid_of("parent")})


def test_the_hundredth_pod_of_a_node_costs_as_many_calls_as_one_outside_of_a_machine(
    store: DesiredStore, contrail: ContrailSimulator, cloud: Cloud
) -> None:
    want(store, nested("web-0"))
    with applying(store, contrail):
        until_applied(store)
        before = sum(contrail.counters.values())
        want(store, nested("web-1"))
        until_applied(store)
        assert sum(contrail.counters.values()) - before == 5
