"""Pods that end or go without a word, and addresses that two of them show: cases 29 to 31, 33, 34 and 36."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.events import ChangeEvent
from tests.translator.contrail import FollowingContrail
from tests.translator.facts import SETTINGS, begin, end, gone, namespace, node, pod, uid
from tests.translator.rows import MemoryBackend
from tests.translator.services import cart, endpoint, endpoints
from tests.translator.states import History, State, check, rows
from tests.translator.world import World
from translator.translate import names

NODE, SHOP, ADDRESS = node(), namespace(), "10.32.0.7"
SHOWN: dict[str, Any] = {"pod_ips": (ADDRESS,), "phase": "Running", "ready": True}


def asking(name: str, **fields: Any) -> ChangeEvent:
    """A pod that wants ADDRESS."""
    return pod(name, annotations={"opencontrail.org/ips": ADDRESS}, **fields)


def holders(contrail: FollowingContrail) -> list[tuple[str, str]]:
    """(address, pod) of every instance-ip."""
    found = contrail.everything("instance-ip")
    return sorted((each["instance_ip_address"], each["fq_name"][-1].split("__")[0]) for each in found)


def members(contrail: FollowingContrail) -> list[str]:
    """Pods behind the floating-ips."""
    refs = [
        ref for each in contrail.everything("floating-ip") for ref in each.get("virtual_machine_interface_refs") or ()
    ]
    return sorted(ref["to"][-1].split("__")[0] for ref in refs)


def test_case_27_a_successor_that_cannot_be_translated_keeps_nothing_of_its_predecessor() -> None:
    """Whether it shares a batch with the delete, or that was never told: what worked before was another pod's."""
    good = asking("web", of="1")
    bad = pod("web", 3, of="2", annotations={"opencontrail.org/ips": "192.0.2.7"})
    blind = cart(cluster_ips=("192.0.2.9",))
    for told in ([gone("web", 2, of="1"), bad], [bad]):
        for squashed in (True, False):
            backend = MemoryBackend()
            world = World(backend.store, with_settings=True)
            world.tell(NODE, SHOP, good, replace(cart(), uid=uid("earlier")))
            later = [*told, replace(blind, resource_version="2")]
            world.tell(*later) if squashed else world.tell_each(later)
            kinds = {row.type for row in backend.store.tables.objects.values() if not row.absent}
            assert kinds.isdisjoint({"virtual-machine", "virtual-machine-interface", "instance-ip"})
            assert len([each for each in backend.store.tables.letters.values() if not each.resolved]) == 2


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_case_29_the_address_of_a_pod_that_ended_belongs_to_the_one_that_runs(phase: str) -> None:
    """In the service's group, too, whose slice may still name the ended one, by the same address."""
    job, ended = (
        asking("job", labels={"app": "job"}),
        asking("job", labels={"app": "job"}, phase=phase, pod_ips=(ADDRESS,)),
    )
    web = asking("web", labels={"app": "web"}, **SHOWN)
    group = (cart(), endpoints("cart-1", endpoint("job", addresses=(ADDRESS,)), endpoint("web", addresses=(ADDRESS,))))
    check((NODE, SHOP, job), (NODE, SHOP, ended), (NODE, SHOP, ended, web, *group), (NODE, SHOP, web, *group))
    history, contrail = History(), FollowingContrail()
    for state in ((NODE, SHOP, job), (NODE, SHOP, ended), (NODE, SHOP, ended, web, *group)):
        history.become(state)
        contrail.follow(history.backend.store)
    assert [each for each in holders(contrail) if each[0] == ADDRESS] == [(ADDRESS, "web")]
    assert members(contrail) == ["web"]


def test_case_30_completed_pods_of_a_listing_are_nothing_and_go_as_nothing() -> None:
    """At a start, and at every listing after it."""
    completed, running = asking("job", phase="Succeeded", pod_ips=(ADDRESS,)), asking("web", **SHOWN)
    state: State = (NODE, SHOP, completed, running)
    check(state, (NODE, SHOP, running), (NODE, SHOP, completed))
    history, contrail = History(), FollowingContrail()
    history.become(state, squashed=True)
    history.become(state)
    contrail.follow(history.backend.store)
    assert [label.split(" ")[0] for verb, label in contrail.writes if verb == "create"].count("instance-ip") == 1
    assert history.changes(lambda: history.become((NODE, SHOP, running))) == []
    assert holders(contrail) == [(ADDRESS, "web")]


def test_case_31_two_pods_with_one_address_are_two_members_and_one_stays() -> None:
    """A node starts again: for a while its pods and their successors show the same address."""
    both = tuple(pod(name, **SHOWN) for name in ("old", "new"))
    named = [endpoint(name, addresses=(ADDRESS,)) for name in ("old", "new")]
    state = (NODE, SHOP, *both, cart(), endpoints("cart-1", *named))
    after = (NODE, SHOP, both[1], cart(), endpoints("cart-1", named[1]))
    check(state, after, (NODE, SHOP, both[1], cart(), endpoints("cart-1", *named)))
    history, contrail = History(), FollowingContrail()
    history.become(state)
    contrail.follow(history.backend.store)
    assert members(contrail) == ["new", "old"]
    history.become(after)
    contrail.follow(history.backend.store)
    assert members(contrail) == ["new"]


def test_case_31_also_where_the_slice_names_no_uids() -> None:
    """Then the address tells who is meant, beside the name."""
    both = tuple(pod(name, **SHOWN) for name in ("old", "new"))
    named = [endpoint(name, pod_uid="", addresses=(ADDRESS,)) for name in ("old", "new")]
    state = (NODE, SHOP, *both, cart(), endpoints("cart-1", *named))
    check(state, (NODE, SHOP, both[1], cart(), endpoints("cart-1", named[1])))


def test_case_33_a_pod_without_node_or_address_has_no_port_on_any_node() -> None:
    contrail = _following((NODE, SHOP, pod("web", node=""), pod("late", phase="Pending", pod_ips=())))
    routed = [
        ref["uuid"] for each in contrail.everything("virtual-router") for ref in each.get("virtual_machine_refs") or ()
    ]
    assert routed == [uid("Pod/shop/late")]
    for nothing in (pod("web", host_network=True, **SHOWN), asking("web", phase="Failed")):
        assert rows((NODE, SHOP, nothing))["objects"] == rows((NODE, SHOP))["objects"]


def test_case_34_labels_that_change_in_place_leave_machine_interface_and_address_what_they_are() -> None:
    """Of a pod that nobody owns, as of any other; keys with '/' and '.', values with all that Kubernetes allows."""
    plain, labelled = pod("web"), pod("web", labels={"example.org/tier": "a_b.C-9", "app.kubernetes.io/name": "web"})
    check((NODE, SHOP, plain), (NODE, SHOP, labelled))
    lasting = ("virtual-machine", "virtual-machine-interface", "instance-ip", "link")
    first, second = (
        {uuid for uuid, row in rows((NODE, SHOP, each))["objects"].items() if row[0] in lasting}
        for each in (plain, labelled)
    )
    assert first == second
    history = History()
    history.become((NODE, SHOP, plain))
    written = [each for each in history.changes(lambda: history.become((NODE, SHOP, labelled))) if each[1] in lasting]
    assert written == [("update", "virtual-machine-interface")]


NAMESPACES = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
NAMES = st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,30}[a-z0-9])?", fullmatch=True)


@given(st.lists(st.tuples(NAMESPACES, NAMES), min_size=2, max_size=2, unique=True))
def test_case_34_names_in_contrail_are_reversible_and_so_never_meet(pods: list[tuple[str, str]]) -> None:
    """No name of Kubernetes' holds what joins them."""
    made = [names.machine_name(SETTINGS, space, name)[0] for space, name in pods]
    assert [tuple(each.split("__")[1:]) for each in made] == pods
    assert len(set(made)) == 2
    interfaces = [
        names.pod_interface(SETTINGS, space, name, uid(f"{space}/{name}"), names.default_pod_network(SETTINGS))
        for space, name in pods
    ]
    assert [each.fq_name[-1].rpartition("__")[0] for each in interfaces] == [name for _, name in pods]
    assert len({each.uuid for each in interfaces}) == 2


def test_case_36_a_pod_that_goes_without_a_word_leaves_nothing() -> None:
    """Its finalizer was stripped, or it went while nobody looked: a delete out of nothing, one of a stranger, none."""
    backend = MemoryBackend()
    world = World(backend.store, with_settings=True)
    world.tell(SHOP, NODE)
    before = backend.dump()["objects"]
    for event in (gone("never"), gone("never", 3), pod("web", 4), gone("web", 5), gone("web", 6), gone("web", 7)):
        world.tell(event)
    assert alive(backend) == {uuid for uuid, row in before.items() if not row[7]}
    assert not backend.store.tables.letters
    # One that no delete is ever told of: the next listing lacks it.
    world.tell(pod("web", 8))
    assert alive(backend) > {uuid for uuid, row in before.items() if not row[7]}
    for partition in range(4):
        world.tell(begin("Pod", 2, partition), end("Pod", 2, partition))
    assert alive(backend) == {uuid for uuid, row in before.items() if not row[7]}
    assert not backend.store.tables.letters


def alive(backend: MemoryBackend) -> set[str]:
    """Objects that shall be."""
    return {uuid for uuid, row in backend.dump()["objects"].items() if not row[7]}


def _following(state: State) -> FollowingContrail:
    history, contrail = History(), FollowingContrail()
    history.become(state)
    assert history.errors() == []
    contrail.follow(history.backend.store)
    return contrail
