"""Services as load-balancer objects: what svc-monitor would make of them, and how they come and go."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from schemas.records import EndpointPort, ServicePort
from tests.translator.contrail import FollowingContrail, foreign_project
from tests.translator.facts import SETTINGS, namespace, pod, uid
from tests.translator.services import HTTP, NAMED, cart, endpoint, endpoints, shop
from tests.translator.states import History, State, check, check_leavers, rows
from tests.translator.test_public_addresses import THERE, balancer

BALANCED = replace(SETTINGS, service_load_balancer="loadbalancer")
DUAL = replace(BALANCED, pod_subnets=("10.32.0.0/12", "fd00:1::/64"), service_subnets=("10.96.0.0/12", "fd00:2::/108"))
MANY = 20


def made(contrail: FollowingContrail) -> dict[str, list[str]]:
    """What svc-monitor makes of a native balancer: by address and mapping ('10.96.20.7 TCP/80=8080'), the pods.

    It keeps one mapping for a protocol and port: a member that listens elsewhere would be sent to the wrong port.
    """
    [found] = contrail.everything("loadbalancer")
    assert found["loadbalancer_provider"] == "native" and "vip_subnet_id" in found["loadbalancer_properties"]
    on = found["virtual_machine_interface_refs"][0]["uuid"]
    addresses = [
        each["instance_ip_address"]
        for each in contrail.everything("instance-ip")
        if on in [ref["uuid"] for ref in each.get("virtual_machine_interface_refs") or ()]
    ]
    assert found["loadbalancer_properties"]["vip_address"] in addresses
    maps, pods = {}, set()
    for each in contrail.everything("loadbalancer-listener"):
        said = each["loadbalancer_listener_properties"]
        [pool] = [x for x in contrail.everything("loadbalancer-pool") if _listens(x, each["uuid"])]
        members = [x for x in contrail.everything("loadbalancer-member") if x["parent_uuid"] == pool["uuid"]]
        ports = {x["loadbalancer_member_properties"]["protocol_port"] for x in members}
        assert len(ports) <= 1, "svc-monitor would send some of the members to another one's port"
        assert (said["protocol"], said["protocol_port"]) not in maps
        maps[said["protocol"], said["protocol_port"]] = next(iter(ports), None)
        for marks in ({a["key"]: a["value"] for a in x["annotations"]["key_value_pair"]} for x in members):
            interface = contrail.read("virtual-machine-interface", marks["vmi"])
            assert interface["virtual_machine_refs"][0]["uuid"] == marks["vm"]
            pods.add(interface["fq_name"][-1].partition("__")[0])
    text = " ".join(f"{protocol}/{port}={to}" for (protocol, port), to in sorted(maps.items()))
    return {f"{address} {text}": sorted(pods) for address in sorted(addresses)}


def _listens(pool: dict[str, Any], listener: str) -> bool:
    return [ref["uuid"] for ref in pool["loadbalancer_listener_refs"]] == [listener]


def following(*states: State, **more: Any) -> tuple[History, FollowingContrail]:
    """A store and the simulated Contrail after these states; nothing must have been refused."""
    history, contrail = History(**{"settings": BALANCED, **more}), FollowingContrail(*THERE)
    for state in states:
        contrail.writes.clear()
        history.become(state)
        contrail.follow(history.backend.store)
    assert history.errors() == []
    return history, contrail


def served(*states: State, **more: Any) -> dict[str, list[str]]:
    """What svc-monitor makes after these states."""
    return made(following(*states, **more)[1])


STATE = (*shop("a", "b", "c"), cart(), endpoints("cart-1", "a", "b", endpoint("c", ready=False, serving=False)))


@pytest.mark.slow
def test_a_cluster_address_leads_to_the_ready_pods() -> None:
    assert served(STATE) == {"10.96.20.7 TCP/80=8080": ["a", "b"]}
    _, contrail = following(STATE)
    assert contrail.everything("floating-ip") == []
    assert contrail.everything("loadbalancer")[0]["uuid"] == uid("Service/shop/cart")
    check(STATE, (*shop("a"), cart(), endpoints("cart-1", "a")), shop("a", "b"), settings=BALANCED)
    check_leavers(STATE, settings=BALANCED, follow=False)


@pytest.mark.slow
def test_case_58_a_slice_before_its_service_and_of_one_that_is_gone() -> None:
    members = (*shop("a"), endpoints("cart-1", "a"))
    check((*members, cart()), members, (*members, cart()), settings=BALANCED)
    assert served(members, (*members, cart())) == {"10.96.20.7 TCP/80=8080": ["a"]}


def test_ports_and_families() -> None:
    ports = (ServicePort(port=53, target_port=5353, name="dns", protocol="UDP"), ServicePort(port=53, name="dns-tcp"))
    both = cart(*ports, cluster_ips=("10.96.20.7", "fd00:2::7"))
    told = (EndpointPort(port=5353, name="dns", protocol="UDP"), EndpointPort(port=53, name="dns-tcp"))
    six = endpoints("cart-6", "a", address_type="IPv6", ports=told)
    state = (*shop("a"), both, endpoints("cart-4", "a", ports=told), six)
    assert served(state, settings=DUAL) == {
        "10.96.20.7 TCP/53=53 UDP/53=5353": ["a"],
        "fd00:2::7 TCP/53=53 UDP/53=5353": ["a"],
    }
    check(state, state[:-1], settings=DUAL, follow=False)


def test_a_port_that_listeners_cannot_have_is_named() -> None:
    sctp = ServicePort(port=3868, name="diameter", protocol="SCTP")
    state = (*shop("a"), cart(HTTP, sctp), endpoints("cart-1", "a"))
    assert served(state) == {"10.96.20.7 TCP/80=8080": ["a"]}
    history, _ = following(state)
    said = "port 3868/SCTP is not served: load-balancer objects know TCP and UDP alone"
    assert history.notices() == {("Service/shop/cart", "PortNotServed"): said}


@pytest.mark.slow
def test_another_target_port_is_another_listener_made_once_the_first_is_gone() -> None:
    """svc-monitor keeps the mapping of a port as long as one member of it is there."""
    members = (*shop("a", "b"), endpoints("cart-1", "a", "b"))
    moved = (*members, cart(ServicePort(port=80, target_port=9090, name="http")))
    assert served((*members, cart()), moved) == {"10.96.20.7 TCP/80=9090": ["a", "b"]}
    _, contrail = following((*members, cart()), moved)
    kinds = [f"{verb} {label.split()[0].removeprefix('loadbalancer-')}" for verb, label in contrail.writes]
    gone = ["delete member", "delete member", "delete pool", "delete listener"]
    assert kinds == [*gone, "create listener", "create pool", "create member", "create member"]
    renamed = (*members, cart(ServicePort(port=80, target_port=8080, name="web")))
    check((*members, cart()), moved, renamed, settings=BALANCED)


@pytest.mark.slow
def test_case_61_of_named_ports_that_differ_per_pod_the_most_shared_one_is_served() -> None:
    pods = shop("old", "new", "newer")
    slices = (endpoints("cart-1", "old", port=8080), endpoints("cart-2", "new", "newer", port=9090))
    assert served((*pods, cart(NAMED), *slices)) == {"10.96.20.7 TCP/80=9090": ["new", "newer"]}
    alone = (*pods, cart(NAMED), slices[0])
    assert served((*pods, cart(NAMED), *slices), alone) == {"10.96.20.7 TCP/80=8080": ["old"]}
    check((*pods, cart(NAMED), *slices), alone, settings=BALANCED, follow=False)
    check_leavers((*pods, cart(NAMED), *slices), settings=BALANCED, follow=False)


def test_case_61_headless_and_external_name_have_no_balancer() -> None:
    members = (*shop("a"), endpoints("cart-1", "a"))
    elsewhere = cart(type="ExternalName", external_name="cart.example.com")
    _, contrail = following((*members, cart()), (*members, elsewhere))
    assert contrail.everything("loadbalancer") == [] == contrail.everything("loadbalancer-member")
    check((*members, cart()), (*members, elsewhere), (*members, cart(headless=True, cluster_ips=())), settings=BALANCED)


def test_one_member_of_many_is_one_write() -> None:
    names = [f"p{number}" for number in range(MANY)]
    less, more = endpoints("cart-1", *names[1:]), endpoints("cart-1", *names)
    _, contrail = following((*shop(*names), cart(), less), (*shop(*names), cart(), more))
    assert [(verb, label.split()[0]) for verb, label in contrail.writes] == [("create", "loadbalancer-member")]


def test_a_pod_that_goes_takes_its_members_before_its_interface() -> None:
    _, contrail = following(STATE, tuple(each for each in STATE if each.name != "a"))
    kinds = [label.split()[0] for verb, label in contrail.writes if verb == "delete"]
    assert kinds.index("loadbalancer-member") < kinds.index("virtual-machine-interface")


def test_isolation_moves_the_balancer_with_its_address() -> None:
    isolated = (namespace(isolation="true"), pod("a"), cart(), endpoints("cart-1", "a"))
    plain = (namespace(), pod("a"), cart(), endpoints("cart-1", "a"))
    assert served(plain, isolated) == {"10.96.20.7 TCP/80=8080": ["a"]}
    check(plain, isolated, settings=BALANCED)


def test_one_project_for_all_namespaces() -> None:
    settings = replace(BALANCED, project="tenants")
    check(STATE, shop("a"), settings=settings, there=(foreign_project("tenants"),))


def test_public_addresses_are_the_same_with_and_without_balancers() -> None:
    """They stay floating-ips of ours, so that nobody's address changes by the setting."""
    state = (*shop("a"), balancer(), endpoints("cart-1", "a"))
    _, contrail = following(state)
    [floating] = contrail.everything("floating-ip")
    _, plain = following(state, settings=SETTINGS)
    assert floating["uuid"] in {each["uuid"] for each in plain.everything("floating-ip")}
    assert len(floating["virtual_machine_interface_refs"]) == 1
    assert floating["floating_ip_port_mappings"]["port_mappings"][0]["dst_port"] == 8080


@pytest.mark.parametrize("settings", [(SETTINGS, BALANCED), (BALANCED, SETTINGS)], ids=["on", "off"])
def test_switching_the_setting_converges(settings: tuple[Any, Any]) -> None:
    before, after = settings
    state = (*shop("a", "b"), balancer(), endpoints("cart-1", "a", "b"))
    history, contrail = following(state, settings=before)
    public = [each for each in contrail.everything("floating-ip") if each["parent_type"] == "floating-ip-pool"]
    contrail.writes.clear()
    history.switch(after)
    contrail.follow(history.backend.store)
    wanted = rows(state, settings=after)
    found = history.dump()
    assert {table: found[table] for table in ("objects", "sources", "edges", "reads")} == {
        table: wanted[table] for table in ("objects", "sources", "edges", "reads")
    }
    _, fresh = following(state, settings=after)
    for kind in ("loadbalancer", "loadbalancer-listener", "loadbalancer-member", "floating-ip", "instance-ip"):
        assert contrail.names(kind) == fresh.names(kind)
    for each in public:
        assert contrail.read("floating-ip", each["uuid"])["floating_ip_address"] == each["floating_ip_address"]
    written = [f"{verb} {label.split()[0]}" for verb, label in contrail.writes if "pod" not in label]
    last = max(number for number, each in enumerate(written) if each == "delete virtual-machine-interface")
    assert written.index("create virtual-machine-interface") > last, "all of the service goes before any of it is made"
