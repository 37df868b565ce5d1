"""Networks of namespaces, apps and annotations: every state by every way, and who reaches whom.

Cases 35, 58 and 59 of the fault list, as far as networks go.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from schemas.contrail.objects import ContrailObject
from schemas.events import ChangeEvent
from tests.translator.contrail import FollowingContrail, Refused, foreign_network, foreign_project
from tests.translator.facts import SETTINGS, controlled, namespace, node, pod, service, workload
from tests.translator.states import History, State, check, check_leavers, rows

APP = "opencontrail.org/name"
NETWORK = "opencontrail.org/network"
BLUE = {"domain": "default-domain", "project": "tenants", "name": "blue"}
TENANTS = (foreign_project("tenants"), foreign_network("default-domain", "tenants", "blue"))
PUBLIC = {"domain": "default-domain", "project": "tenants", "name": "public"}
OUTSIDE = (*TENANTS, foreign_network("default-domain", "tenants", "public", cidr="198.51.100.0/24"))
NODE = node()
OPEN, ISOLATED = namespace(), namespace(isolation="true")
WEB, DB = pod("web"), pod("db", node="")
POD_NETWORK = "default-domain:k8s-default:k8s-default-pod-network"
SERVICE_NETWORK = "default-domain:k8s-default:k8s-default-service-network"
OWN_PODS = "default-domain:k8s-shop:k8s-shop-pod-network"
OWN_SERVICES = "default-domain:k8s-shop:k8s-shop-service-network"
WEB_PODS = "default-domain:k8s-shop:k8s-shop__web-pod-network"
WEB_SERVICES = "default-domain:k8s-shop:k8s-shop__web-service-network"
FABRIC = "default-domain:default-project:ip-fabric"


def objects(state: State, **more: Any) -> dict[str, ContrailObject]:
    """What a state comes to, by type and joined name."""
    found = rows(state, **more)["objects"]
    return {
        f"{type_} {name}": ContrailObject.from_body(type_, name, uuid, body)
        for uuid, (type_, name, _, _, body, _) in found.items()
        if type_ != "link"
    }


def network_of(state: State, name: str, **more: Any) -> str:
    """Joined name of the network of the pod's interface and of all its addresses."""
    networks = set()
    for each in objects(state, **more).values():
        if each.type in ("virtual-machine-interface", "instance-ip") and each.fq_name[-1].startswith(f"{name}__"):
            networks |= {":".join(ref.fq_name) for ref in each.references if ref.type == "virtual-network"}
    (network,) = networks
    return network


def reached(contrail: FollowingContrail, start: str) -> set[str]:
    """Networks whose members the members of this one reach: itself, and where a rule of a policy on both leads."""
    on = {name: set(policies) for name, policies in _policies(contrail)}
    rules = dict(_rules(contrail))
    met = {start}
    for policy in on[start]:
        for source, target in rules[policy]:
            for one, other in ((source, target), (target, source)):
                ends = (_networks(one, on), _networks(other, on))
                if start in ends[0]:
                    met |= {name for name in ends[1] if policy in on[name]}
    return met


def _policies(contrail: FollowingContrail) -> Iterator[tuple[str, list[str]]]:
    for each in contrail.everything("virtual-network"):
        refs = each.get("network_policy_refs", [])
        yield ":".join(each["fq_name"]), [":".join(ref["to"]) for ref in refs]


def _rules(contrail: FollowingContrail) -> Iterator[tuple[str, list[tuple[Any, Any]]]]:
    for each in contrail.everything("network-policy"):
        rules = each["network_policy_entries"]["policy_rule"]
        assert all(rule["direction"] == "<>" and rule["action_list"]["simple_action"] == "pass" for rule in rules)
        ends = [(rule["src_addresses"][0], rule["dst_addresses"][0]) for rule in rules]
        yield ":".join(each["fq_name"]), ends


def _networks(end: dict[str, str], on: dict[str, set[str]]) -> set[str]:
    """Networks that an end of a rule means."""
    if policy := end.get("network_policy"):
        return {name for name, policies in on.items() if policy in policies}
    return {end["virtual_network"]}


def following(state: State, **more: Any) -> FollowingContrail:
    """A Contrail that has followed the state."""
    there = more.pop("there", ())
    history, contrail = History(**more), FollowingContrail(*there)
    history.become(state)
    contrail.follow(history.backend.store)
    return contrail


def custom(name: dict[str, str], **more: str) -> dict[str, str]:
    """Annotations that name a network."""
    return {NETWORK: json.dumps(name), **{f"opencontrail.org/{key}": value for key, value in more.items()}}


# Isolation of namespaces.


def test_isolation_is_switched_on_and_off_by_every_way() -> None:
    other = (namespace("other"), pod("x", namespace="other"))
    check((NODE, OPEN, WEB, DB, *other), (NODE, ISOLATED, WEB, DB, *other), (NODE, OPEN, WEB, *other))
    check_leavers((NODE, ISOLATED, WEB, DB))


def test_pods_move_with_interface_and_address_when_isolation_is_switched() -> None:
    before, after = (NODE, OPEN, WEB), (NODE, ISOLATED, WEB)
    assert network_of(before, "web") == POD_NETWORK
    assert network_of(after, "web") == OWN_PODS
    parts = [{uuid for uuid, row in rows(state)["objects"].items() if "web__" in row[1]} for state in (before, after)]
    assert len(parts[0]) == len(parts[1]) == 2 and not parts[0] & parts[1]
    history = History()
    history.become(before)
    changed = history.changes(lambda: history.become(after))
    moved = [each for each in changed if each[1] in ("virtual-machine-interface", "instance-ip")]
    assert sorted(moved) == [
        ("create", "instance-ip"),
        ("create", "virtual-machine-interface"),
        ("delete", "instance-ip"),
        ("delete", "virtual-machine-interface"),
    ]
    assert not [each for each in changed if each[1] in ("virtual-machine", "link", "project", "security-group")]


def test_pods_inside_reach_each_other_others_do_not_reach_in_and_services_of_others_are_reached() -> None:
    third = namespace("third", isolation="true")
    contrail = following((NODE, ISOLATED, WEB, DB, namespace("other"), pod("x", namespace="other"), third))
    assert reached(contrail, OWN_PODS) == {OWN_PODS, OWN_SERVICES, SERVICE_NETWORK, FABRIC}
    assert reached(contrail, POD_NETWORK) == {POD_NETWORK, SERVICE_NETWORK, FABRIC}
    assert OWN_PODS not in reached(contrail, "default-domain:k8s-third:k8s-third-pod-network")
    assert OWN_SERVICES not in reached(contrail, "default-domain:k8s-third:k8s-third-pod-network")


@pytest.mark.parametrize("value", ["true", "True", " TRUE "])
def test_isolation_is_read_in_any_case(value: str) -> None:
    assert network_of((namespace(isolation=value), WEB), "web") == OWN_PODS


@pytest.mark.parametrize("value", ["false", "False"])
def test_isolation_switched_off_is_none(value: str) -> None:
    assert rows((namespace(isolation=value), WEB))["objects"] == rows((OPEN, WEB))["objects"]


def test_the_networks_of_namespace_default_are_the_clusters_whether_it_is_isolated_or_not() -> None:
    inside = pod("a", namespace="default")
    isolated, not_isolated = (namespace("default", isolation="true"), inside), (namespace("default"), inside)
    assert rows(isolated)["objects"] == rows(not_isolated)["objects"]


# Apps.


def test_an_app_comes_and_goes_with_its_users_by_every_way() -> None:
    one, two = pod("web", labels={APP: "web"}), pod("two", labels={APP: "web"})
    check((NODE, OPEN, one, two, DB), (NODE, OPEN, two, DB), (NODE, OPEN, DB), (NODE, ISOLATED, one, DB))
    check_leavers((ISOLATED, one, two))


def test_an_app_reaches_itself_its_services_the_default_services_and_the_nodes() -> None:
    other = pod("db", labels={APP: "db"})
    contrail = following((NODE, OPEN, pod("web", labels={APP: "web"}), other))
    assert reached(contrail, WEB_PODS) == {WEB_PODS, WEB_SERVICES, SERVICE_NETWORK, FABRIC}
    assert WEB_PODS not in reached(contrail, POD_NETWORK) | reached(
        contrail, "default-domain:k8s-shop:k8s-shop__db-pod-network"
    )


def _chains() -> Iterator[tuple[str, State]]:
    for kind in ("ReplicaSet", "StatefulSet", "DaemonSet", "Job", "ReplicationController"):
        yield kind, (workload(kind, "web", "web"),)
    deployment = workload("Deployment", "web", "web")
    yield "Deployment", (workload("ReplicaSet", "web-5d9c", None, controlled(deployment)), deployment)


@pytest.mark.parametrize("chain", [state for _, state in _chains()], ids=[kind for kind, _ in _chains()])
def test_a_pod_has_the_app_of_its_controllers(chain: State) -> None:
    web = pod("web", owners=(controlled(chain[0]),))
    assert network_of((OPEN, web, *chain), "web") == WEB_PODS
    assert network_of((OPEN, web), "web") == POD_NETWORK
    check((OPEN, web, *chain), (OPEN, web), (*chain, web))


def test_the_label_of_the_pod_counts_before_those_of_its_controllers_and_an_empty_one_is_none() -> None:
    deployment = workload("Deployment", "web", "far")
    owner = workload("ReplicaSet", "web", "near", controlled(deployment))
    for labels, wanted in (({APP: "web"}, WEB_PODS), ({APP: ""}, POD_NETWORK)):
        web = pod("web", owners=(controlled(owner),), labels=labels)
        assert network_of((OPEN, web, owner, deployment), "web") == wanted
    near = network_of((OPEN, pod("web", owners=(controlled(owner),)), owner, deployment), "web")
    assert near == WEB_PODS.replace("__web", "__near")


def test_a_controller_of_the_same_name_and_another_uid_is_not_the_pods() -> None:
    owner, successor = workload("ReplicaSet", "web", "web", of="1"), workload("ReplicaSet", "web", "web", of="2")
    web = pod("web", owners=(controlled(owner),))
    assert network_of((OPEN, web, successor), "web") == POD_NETWORK
    check((OPEN, web, owner), (OPEN, web, successor))


def test_controllers_that_control_each_other_end_somewhere() -> None:
    one = workload("ReplicaSet", "one", None)
    two = workload("Deployment", "two", None, controlled(one))
    one = workload("ReplicaSet", "one", None, controlled(two))
    assert network_of((OPEN, pod("web", owners=(controlled(one),)), one, two), "web") == POD_NETWORK


def test_an_app_and_a_namespace_whose_names_read_alike_do_not_meet() -> None:
    """With all namespaces in one project, too."""
    settings = msgspec.structs.replace(SETTINGS, project="tenants")
    state = (OPEN, pod("web", labels={APP: "web"}), namespace("shop-web", isolation="true"))
    check(state, settings=settings, there=TENANTS)


# Networks that annotations name.


def test_a_named_network_comes_and_goes_by_every_way() -> None:
    named, plain = pod("web", annotations=custom(BLUE)), pod("web")
    check((NODE, OPEN, named), (NODE, OPEN, plain), there=TENANTS)
    whole = namespace(network=json.dumps(BLUE), network__connect="true", isolation="true")
    check((NODE, whole, plain, DB), (NODE, ISOLATED, plain, DB), (NODE, whole, DB), there=TENANTS)


@pytest.mark.parametrize("text", [json.dumps(BLUE), str(BLUE), f"  {BLUE} "], ids=["json", "quotes", "spaces"])
def test_both_ways_of_writing_a_network_are_read(text: str) -> None:
    assert network_of((OPEN, pod("web", annotations={NETWORK: text})), "web") == "default-domain:tenants:blue"


@pytest.mark.parametrize("connected", [False, True])
def test_a_named_network_is_connected_only_if_asked_for(connected: bool) -> None:
    more = {"network-connect": "true"} if connected else {}
    web = pod("web", annotations=custom(BLUE, **more))
    contrail = following((NODE, ISOLATED, web), there=TENANTS)
    blue = "default-domain:tenants:blue"
    assert reached(contrail, blue) == ({blue, SERVICE_NETWORK, OWN_SERVICES, FABRIC} if connected else {blue})


def test_a_network_that_pods_of_several_namespaces_have_connected_is_nobodys_alone() -> None:
    connected = custom(BLUE, **{"network-connect": "true"})
    first, second = (namespace("a"), pod("x", namespace="a", annotations=connected)), (ISOLATED, WEB)
    wide = namespace(network=json.dumps(BLUE), network__connect="true", isolation="true")
    check((NODE, *first, wide, WEB), (NODE, *first, *second), (NODE, wide, WEB), there=TENANTS)
    links = [row for row in rows((wide, *first, WEB))["objects"].values() if row[1].startswith("virtual-network:")]
    homes = sorted(row[2] for row in links if ":blue:" in row[1])
    assert homes == ["", "", "shop"]  # to the nodes, to the default services, and to those of the isolated namespace


def test_a_network_of_ours_is_not_connected_a_second_time_by_naming_it() -> None:
    domain, project, name = OWN_PODS.split(":")
    own = {"domain": domain, "project": project, "name": name}
    other = namespace("other"), pod("x", namespace="other", annotations=custom(own, **{"network-connect": "true"}))
    # By name only: the order in which network and pod go is left to Contrail's refusals.
    check((NODE, ISOLATED, *other), (NODE, ISOLATED), follow=False)
    history, contrail = History(), FollowingContrail()
    for state in ((NODE, ISOLATED), (NODE, ISOLATED, *other)):
        history.become(state)
        contrail.follow(history.backend.store)
    assert reached(contrail, OWN_PODS) == {OWN_PODS, OWN_SERVICES, SERVICE_NETWORK, FABRIC}
    assert network_of((NODE, ISOLATED, *other), "x") == OWN_PODS


def test_a_named_network_may_say_its_address_families() -> None:
    settings = msgspec.structs.replace(SETTINGS, pod_subnets=("10.32.0.0/12", "fd00:32::/64"))
    for families, count in (({}, 2), ({"families": "v4"}, 1), ({"families": "v6,v4"}, 2)):
        web = pod("web", annotations=custom({**BLUE, **families}))
        made = objects((OPEN, web), settings=settings).values()
        assert sum(each.type == "instance-ip" for each in made) == count


def test_the_nearest_says_which_network() -> None:
    """Pod, namespace, app, isolation, cluster: with each one that is taken away the next one counts."""
    label = {APP: "web"}
    spaces = {
        (True, True): namespace(network=json.dumps(PUBLIC), isolation="true"),
        (False, True): ISOLATED,
        (False, False): OPEN,
    }
    wanted = [
        (spaces[True, True], pod("web", labels=label, annotations=custom(BLUE)), "default-domain:tenants:blue"),
        (spaces[True, True], pod("web", labels=label), "default-domain:tenants:public"),
        (spaces[False, True], pod("web", labels=label), WEB_PODS),
        (spaces[False, True], pod("web"), OWN_PODS),
        (spaces[False, False], pod("web"), POD_NETWORK),
    ]
    for space, web, network in wanted:
        assert network_of((space, web), "web") == network
    check(*((NODE, space, web) for space, web, _ in wanted), there=OUTSIDE)


# Ways out.


def test_snat_is_switched_on_and_off_without_moving_a_pod() -> None:
    translated = namespace(isolation="true", ip_fabric_snat="true")
    check((NODE, ISOLATED, WEB), (NODE, translated, WEB))
    history = History()
    history.become((NODE, ISOLATED, WEB))
    changed = history.changes(lambda: history.become((NODE, translated, WEB)))
    assert changed == [("update", "virtual-network")]


def test_namespace_default_says_how_pods_of_the_cluster_leave() -> None:
    inside = pod("a", namespace="default")
    plain, translated = namespace("default"), namespace("default", ip_fabric_snat="true")
    check((NODE, plain, inside), (NODE, translated, inside), (NODE, OPEN, WEB))
    default = objects((translated,))[f"virtual-network {POD_NETWORK}"]
    assert default.properties["fabric_snat"] is True


@pytest.mark.parametrize(
    ("cluster", "space", "wanted"), [(True, None, True), (True, "false", False), (False, "true", True)]
)
def test_a_namespace_may_want_it_otherwise_than_the_cluster(cluster: bool, space: str | None, wanted: bool) -> None:
    settings = msgspec.structs.replace(SETTINGS, ip_fabric_forwarding=cluster)
    home = ISOLATED if space is None else namespace(isolation="true", ip_fabric_forwarding=space)
    made = objects((home, pod("web", labels={APP: "web"})), settings=settings)
    for name in (OWN_PODS, WEB_PODS):
        ipams = [ref.fq_name[-1] for ref in made[f"virtual-network {name}"].references if ref.type == "network-ipam"]
        assert ipams == (["k8s-ip-fabric-ipam"] if wanted else ["k8s-pod-ipam"])


def test_forwarding_is_taken_by_contrail() -> None:
    forwards = namespace(isolation="true", ip_fabric_forwarding="true")
    check((NODE, forwards, WEB), (NODE, OPEN, WEB))


def test_forwarding_is_not_switched_under_running_pods() -> None:
    """Contrail keeps the addresses that are in use; the network follows when the last of them is gone."""
    history, contrail = History(), FollowingContrail()
    history.become((NODE, ISOLATED, WEB))
    contrail.follow(history.backend.store)
    forwards = namespace(isolation="true", ip_fabric_forwarding="true")
    history.become((NODE, forwards, WEB))
    with pytest.raises(Refused, match="is in use"):
        contrail.follow(history.backend.store)
    history.become((NODE, forwards))
    contrail.follow(history.backend.store)


def test_a_router_to_an_external_network_comes_and_goes() -> None:
    joined = namespace(isolation="true", external__network=json.dumps(PUBLIC))
    check((NODE, ISOLATED, WEB), (NODE, joined, WEB), (NODE, OPEN, WEB), there=OUTSIDE)
    check((namespace("default", external__network=json.dumps(PUBLIC)),), (namespace("default"),), there=OUTSIDE)


# Several clusters, one project.


def test_two_clusters_share_one_contrail() -> None:
    contrail = FollowingContrail()
    state = (NODE, ISOLATED, WEB, pod("db", labels={APP: "db"}), namespace("default"))
    for cluster in ("k8s", "second"):
        subnets = {"pod_subnets": ("10.80.0.0/12",), "service_subnets": ("10.112.0.0/12",)} if cluster != "k8s" else {}
        history = History(msgspec.structs.replace(SETTINGS, cluster=cluster, **subnets))
        other = tuple(msgspec.structs.replace(e, uid=e.uid.replace("-5", "-4", 1)) for e in state)
        history.become(other if cluster == "second" else state)
        contrail.follow(history.backend.store)
    assert {f"default-domain:{cluster}-shop" for cluster in ("k8s", "second")} <= contrail.names("project")


def test_all_namespaces_may_be_in_one_project_that_is_not_ours() -> None:
    settings = msgspec.structs.replace(SETTINGS, project="tenants")
    app = pod("app", labels={APP: "web"})
    check((NODE, OPEN, WEB, app), (NODE, ISOLATED, WEB, app, namespace("default")), settings=settings, there=TENANTS)
    made = objects((NODE, ISOLATED, WEB, app, namespace("default")), settings=settings).values()
    assert not [each for each in made if each.type == "project"]


# The fault list.


def test_case_35_a_namespace_goes_before_its_pods_and_comes_again_under_another_uid() -> None:
    first, second = (namespace(isolation="true", of=number) for number in ("one", "two"))
    check((NODE, first, WEB, DB), (NODE, WEB, DB), (NODE, second, DB), (NODE, second))


def test_case_58_what_is_not_known_yet_converges_when_it_comes() -> None:
    deployment = workload("Deployment", "web", "web")
    replicas = workload("ReplicaSet", "web-1", None, controlled(deployment))
    parts: tuple[ChangeEvent, ...] = (ISOLATED, replicas, deployment, pod("web", owners=(controlled(replicas),)))
    complete = rows(parts)
    for order in itertools.permutations(parts):
        history = History()
        history.become(order)
        assert history.dump() == complete
    check_leavers(parts)


def test_case_59_deleting_everything_leaves_the_bootstrap_objects() -> None:
    everything = (NODE, ISOLATED, WEB, pod("app", labels={APP: "web"}), pod("named", annotations=custom(BLUE)))
    history, contrail = History(), FollowingContrail(*TENANTS)
    contrail.follow(history.backend.store)
    bootstrap, live = history.dump(), {type_: contrail.names(type_) for type_ in ("virtual-network", "network-policy")}
    history.become((*everything, service("s")))
    contrail.follow(history.backend.store)
    history.become(())
    contrail.follow(history.backend.store)
    assert history.dump() == bootstrap
    assert live == {type_: contrail.names(type_) for type_ in live}


# What a change costs.


def test_a_label_of_a_namespace_writes_nothing_of_its_pods() -> None:
    pods = [pod(f"p{number}") for number in range(20)]
    history = History()
    history.become((NODE, ISOLATED, *pods))
    labelled = namespace(isolation="true", labels={"team": "retail"})
    changes = history.changes(lambda: history.become((NODE, labelled, *pods)))
    assert sorted(changes) == [("create", "tag"), ("update", "project")]


def test_case_62_what_translates_to_the_same_writes_nothing() -> None:
    """An annotation in another case, labels that are no tags, a phase, an owner that says nothing."""
    owner = workload("ReplicaSet", "web", None)
    before = (NODE, ISOLATED, owner, pod("web", labels={APP: "web"}), DB)
    after = (
        NODE,
        namespace(isolation="TRUE", ip_fabric_snat="False"),
        workload("ReplicaSet", "web", "elsewhere"),
        pod("web", labels={APP: "web", "pod-template-hash": "5d9c"}, phase="Running", owners=(controlled(owner),)),
        pod("db", node="", annotations={"opencontrail.org/network-connect": "false"}),
    )
    history = History()
    history.become(before)
    assert history.changes(lambda: history.become(after)) == []
    assert history.dump()["objects"] == rows(before)["objects"]


@pytest.mark.parametrize("space", [OPEN, ISOLATED], ids=["open", "isolated"])
@pytest.mark.parametrize("labels", [{}, {APP: "web"}], ids=["plain", "app"])
def test_one_pod_more_is_four_writes_and_one_address_to_read(space: ChangeEvent, labels: dict[str, str]) -> None:
    history, contrail = History(), FollowingContrail()
    before = (NODE, space, pod("first", labels={APP: "web"}))
    history.become(before)
    contrail.follow(history.backend.store)
    contrail.writes.clear()
    history.become((*before, pod("second", labels=labels)))
    contrail.follow(history.backend.store)
    assert sorted(verb for verb, _ in contrail.writes) == ["create", "create", "create", "link"]
