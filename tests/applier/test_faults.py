"""What goes wrong between the applier, Contrail and the store, and how it ends; by the numbers of the fault list."""

from __future__ import annotations

import time
from typing import Any

import pytest
import requests
from sqlalchemy import text

from schemas.contrail.objects import ContrailObject
from schemas.identity import object_uuid
from simulators.contrail.faults import Fault, Trouble
from simulators.contrail.server import ContrailSimulator
from tests.applier.desired import DesiredStore
from tests.applier.objects import BOOTSTRAP, CLUSTER, HOME, IPAM, NETWORK, Pod, annotations, pod, project
from tests.applier.running import applying, until, until_applied

pytestmark = pytest.mark.postgres


def put_pods(store: DesiredStore, *pods: Pod, namespace: str = "shop") -> None:
    store.put(project(namespace), *(o for p in pods for o in p.objects), namespace=namespace)


def shop(store: DesiredStore, *names: str) -> list[Pod]:
    """A cluster with these pods, put into the store."""
    pods = [pod("shop", name) for name in names]
    store.put(*BOOTSTRAP)
    put_pods(store, *pods)
    return pods


def post(contrail: ContrailSimulator, type_: str, **fields: Any) -> str:
    """What somebody else makes in Contrail; returns its uuid."""
    answer = requests.post(f"{contrail.url}/{type_}s", json={type_: fields}, timeout=5)
    assert answer.status_code == 200, answer.text
    uuid: str = answer.json()[type_]["uuid"]
    return uuid


@pytest.mark.parametrize(
    "path",
    [
        "/projects",
        "/network-ipams",
        "/virtual-networks",
        "/virtual-machines",
        "/virtual-machine-interfaces",
        "/instance-ips",
        "/ref-update",
        "/list-bulk-collection",
        "/fqname-to-id",
    ],
)
def test_case_63_lost_answers_find_their_own_work(store: DesiredStore, contrail: ContrailSimulator, path: str) -> None:
    pods = shop(store, "web-0", "web-1")
    contrail.faults.add(Fault(Trouble.DROP_AFTER, "POST", path, count=2))
    with applying(store, contrail):
        until_applied(store)
    assert contrail.count("virtual-machine") == contrail.count("instance-ip") == 2
    assert store.observed().keys() == {p.address.uuid for p in pods}
    assert len({body["address"] for body in store.observed().values()}) == 2


def test_case_63_an_answer_that_comes_too_late_is_adopted(store: DesiredStore, contrail: ContrailSimulator) -> None:
    (web,) = shop(store, "web-0")
    contrail.faults.add(Fault(Trouble.LATENCY, "POST", "/instance-ips", seconds=1.0))
    with applying(store, contrail, read_timeout=0.3):
        until_applied(store)
    assert contrail.count("instance-ip") == 1
    assert store.observed()[web.address.uuid]["address"] == "10.47.255.252"


def test_case_64_a_foreign_holder_of_a_delete_is_named_and_waited_for(
    store: DesiredStore, contrail: ContrailSimulator
) -> None:
    (web,) = shop(store, "web-0")
    with applying(store, contrail):
        until_applied(store)
        foreign = post(
            contrail,
            "instance-ip",
            fq_name=["foreign"],
            virtual_network_refs=[{"to": list(NETWORK.fq_name), "uuid": NETWORK.uuid}],
            virtual_machine_interface_refs=[{"to": list(web.interface.fq_name), "uuid": web.interface.uuid}],
        )
        store.remove(*web.objects)
        state = until(lambda: (s := store.states().get(web.interface.uuid)) and s.status == "blocked" and s)
        assert state.reason == f"not deleted yet: held by instance-ip {foreign} (not in the store)"
        until(lambda: store.states()[web.machine.uuid].status == "blocked")
        requests.delete(f"{contrail.url}/instance-ip/{foreign}", timeout=5)
        until(lambda: web.machine.uuid not in store.states(), told=store.unfinished)
    assert contrail.count("virtual-machine") == 0


def test_case_64_objects_that_need_each_other_are_reported_and_not_spun_on(
    store: DesiredStore, contrail: ContrailSimulator
) -> None:
    shop(store, "web-0")
    one, two = pod("shop", "one"), pod("shop", "two")
    store.put(one.interface, two.interface, namespace="shop")
    with store.engine.begin() as connection:
        for a, b in ((one, two), (two, one)):
            connection.execute(
                text("INSERT INTO desired_edge VALUES (:a, :b, 'ref')"), {"a": a.interface.uuid, "b": b.interface.uuid}
            )
    with applying(store, contrail, backoff_limit=30.0, backoff_first=5.0):
        until(lambda: {store.states()[p.interface.uuid].status for p in (one, two)} == {"blocked"})
        until(lambda: len(store.unfinished()) == 2, told=store.unfinished)
        before = contrail.counters.total()
        assert "need each other" in store.states()[one.interface.uuid].reason
        time.sleep(0.5)
        assert contrail.counters.total() == before


def test_case_65_what_somebody_deleted_is_made_again_when_it_changes(
    store: DesiredStore, contrail: ContrailSimulator
) -> None:
    (web,) = shop(store, "web-0")
    with applying(store, contrail):
        until_applied(store)
        contrail.reset()
        store.put(*BOOTSTRAP)
        with store.engine.begin() as connection:
            connection.execute(text("UPDATE apply_state SET status = 'pending', desired_generation = 2"))
            connection.execute(text("UPDATE desired_object SET generation = 2"))
            connection.execute(text("SELECT pg_notify('desired', '')"))
        until_applied(store)
    assert contrail.count("virtual-machine") == 1
    assert store.observed()[web.address.uuid]["address"] == "10.47.255.252"


def test_case_65_deletes_of_what_is_gone_are_done(store: DesiredStore, contrail: ContrailSimulator) -> None:
    (web,) = shop(store, "web-0")
    with applying(store, contrail):
        until_applied(store)
        contrail.reset()
        store.remove(*web.objects)
        until_applied(store)
    assert web.machine.uuid not in store.states()


def test_case_66_a_refused_object_is_parked_and_the_rest_goes_on(
    store: DesiredStore, contrail: ContrailSimulator
) -> None:
    text_ = "Bad property in create: Error validating property x"
    contrail.faults.add(Fault(Trouble.STATUS, "POST", "/virtual-networks", None, status=400, text=text_))
    bad = ContrailObject(
        "virtual-network",
        (*HOME.fq_name, "bad"),
        object_uuid(CLUSTER, "virtual-network", "bad"),
        "project",
        {"annotations": annotations()},
        parent_uuid=HOME.uuid,
    )
    others = [project(f"ns-{n}") for n in range(20)]
    store.put(HOME, bad)
    for other in others:
        store.put(other, namespace=other.fq_name[-1])
    with applying(store, contrail, tries=3):
        until(lambda: store.states()[bad.uuid].status == "dead", told=store.unfinished)
        until(lambda: len(store.unfinished()) == 1, told=store.unfinished)
        state = store.states()[bad.uuid]
        assert (state.attempts, state.reason) == (3, f"Contrail answered 400: {text_}")
        asked = contrail.counters["POST", "virtual-network"]
        assert asked == 3
        contrail.faults.clear()
        store.put(ContrailObject(**{**_fields(bad), "properties": {"annotations": annotations(fixed="yes")}}))
        until_applied(store)  # a new generation is a new chance


def _fields(wanted: ContrailObject) -> dict[str, Any]:
    return {name: getattr(wanted, name) for name in ContrailObject.__dataclass_fields__}


@pytest.mark.parametrize("status", [401, 403])
def test_case_67_without_permission_writing_stops_until_it_is_given(
    store: DesiredStore, contrail: ContrailSimulator, status: int
) -> None:
    contrail.faults.add(Fault(Trouble.STATUS, "", "/", None, status=status, text="Permission Denied"))
    shop(store, *(f"web-{n}" for n in range(10)))
    with applying(store, contrail):
        until(lambda: contrail.counters.total() > 3)
        time.sleep(1.0)
        assert contrail.counters.total() < 15
        said = "; asked without credentials (CONTRAIL_KUBE_CONTRAIL_AUTH is none)"
        assert f"Contrail answered {status}: Permission Denied{said}" in store.reasons()
        assert "dead" not in store.statuses().values()
        contrail.faults.clear()
        until_applied(store)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_case_67_an_overloaded_api_is_asked_less_and_nothing_is_given_up(
    store: DesiredStore, contrail: ContrailSimulator, status: int
) -> None:
    shop(store, *(f"web-{n}" for n in range(10)))
    contrail.faults.add(Fault(Trouble.STATUS, "", "/", None, status=status, text="later", retry_after=0.05))
    with applying(store, contrail, tries=2):
        time.sleep(1.5)
        assert contrail.counters.total() < 40
        assert f"Contrail answered {status}: later" in store.reasons()
        contrail.faults.clear()
        until_applied(store)
    assert len(store.observed()) == 10


def test_case_67_retry_after_is_obeyed(store: DesiredStore, contrail: ContrailSimulator) -> None:
    contrail.faults.add(Fault(Trouble.STATUS, "", "/", 1, status=503, text="later", retry_after=1.0))
    shop(store, "web-0")
    with applying(store, contrail):
        until(lambda: contrail.counters.total() >= 1)
        time.sleep(0.6)
        assert contrail.counters.total() == 1
        until_applied(store)


def test_case_67_one_object_that_hangs_does_not_stall_the_others(
    store: DesiredStore, contrail: ContrailSimulator
) -> None:
    shop(store, *(f"web-{n}" for n in range(12)))
    contrail.faults.add(Fault(Trouble.LATENCY, "POST", "/virtual-machines", 1, seconds=4.0))
    with applying(store, contrail, read_timeout=10.0):
        until(lambda: len(store.observed()) == 11, within=3.5, told=store.unfinished)
        until_applied(store)
    assert len(store.observed()) == 12


def test_a_dead_api_is_probed_and_not_hammered(store: DesiredStore, contrail: ContrailSimulator) -> None:
    contrail.faults.add(Fault(Trouble.DROP_BEFORE, "", "/", None))
    shop(store, *(f"web-{n}" for n in range(50)))
    with applying(store, contrail):
        time.sleep(2.0)
        assert 3 <= contrail.counters.total() <= 30
        assert "dead" not in store.statuses().values()
        assert any("gave no answer" in reason for reason in store.reasons())
        contrail.faults.clear()
        until_applied(store)
    assert len(store.observed()) == 50


def test_an_api_that_comes_back_is_used_at_once(store: DesiredStore, contrail: ContrailSimulator) -> None:
    contrail.stop()
    shop(store, *(f"web-{n}" for n in range(10)))
    with applying(store, contrail):
        until(lambda: any("Connection refused" in reason for reason in store.reasons()))
        contrail.start()
        until_applied(store, within=5.0)


def test_case_71_two_appliers_at_once_make_nothing_twice(store: DesiredStore, contrail: ContrailSimulator) -> None:
    names = [f"web-{n}" for n in range(30)]
    shop(store, *names)
    for namespace in ("red", "green", "blue"):
        put_pods(store, *(pod(namespace, name) for name in names[:10]), namespace=namespace)
    with applying(store, contrail, max_shards=8), applying(store, contrail, max_shards=8):
        until_applied(store)
    made = contrail.counters
    assert made["POST", "virtual-machine"] == contrail.count("virtual-machine") == 60
    assert made["POST", "instance-ip"] == contrail.count("instance-ip") == 60
    assert len({body["address"] for body in store.observed().values()}) == 60


def test_case_71_another_applier_takes_over_within_seconds(store: DesiredStore, contrail: ContrailSimulator) -> None:
    store.put(*BOOTSTRAP)
    with applying(store, contrail) as first:
        until_applied(store)
        with applying(store, contrail):
            first.applier.stop()
            put_pods(store, pod("shop", "web-0"))
            until_applied(store, within=5.0)


def test_case_72_addresses_come_back_last_of_all(store: DesiredStore, contrail: ContrailSimulator) -> None:
    (web,) = shop(store, "web-0")
    with applying(store, contrail):
        until_applied(store)
        contrail.faults.add(Fault(Trouble.STATUS, "POST", "/ref-update", None, status=500, text="hiccup"))
        store.remove(*web.objects)
        until(lambda: (s := store.states().get(web.link.uuid)) and s.status == "failed")
        time.sleep(0.3)
        assert contrail.count("instance-ip") == 1
        contrail.faults.clear()
        until_applied(store)
    assert contrail.count("instance-ip") == 0


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


def test_case_79_pods_wait_for_an_address_and_get_it_when_one_is_freed(
    store: DesiredStore, contrail: ContrailSimulator
) -> None:
    small = ContrailObject(
        **{
            **_fields(IPAM),
            "properties": {
                **IPAM.properties,
                "ipam_subnets": {"subnets": [{"subnet": {"ip_prefix": "10.32.0.0", "ip_prefix_len": 29}}]},
            },
        }
    )
    pods = [pod("shop", f"web-{n}") for n in range(6)]
    store.put(HOME, small, NETWORK)
    put_pods(store, *pods)
    with applying(store, contrail):
        until(lambda: len(store.observed()) == 4)
        waiting = until(lambda: [p for p in pods if store.states()[p.address.uuid].status == "blocked"])
        until(lambda: len([p for p in pods if store.states()[p.address.uuid].status == "blocked"]) == 2)
        assert "has exhausted subnet" in store.states()[waiting[0].address.uuid].reason
        time.sleep(1.0)
        assert "dead" not in store.statuses().values()
        lucky = next(p for p in pods if p.address.uuid in store.observed())
        store.remove(*lucky.objects)
        until(lambda: len(store.observed()) == 4 and lucky.address.uuid not in store.observed())
        store.remove(*next(p for p in pods if p.address.uuid in store.observed()).objects)
        until_applied(store)
    assert len(store.observed()) == 4


def test_case_79_quota_is_waited_for(store: DesiredStore, contrail: ContrailSimulator) -> None:
    shop(store, "web-0")
    page = "<html><body><pre>quota limit (1) exceeded for resource virtual_machine_interface</pre></body></html>"
    contrail.faults.add(Fault(Trouble.STATUS, "POST", "/virtual-machine-interfaces", None, status=412, text=page))
    (web,) = [pod("shop", "web-0")]
    with applying(store, contrail, tries=2):
        until(lambda: store.states()[web.interface.uuid].attempts >= 4)
        state = store.states()[web.interface.uuid]
        assert state.status == "blocked"
        assert state.reason == (
            "Contrail answered 412: quota limit (1) exceeded for resource virtual_machine_interface"
        )
        contrail.faults.clear()
        until_applied(store)


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


def test_an_object_of_somebody_else_is_reported_and_never_touched(
    store: DesiredStore, contrail: ContrailSimulator
) -> None:
    foreign = post(contrail, "project", fq_name=["default-domain", "k8s-shop"], parent_type="domain")
    (web,) = shop(store, "web-0")
    with applying(store, contrail):
        state = until(lambda: (s := store.states()[project("shop").uuid]).status == "failed" and s)
        assert f"uuid {foreign} holds the name, and is not ours" in state.reason
        until(lambda: store.states()[web.interface.uuid].status == "blocked")
        assert contrail.counters["PUT", "project"] == contrail.counters["DELETE", "project"] == 0
        requests.delete(f"{contrail.url}/project/{foreign}", timeout=5)  # a person decides
        until_applied(store)


def test_case_56_lost_wakeups_cost_only_time(store: DesiredStore, contrail: ContrailSimulator) -> None:
    store.put(*BOOTSTRAP)
    with applying(store, contrail, poll_interval=0.3):
        until_applied(store)
        with store.engine.begin() as connection:  # a change that nobody is told of
            connection.execute(text("UPDATE apply_state SET status = 'pending', next_attempt_at = now()"))
        until_applied(store, within=5.0)


def test_case_52_every_database_session_killed_in_the_middle(store: DesiredStore, contrail: ContrailSimulator) -> None:
    pods = shop(store, *(f"web-{n}" for n in range(40)))
    with applying(store, contrail):
        for _ in range(4):
            until(lambda: contrail.counters.total() > 20)
            with store.engine.connect() as connection:
                connection.execute(
                    text(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    )
                )
            time.sleep(0.15)
        until_applied(store)
    assert contrail.count("virtual-machine") == 40
    assert store.observed().keys() == {p.address.uuid for p in pods}


@pytest.mark.parametrize("page", ["<html>Welcome</html>", '{"virtual-machine": 5}', "[]", '{"instance-ips": {}}', ""])
def test_a_server_that_lies_is_not_believed(store: DesiredStore, contrail: ContrailSimulator, page: str) -> None:
    (web,) = shop(store, "web-0")
    contrail.faults.add(Fault(Trouble.STATUS, "POST", "/list-bulk-collection", 2, status=200, text=page))
    contrail.faults.add(Fault(Trouble.STATUS, "GET", "/", 2, status=200, text=page))
    with applying(store, contrail):
        until_applied(store)
    assert store.observed()[web.address.uuid]["address"] == "10.47.255.252"


def test_a_welcome_page_is_no_success(store: DesiredStore, contrail: ContrailSimulator) -> None:
    (web,) = shop(store, "web-0")
    with applying(store, contrail):
        until_applied(store)
        contrail.faults.add(Fault(Trouble.STATUS, "", "/", None, status=200, text="<html>Welcome</html>"))
        store.remove(*web.objects)
        until(lambda: (s := store.states().get(web.link.uuid)) and s.status == "failed")
        contrail.faults.clear()
        until_applied(store)
    assert contrail.count("virtual-machine") == 0


def test_a_server_that_is_no_contrail_deletes_nothing(store: DesiredStore, contrail: ContrailSimulator) -> None:
    (web,) = shop(store, "web-0")
    with applying(store, contrail):
        until_applied(store)
        contrail.faults.add(Fault(Trouble.STATUS, "DELETE", "/", None, status=404, text="<html>nothing here</html>"))
        store.remove(*web.objects)
        until(lambda: (s := store.states().get(web.address.uuid)) and s.attempts >= 2)
        contrail.faults.clear()
        until_applied(store)
    assert contrail.count("virtual-machine") == 0
