"""Ingresses: what every way to a state gives, what Contrail holds then, and where its proxies would send requests."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from msgspec.structs import replace

from schemas.contrail.objects import ContrailObject
from schemas.errors import TranslationError
from schemas.records import IngressBackend, IngressTls, ServicePort
from tests.translator.contrail import FollowingContrail, foreign_network, foreign_project
from tests.translator.facts import SETTINGS, namespace, service, uid
from tests.translator.ingresses import CART, ingress, ingress_class, path, rule
from tests.translator.proxies import Frontend, frontends
from tests.translator.services import HTTP, SELECTOR, cart
from tests.translator.states import History, State, check, check_leavers
from translator.translate.registry import require_well_formed

WEB = ServicePort(port=8000, target_port=80, name="web")
TILL = service("till", cluster_ips=("10.96.20.8",), ports=(WEB,), selector=SELECTOR)
SHOP = (namespace(), cart(), TILL)
FRONT = ingress("front", rule("shop.example", path("/"), path("/till", "till", port_name="web")))
CART_AT, TILL_AT = ("10.96.20.7:80",), ("10.96.20.8:8000",)
POOL = '{"domain": "default-domain", "project": "admin", "network": "public", "name": "pool"}'
FIP_POOL = "opencontrail.org/fip-pool"
KINDS = ("loadbalancer", "loadbalancer-listener", "loadbalancer-pool", "loadbalancer-member")
THERE = (
    foreign_project("admin"),
    foreign_network("default-domain", "admin", "public", cidr="203.0.113.0/24"),
    (
        ContrailObject(
            "floating-ip-pool",
            ("default-domain", "admin", "public", "pool"),
            "0b6c6b5e-0000-4000-8000-000000000001",
            "virtual-network",
        ),
    ),
)


def following(*states: State, **more: Any) -> tuple[History, FollowingContrail]:
    """A store and the simulated Contrail after these states."""
    history, contrail = History(**more), FollowingContrail(*THERE)
    for state in states:
        history.become(state)
        contrail.follow(history.backend.store)
    return history, contrail


def served(*states: State, **more: Any) -> dict[int, Frontend]:
    """By port, what the proxies do after these states; nothing must have been refused."""
    history, contrail = following(*states, **more)
    assert history.errors() == []
    return frontends(*(contrail.everything(kind) for kind in KINDS[1:]))


def steps(*states: State) -> list[list[tuple[str, str]]]:
    """Calls that each state after the first costs: (verb, type)."""
    history, contrail = History(), FollowingContrail(*THERE)
    result = []
    for state in states:
        contrail.writes.clear()
        history.become(state)
        contrail.follow(history.backend.store)
        result.append([(verb, label.split()[0]) for verb, label in contrail.writes])
    return result[1:]


@pytest.mark.slow
def test_requests_go_to_the_cluster_addresses_of_the_services() -> None:
    state = (*SHOP, FRONT)
    [(port, front)] = served(state).items()
    assert (port, front.protocol, front.certificates) == (80, "HTTP", ())
    assert front.backend("shop.example", "/") == front.backend("SHOP.example:80", "/a") == CART_AT
    assert front.backend("shop.example", "/till/1") == TILL_AT
    assert front.backend("other.example", "/") is None
    check(state, (*SHOP, ingress("front", rule("", path("/")))), SHOP)
    check_leavers(state, follow=False)


def test_the_balancer_is_what_svc_monitor_wants_to_see() -> None:
    _, contrail = following((*SHOP, FRONT))
    [balancer] = contrail.everything("loadbalancer")
    assert balancer["uuid"] == uid("Ingress/shop/front")
    assert balancer["loadbalancer_provider"] == "opencontrail"
    assert balancer["loadbalancer_properties"].keys() >= {"vip_address", "vip_subnet_id"}
    interface = contrail.read("virtual-machine-interface", balancer["virtual_machine_interface_refs"][0]["uuid"])
    assert interface["virtual_machine_interface_device_owner"] == "K8S:LOADBALANCER"
    [address] = contrail.everything("instance-ip")[-1:]
    found = [each for each in contrail.everything("instance-ip") if each["fq_name"][0].startswith("front__")]
    assert [ref["uuid"] for each in found for ref in each["virtual_machine_interface_refs"]] == [interface["uuid"]]
    assert found[0]["instance_ip_address"].startswith("10.47.") and address
    assert interface["virtual_network_refs"][0]["to"][-1] == "k8s-default-pod-network"


@pytest.mark.slow
def test_case_58_ingress_and_services_come_in_any_order_and_go() -> None:
    state = (namespace(), cart(), TILL, FRONT)
    wanted = served(state)[80]
    for order in permutations(state):
        history = History()
        history.become(order)
        contrail = FollowingContrail()
        contrail.follow(history.backend.store)
        found = frontends(*(contrail.everything(kind) for kind in KINDS[1:]))[80]
        assert {p.uuid: p for p in found.pools} == {p.uuid: p for p in wanted.pools}
    without = served((namespace(), TILL, FRONT))[80]
    assert without.backend("shop.example", "/") == () and without.backend("shop.example", "/till") == TILL_AT
    check((*SHOP, FRONT), (namespace(), FRONT), (namespace(), cart(), FRONT))


def test_a_service_that_changes_is_one_write() -> None:
    moved, renumbered = cart(cluster_ips=("10.96.20.9",)), cart(ServicePort(port=81, target_port=8080, name="http"))
    named = ingress("front", rule("", path("/", port_name="http")))
    rest = (namespace(), named)
    found = steps((*rest, cart()), (*rest, moved), (*rest, renumbered))
    assert ("update", "loadbalancer-member") in found[0] and ("update", "loadbalancer-member") in found[1]
    assert not [step for each in found for step in each if step[1] in KINDS[:3]]
    assert served((*rest, renumbered))[80].backend("any", "/") == ("10.96.20.7:81",)
    check((*rest, cart()), (*rest, moved), (*rest, renumbered), follow=False)


def test_a_path_that_comes_or_goes_leaves_the_others_objects_alone() -> None:
    less = ingress("front", rule("shop.example", path("/")))
    more = ingress("front", rule("shop.example", path("/"), path("/till", "till", port=8000)))
    comes, goes = steps((*SHOP, less), (*SHOP, more), (*SHOP, less))
    assert sorted(comes) == [
        *(("create", kind) for kind in sorted(KINDS[1:])),
        ("update", "loadbalancer-pool"),  # what is below "/" is left to the new one
    ]
    assert sorted(goes) == [*(("delete", kind) for kind in sorted(KINDS[1:])), ("update", "loadbalancer-pool")]


@pytest.mark.parametrize(
    ("backend", "text"),
    [
        (IngressBackend(service="none", port=80), "is service none, which is not there"),
        (IngressBackend(service="cart", port=81), "is service cart, which has no TCP port 81"),
        (IngressBackend(service="cart", port_name="web"), "is service cart, which has no TCP port 'web'"),
        (IngressBackend(service="bare", port=80), "is service bare, which has no cluster address that is IPv4"),
        (IngressBackend(service="away", port=80), "is service away, which has no cluster address that is IPv4"),
        (
            IngressBackend(resource="k8s.example/Bucket/x"),
            "is resource k8s.example/Bucket/x; only services can be served",
        ),
    ],
)
def test_a_backend_that_cannot_be_reached_answers_503_and_is_named(backend: IngressBackend, text: str) -> None:
    bare = service("bare", headless=True, ports=(HTTP,), selector=SELECTOR)
    away = service("away", type="ExternalName", external_name="x.example")
    front = ingress("front", rule("", path("/cart")), default_backend=backend)
    state = (*SHOP, bare, away, front)
    assert served(state)[80].backend("any", "/other") == ()
    history, _ = following(state)
    said = f"spec.defaultBackend {text}; what it is for is answered with 503"
    assert history.notices() == {("Ingress/shop/front", "BackendNotServed"): said}
    check(state, (*SHOP, ingress("front", rule("", path("/cart")))), follow=False)


def test_a_udp_port_of_the_same_number_is_not_meant() -> None:
    dns = cart(ServicePort(port=80, name="u", protocol="UDP"), ServicePort(port=80, target_port=8080, name="t"))
    assert served((namespace(), dns, ingress("front", default_backend=CART)))[80].backend(None, "/") == CART_AT
    udp = cart(ServicePort(port=80, name="u", protocol="UDP"))
    assert served((namespace(), udp, ingress("front", default_backend=CART)))[80].backend(None, "/") == ()


@pytest.mark.slow
def test_https_ends_at_the_proxies_with_the_named_secrets() -> None:
    tls = (
        IngressTls(hosts=("shop.example",), secret_name="shop"),
        IngressTls(hosts=("pay.example",), secret_name="shop-pay"),
        IngressTls(secret_name="any"),
        IngressTls(hosts=("bare.example",)),
    )
    secure = ingress("front", *_rules(FRONT), tls=tls)
    found = served((*SHOP, secure))
    assert found.keys() == {80, 443}
    assert found[443].protocol == "TERMINATED_HTTPS"
    assert found[443].certificates == ("shop__any", "shop__shop-pay", "shop__shop")
    assert found[443].backend("shop.example:443", "/till") == TILL_AT
    assert found[443].backend("other.example", "/") == () and found[80].backend("other.example", "/") is None
    history, _ = following((*SHOP, secure))
    said = "spec.tls[3] names no secret: HTTPS for bare.example is not served, as TLS ends at the proxies only"
    assert history.notices() == {("Ingress/shop/front", "TlsNotServed"): said}
    one = ingress("front", *_rules(FRONT), tls=tls[:1])
    assert served((*SHOP, one))[443].certificates == ("shop__shop",)
    check((*SHOP, secure), (*SHOP, one), (*SHOP, FRONT), follow=False)
    check((*SHOP, secure), (*SHOP, FRONT))


def test_without_a_secret_nothing_listens_on_443() -> None:
    state = (*SHOP, ingress("front", *_rules(FRONT), tls=(IngressTls(hosts=("shop.example",)),)))
    assert served(state).keys() == {80}


def test_the_default_backend_serves_the_rest_and_a_host_without_paths() -> None:
    front = ingress("front", rule("", path("/till", "till", port=8000)), rule("bare.example"), default_backend=CART)
    found = served((*SHOP, front))[80]
    assert found.backend("any.example", "/till") == TILL_AT
    assert found.backend("any.example", "/") == CART_AT
    assert found.backend("bare.example", "/till") == CART_AT


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fields", "classes", "without", "is_served"),
    [
        ({"class_name": "opencontrail"}, (), False, True),
        ({"class_name": "opencontrail"}, (("opencontrail", "nginx.example/x", False),), True, False),
        ({"class_name": "edge"}, (), True, False),
        ({"class_name": "edge"}, (("edge", "opencontrail.org/ingress", False),), False, True),
        ({"class_name": "edge"}, (("edge", "nginx.example/x", True),), True, False),
        ({"class_name": "nginx", "legacy_class": "opencontrail"}, (), False, True),
        ({"class_name": "opencontrail", "legacy_class": "nginx"}, (), True, False),
        ({"class_name": ""}, (), False, False),
        ({"class_name": ""}, (), True, True),
        ({"class_name": ""}, (("edge", "opencontrail.org/ingress", True),), False, True),
        ({"class_name": ""}, (("edge", "opencontrail.org/ingress", False),), False, False),
        ({"class_name": ""}, (("edge", "nginx.example/x", True),), True, False),
        ({"class_name": ""}, (("edge", "nginx.example/x", False),), True, True),
    ],
)
def test_the_class_says_whose_an_ingress_is(
    fields: dict[str, str], classes: tuple[tuple[str, str, bool], ...], without: bool, is_served: bool
) -> None:
    settings = replace(SETTINGS, ingress_without_class=without)
    known = tuple(ingress_class(name, by, is_default=default) for name, by, default in classes)
    state = (*SHOP, *known, ingress("front", default_backend=CART, **fields))
    assert bool(served(state, settings=settings)) == is_served
    check(state, (*SHOP, state[-1]), settings=settings, follow=False)


@pytest.mark.slow
def test_a_class_that_changes_hands_takes_its_ingresses_along() -> None:
    front = ingress("front", default_backend=CART, class_name="edge")
    ours, theirs = ingress_class("edge"), ingress_class("edge", "nginx.example/x")
    check((*SHOP, front, ours), (*SHOP, front, theirs), (*SHOP, front))
    _, contrail = following((*SHOP, front, ours), (*SHOP, front, theirs))
    assert contrail.everything("loadbalancer") == []


def public(*states: State, **more: Any) -> list[tuple[str, list[str]]]:
    """Address of each public floating-ip, and the interfaces that it is on."""
    history, contrail = following(*states, **more)
    assert history.errors() == []
    return [
        (each["floating_ip_address"], [ref["to"][-1] for ref in each["virtual_machine_interface_refs"]])
        for each in contrail.everything("floating-ip")
    ]


@pytest.mark.slow
def test_a_public_address_is_the_pools_choice_or_the_one_asked_for() -> None:
    interface = [f"k8s__Ingress__front__{uid('Ingress/shop/front')}"]
    chosen = ingress("front", default_backend=CART, annotations={FIP_POOL: POOL})
    [(address, on)] = public((*SHOP, chosen))
    assert address.startswith("203.0.113.") and on == interface
    asked = ingress("front", default_backend=CART, annotations={FIP_POOL: POOL, "externalIP": "203.0.113.7"})
    assert public((*SHOP, asked)) == [("203.0.113.7", interface)]
    assert public((*SHOP, chosen), (*SHOP, asked)) == [("203.0.113.7", interface)]
    check((*SHOP, chosen), (*SHOP, asked), (*SHOP, FRONT), there=THERE, follow=False)


def test_the_pool_of_the_namespace_or_of_the_settings_counts_where_the_ingress_names_none() -> None:
    home = (namespace(fip__pool=POOL), cart(), TILL)
    assert len(public((*home, FRONT))) == 1
    named = replace(SETTINGS, public_pool="default-domain:admin:public:pool")
    assert len(public((*SHOP, FRONT), settings=named)) == 1
    assert public((*SHOP, FRONT)) == []


def test_an_address_that_cannot_be_given_is_named() -> None:
    asked = {"externalIP": "203.0.113.7"}
    history, _ = following((*SHOP, ingress("front", default_backend=CART, annotations=asked)))
    said = "annotation externalIP asks for 203.0.113.7, but no floating-ip pool is named; "
    key = ("Ingress/shop/front", "NoPublicAddress")
    assert history.notices() == {key: f"{said}the ingress has its own address alone"}
    v6 = {"externalIP": "2001:db8::7", FIP_POOL: POOL}
    history, _ = following((*SHOP, ingress("front", default_backend=CART, annotations=v6)))
    said = "annotation externalIP asks for 2001:db8::7, but the proxies have an IPv4 address only; "
    assert history.notices() == {key: f"{said}the ingress has its own address alone"}


@pytest.mark.slow
def test_isolation_moves_the_ingress_into_the_network_of_its_namespace() -> None:
    isolated = (namespace(isolation="true"), cart(), TILL, FRONT)
    _, contrail = following((*SHOP, FRONT), isolated)
    [balancer] = contrail.everything("loadbalancer")
    assert balancer["uuid"] != uid("Ingress/shop/front")
    interface = contrail.read("virtual-machine-interface", balancer["virtual_machine_interface_refs"][0]["uuid"])
    assert interface["virtual_network_refs"][0]["to"][-1] == "k8s-shop-pod-network"
    check((*SHOP, FRONT), isolated)
    check((*SHOP, ingress("front", default_backend=CART, annotations={FIP_POOL: POOL})), isolated, there=THERE)


def test_dual_stack_proxies_listen_at_ipv4_and_ipv6_ones_where_there_is_nothing_else() -> None:
    both = replace(
        SETTINGS, pod_subnets=("fd00:1::/64", "10.32.0.0/12"), service_subnets=("fd00:2::/108", "10.96.0.0/12")
    )
    dual = cart(cluster_ips=("fd00:2::7", "10.96.20.7"))
    assert served((namespace(), dual, FRONT), settings=both)[80].backend("shop.example", "/") == CART_AT
    six = replace(SETTINGS, pod_subnets=("fd00:1::/64",), service_subnets=("fd00:2::/108",))
    only = cart(cluster_ips=("fd00:2::7",))
    assert served((namespace(), only, FRONT), settings=six)[80].backend("shop.example", "/") == ("fd00:2::7:80",)


def test_the_network_that_the_namespace_names_holds_its_ingresses() -> None:
    blue = '{"domain": "default-domain", "project": "admin", "name": "blue"}'
    there = (foreign_project("admin"), foreign_network("default-domain", "admin", "blue"))
    home = namespace(network=blue, network__connect="true")
    state = (home, cart(), TILL, FRONT)
    history, contrail = History(), FollowingContrail(*there)
    history.become(state)
    contrail.follow(history.backend.store)
    found = [each for each in contrail.everything("instance-ip") if each["fq_name"][0].startswith("front__")]
    assert [each["instance_ip_address"].rpartition(".")[0] for each in found] == ["172.16.0"]
    check(state, (*SHOP, FRONT), there=there)


def test_one_project_for_all_namespaces() -> None:
    settings = replace(SETTINGS, project="tenants")
    check((*SHOP, FRONT), SHOP, settings=settings, there=(foreign_project("tenants"),))


def test_what_svc_monitor_adds_is_left_alone() -> None:
    """It puts the interfaces of its proxies beside ours, on the private address and on the public one."""
    annotations = {FIP_POOL: POOL}
    history, contrail = following((*SHOP, ingress("front", default_backend=CART, annotations=annotations)))
    private = next(x for x in contrail.everything("instance-ip") if x["fq_name"][0].startswith("front__"))
    [floating] = contrail.everything("floating-ip")
    proxy = next(x for x in contrail.everything("virtual-machine-interface") if "Service" in x["fq_name"][-1])
    for type_, uuid in (("instance-ip", private["uuid"]), ("floating-ip", floating["uuid"])):
        contrail.refer(type_, uuid, "virtual-machine-interface", proxy["uuid"])
    assert contrail.drifted("instance-ip", "floating-ip", *KINDS) == []
    history.become((*SHOP, ingress("front", rule("", path("/")), annotations=annotations)))
    contrail.follow(history.backend.store)
    for type_, uuid in (("instance-ip", private["uuid"]), ("floating-ip", floating["uuid"])):
        assert len(contrail.read(type_, uuid)["virtual_machine_interface_refs"]) == 2


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"annotations": {"externalIP": "x"}}, "annotation externalIP is 'x'; accepted is an IPv4 or IPv6 address"),
        (
            {"annotations": {"externalIP": "2001:db8::1%eth0"}},
            "annotation externalIP is '2001:db8::1%eth0'; accepted is an IPv4 or IPv6 address",
        ),
        (
            {"tls": (IngressTls(secret_name="a b"),)},
            "spec.tls[0].secretName is 'a b'; accepted is the name of a Secret",
        ),
        ({"rules": (rule("", path("x")),)}, "spec.rules[0].http.paths[0].path is 'x'; accepted is a path"),
        ({"rules": (rule("-"),)}, "spec.rules[0].host is '-'; accepted is a name"),
        ({"annotations": {FIP_POOL: "{}"}}, f"annotation {FIP_POOL} is '{{}}'; accepted is "),
    ],
)
def test_what_cannot_be_read_is_named_and_leaves_what_was_there(fields: dict[str, Any], text: str) -> None:
    bad = ingress("front", **fields)
    with pytest.raises(TranslationError) as caught:
        require_well_formed(bad)
    assert str(caught.value).startswith(f"Ingress shop/front: {text}")
    for name in ("opencontrail", "edge"):
        classes = (ingress_class("edge"),)
        good = ingress("front", default_backend=CART, class_name=name)
        history, contrail = following(
            (*SHOP, *classes, good), (*SHOP, *classes, ingress("front", **{**fields, "class_name": name}))
        )
        [error] = history.errors()
        assert error.startswith(f"Ingress shop/front: {text}")
        assert len(contrail.everything("loadbalancer-member")) == 1


def test_what_other_controllers_read_is_none_of_our_business() -> None:
    regex = ingress("front", rule("", path("/x(/|$)(.*)", kind="ImplementationSpecific")), class_name="nginx")
    require_well_formed(regex)
    history, _ = following((*SHOP, regex))
    assert history.errors() == []


def _rules(front: Any) -> Any:
    return front.body.rules
