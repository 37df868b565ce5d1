"""Services that let only some sources in: who reaches the members by a public address, at every moment."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace as changed
from sqlalchemy import Engine, text

from applier.plan import Step, plan
from applier.rows import Row
from schemas.contrail.objects import LINK
from schemas.events import ChangeEvent, Op
from schemas.records import LabelRequirement, LabelSelector, NetworkPolicyRecord, PolicyRule, ServicePort, ServiceRecord
from tests.policy.cluster import Spot
from tests.policy.contrail_firewall import ContrailFirewall
from tests.translator.contrail import FollowingContrail
from tests.translator.facts import SETTINGS, event, namespace, node, pod, service, uid
from tests.translator.rows import MemoryBackend, PostgresBackend
from tests.translator.services import NAMED, cart, endpoint, endpoints, shop
from tests.translator.states import History, State, check, check_leavers
from tests.translator.test_public_addresses import THERE, balancer, public
from tests.translator.world import World
from translator.memory import MemoryStore
from translator.notice import Outcome
from translator.policy.evaluate import Evaluator, Place
from translator.postgres import PostgresStore
from translator.translate import registry, source_ranges

RANGES = ("192.0.2.0/24", "198.51.100.7/32")
IN, OUT, POD, NODE = "192.0.2.9", "192.0.3.9", "10.40.0.1", "192.168.0.1"
UIDS = {f"shop/{name}": uid(f"Pod/shop/{name}") for name in "abc"}


def limited(*ports: Any, **fields: Any) -> ChangeEvent:
    """Service cart for two ranges only."""
    return balancer(*ports, **{"load_balancer_source_ranges": RANGES, "load_balancer_ip": "203.0.113.7", **fields})


def open_service(port: int, **fields: Any) -> ChangeEvent:
    """A service for everybody, perhaps of the same pods."""
    every = {"type": "LoadBalancer", "cluster_ips": ("10.96.0.9",), "selector": {"tier": "front"}, **fields}
    return service("open", ports=(ServicePort(port=80, target_port=port),), **every)


MEMBERS = (*shop("a", "b", "c"), endpoints("cart-1", "a", "b"))
LIMITED = (*MEMBERS, limited())


def firewall(rows: Sequence[Row]) -> ContrailFirewall:
    return ContrailFirewall((row.type, row.fq_name, row.uuid, row.body) for row in rows)


def reaches(
    rows: Sequence[Row], source: str, pod: str, port: int = 8080, protocol: str = "TCP", *, interface: str = ""
) -> bool:
    """Whether the source passes at the pod, however it came there; at this interface, where it has two for a while."""
    if interface:
        rows = [row for row in rows if row.type != "virtual-machine-interface" or row.uuid == interface]
    target = Spot("10.40.0.9", pod=f"shop/{pod}")
    [allowed] = firewall(rows).allows(Spot(source), target, [(protocol, port)], UIDS)
    return allowed


def led(rows: Sequence[Row]) -> set[tuple[str, str, int]]:
    """Pod, protocol and port of what public addresses lead to, as far as these rows have been applied."""
    return {(name, protocol, port) for name, _, protocol, port in _ways(rows)}


def _ways(rows: Sequence[Row]) -> set[tuple[str, str, str, int]]:
    """The same with the interface, by uuid."""
    addresses = {row.uuid: row for row in rows if row.type == "floating-ip" and "pool" in row.fq_name}
    found = set()
    for link in (row for row in rows if row.type == LINK):
        owner = addresses.get(link.body["owner"]["uuid"])
        if owner is not None:
            target = link.body["target"]
            name = target["fq_name"][-1].partition("__")[0]
            for each in owner.body["properties"]["floating_ip_port_mappings"]["port_mappings"]:
                found.add((name, target["uuid"], each["protocol"], each["dst_port"]))
    return found


class Careless(FollowingContrail):
    """Applies what is ready in any order, forgets what it shall not have, and looks after each write."""

    def __init__(self, seed: int = 0, *, without: str = "") -> None:
        super().__init__(*THERE)
        self._random = random.Random(seed)
        self._without = without
        self.moments = 0

    def follow(self, store: MemoryStore) -> None:
        rows, edges = self._rows(store), self._edges(store)
        found = plan(rows, edges, self._missing(store, edges))
        waiting = {step.row.uuid: step for step in found.steps if not self._is_refused(step.row)}
        refused = {step.row.uuid for step in found.steps} - waiting.keys()
        while ready := [each for each in waiting.values() if self._is_ready(each, waiting, refused)]:
            step = self._random.choice(ready)
            self._apply(step.row)
            del waiting[step.row.uuid]
            self.look()

    @property
    def rows(self) -> list[Row]:
        return list(self._has.values())

    def look(self) -> None:
        """Nobody from outside of the ranges gets to a member by a public address."""
        self.moments += 1
        for name, at, protocol, port in _ways(self.rows):
            is_open = reaches(self.rows, OUT, name, port, protocol, interface=at)
            assert not is_open, f"{name} is open on {port}/{protocol}"

    def _is_refused(self, row: Row) -> bool:
        return bool(self._without) and row.type == self._without

    @staticmethod
    def _is_ready(step: Step, waiting: dict[str, Step], refused: set[str]) -> bool:
        return step.needs.isdisjoint(waiting.keys() | refused) and step.after.isdisjoint(waiting.keys())


def told(*states: State, contrail: FollowingContrail) -> History:
    history = History()
    for state in states:
        history.become(state, squashed=True)
        history.become(state)
        contrail.follow(history.backend.store)
    assert history.errors() == []
    return history


def test_only_the_ranges_and_the_cluster_reach_the_members_of_a_limited_service() -> None:
    contrail = Careless()
    told(LIMITED, contrail=contrail)
    assert led(contrail.rows) == {("a", "TCP", 8080), ("b", "TCP", 8080)}
    for source in (IN, "198.51.100.7", POD, "10.96.0.9", "10.64.0.9", NODE):
        assert reaches(contrail.rows, source, "a"), source
    for source in (OUT, "198.51.100.8", "10.24.0.1", "2001:db8::1"):
        assert not reaches(contrail.rows, source, "a"), source
        assert not reaches(contrail.rows, source, "a", 8081), source
    assert reaches(contrail.rows, OUT, "c"), "no member"
    assert public(LIMITED) == {"public 203.0.113.7": ["a", "b"]}


def test_a_limit_stands_before_whatever_policies_allow() -> None:
    everybody = NetworkPolicyRecord(isolates_ingress=True, ingress=())
    contrail = Careless()
    told((*LIMITED, event(Op.UPSERT, "NetworkPolicy", "shop", "closed", 1, everybody)), contrail=contrail)
    assert not reaches(contrail.rows, IN, "a")
    contrail = Careless()
    web = LabelSelector(match_expressions=(LabelRequirement(key="app", operator="DoesNotExist"),))
    opened = changed(everybody, pod_selector=web, ingress=(PolicyRule(),))
    told((*LIMITED, event(Op.UPSERT, "NetworkPolicy", "shop", "open", 1, opened)), contrail=contrail)
    assert reaches(contrail.rows, IN, "a")
    assert not reaches(contrail.rows, OUT, "a")


OTHER_PORT = limited(ServicePort(port=81, target_port=8081, name="http"))
HISTORIES: dict[str, tuple[State, ...]] = {
    "comes and goes": (MEMBERS, LIMITED, MEMBERS),
    "with its namespace": (LIMITED, ()),
    "its members change": (LIMITED, (*shop("a", "b", "c"), endpoints("cart-1", "b", "c"), limited()), LIMITED),
    "its ranges change": (LIMITED, (*MEMBERS, limited(load_balancer_source_ranges=("192.0.2.0/25",))), MEMBERS),
    "it is limited before it is public": ((*MEMBERS, cart(load_balancer_source_ranges=RANGES)), LIMITED),
    "members leave it": (LIMITED, (*shop("a", "b", "c"), limited())),
    "its pods move": (LIMITED, (*shop("a", "b", isolation="true"), endpoints("cart-1", "a", "b"), limited()), LIMITED),
    "other names of ports": (
        (*MEMBERS, limited(NAMED)),
        (*shop("a", "b"), endpoints("cart-1", "a", port=9090), limited(NAMED)),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", HISTORIES)
@pytest.mark.parametrize("seed", range(3))
def test_at_no_moment_is_the_address_open_to_others(name: str, seed: int) -> None:
    contrail = Careless(seed)
    told(*HISTORIES[name], contrail=contrail)
    assert contrail.moments > 5


@pytest.mark.parametrize("refused", ["firewall-policy", "application-policy-set", "firewall-rule", "address-group"])
def test_without_what_guards_it_the_address_leads_nowhere(refused: str) -> None:
    contrail = Careless(without=refused)
    told(LIMITED, contrail=contrail)
    assert led(contrail.rows) == set()


def test_without_the_tag_of_a_member_nothing_leads_to_it() -> None:
    contrail = Careless(without="tag")
    told(LIMITED, contrail=contrail)
    assert led(contrail.rows) == set()


def test_a_namespace_that_cannot_be_translated_leaves_the_address_leading_nowhere() -> None:
    history, contrail = History(), Careless()
    history.become(MEMBERS)
    contrail.follow(history.backend.store)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(registry.TRANSLATIONS, "Namespace", _raise)
        history.become(LIMITED)
    contrail.follow(history.backend.store)
    assert led(contrail.rows) == set()


def _raise(*_: object) -> tuple[Outcome, ...]:
    raise RuntimeError("a fault of ours")


@pytest.mark.parametrize(
    ("others", "fields", "says"),
    [
        ((), {"external_ips": ("203.0.113.9",)}, "spec.externalIPs (203.0.113.9) let everybody in by the same ports"),
        ((open_service(8080),), {}, "service open lets others in to the same port of what may be the same pods"),
        (
            (open_service(9),),
            {"ports": (ServicePort(port=9, protocol="SCTP"),)},
            "ports of SCTP cannot be closed alone, as service open would need it",
        ),
        (
            (
                service(
                    "apart",
                    type="LoadBalancer",
                    cluster_ips=("10.96.0.9",),
                    load_balancer_source_ranges=("192.0.2.0/25",),
                    selector={"tier": "front"},
                    ports=(ServicePort(port=80, target_port=8080),),
                ),
            ),
            {},
            "service apart lets others in to the same port of what may be the same pods",
        ),
    ],
    ids=["external", "open", "sctp", "other ranges"],
)
def test_who_cannot_be_held_to_its_ranges_gets_no_address_and_says_why(
    others: State, fields: dict[str, Any], says: str
) -> None:
    settings = changed(SETTINGS, public_pool="default-domain:admin:public:pool")
    state = (*MEMBERS, limited(**fields), *others)
    assert "public 203.0.113.7" not in public(state, settings=settings)
    history = History(settings)
    history.become(state)
    said = history.notices()["Service/shop/cart", "SourceRangesNotServed"]
    assert said == (
        "spec.loadBalancerSourceRanges lets only 192.0.2.0/24, 198.51.100.7/32 in, which cannot be enforced: "
        f"{says}; the service gets no public address at all"
    )


@pytest.mark.parametrize(
    "other",
    [
        {"selector": {"app": "other"}},
        {"load_balancer_source_ranges": RANGES},
        {"type": "NodePort"},
        {"type": "LoadBalancer", "load_balancer_class": "example.com/other"},
    ],
    ids=lambda other: "-".join(other),
)
def test_who_has_other_pods_or_ports_or_the_same_ranges_is_no_hindrance(other: dict[str, Any]) -> None:
    settings = changed(SETTINGS, public_pool="default-domain:admin:public:pool")
    state = (*MEMBERS, limited(), open_service(8080, **other))
    assert public(state, settings=settings)["public 203.0.113.7"] == ["a", "b"]


def test_beside_an_open_service_only_its_own_ports_are_closed() -> None:
    contrail = Careless()
    told((*MEMBERS, limited(), open_service(8443, annotations=limited().body.annotations)), contrail=contrail)  # type: ignore[union-attr]
    assert led(contrail.rows) == {("a", "TCP", 8080), ("b", "TCP", 8080)}
    assert not reaches(contrail.rows, OUT, "a")
    assert reaches(contrail.rows, OUT, "a", 8443) and reaches(contrail.rows, OUT, "a", 8080, "UDP")


@pytest.mark.parametrize(
    ("ranges", "limited"),
    [
        ((), False),
        (("0.0.0.0/0",), False),
        (("0.0.0.0/1", " 128.0.0.0/1 "), False),
        (("::/0",), True),
        (("192.0.2.9/24",), True),
        (("0.0.0.0/0", "10.0.0.0/8"), False),
    ],
)
def test_who_is_limited(ranges: tuple[str, ...], limited: bool) -> None:
    record = ServiceRecord(type="LoadBalancer", cluster_ips=("10.96.0.7",), load_balancer_source_ranges=ranges)
    assert source_ranges.is_limited(record) == limited
    both = changed(record, cluster_ips=("10.96.0.7", "fd00:96::7"))
    assert source_ranges.is_limited(both) == bool(ranges)


def test_host_bits_of_a_range_mean_nothing() -> None:
    contrail = Careless()
    told((*MEMBERS, limited(load_balancer_source_ranges=("192.0.2.200/24",))), contrail=contrail)
    assert reaches(contrail.rows, IN, "a") and not reaches(contrail.rows, OUT, "a")


def test_a_service_without_selector_is_held_to_its_ranges_by_its_slices() -> None:
    contrail = Careless()
    told((*MEMBERS, limited(selector={})), contrail=contrail)
    assert led(contrail.rows) == {("a", "TCP", 8080), ("b", "TCP", 8080)}
    assert not reaches(contrail.rows, OUT, "a")


def test_a_member_in_somebody_elses_network_is_not_behind_the_address() -> None:
    marks = {"opencontrail.org/network": '{"domain": "default-domain", "project": "admin", "name": "dmz"}'}
    state = (namespace(), node(), pod("a", annotations=marks), pod("b"), endpoints("cart-1", "a", "b"), limited())
    contrail = Careless()
    history = told(state, contrail=contrail)
    assert led(contrail.rows) == {("b", "TCP", 8080)}
    assert history.notices()["Service/shop/cart", "MemberNotServed"] == (
        "a member in network default-domain:admin:dmz is not behind its public addresses: "
        "loadBalancerSourceRanges cannot be enforced there"
    )


def test_every_way_to_a_limited_service_gives_its_rows() -> None:
    check(LIMITED, (*MEMBERS, OTHER_PORT), (*MEMBERS, balancer()), there=THERE)


@pytest.mark.slow
def test_what_leaves_a_limited_service_leaves_nothing_behind() -> None:
    state = (namespace(), pod("a"), endpoints("cart-1", "a", endpoint("b", ready=False)), limited())
    check_leavers(state, there=THERE, follow=False)


def test_a_pool_is_named_in_the_notice_of_a_limited_service_as_of_any() -> None:
    history = History()
    history.become((*MEMBERS, limited(annotations={})))
    assert {reason for _, reason in history.notices()} == {"NoPublicPool"}


def test_who_asks_about_policies_is_told_of_the_limit_beside_them() -> None:
    contrail = Careless()
    told(LIMITED, contrail=contrail)
    evaluator = Evaluator((row.type, row.fq_name, row.uuid, row.body) for row in contrail.rows)
    said = evaluator.verdict(Place(OUT, ""), Place("10.40.0.9", UIDS["shop/a"]), "TCP", 8080)
    assert said.passes
    assert said.target == (
        "rule 3 of 3: pass any, any > any; "
        "but rule 2 keeps it from what is behind a service with loadBalancerSourceRanges"
    )
    assert "but" not in evaluator.verdict(Place(IN, ""), Place("10.40.0.9", UIDS["shop/a"]), "TCP", 8080).target


@pytest.mark.postgres
def test_an_address_is_ready_whatever_tag_of_a_limited_service_is_to_come(store_engine: Engine) -> None:
    store = PostgresStore(store_engine, "k8s")
    World(store, with_settings=True).tell_each((*MEMBERS, limited()))
    store.close()
    with store_engine.begin() as connection:
        tags = "SELECT uuid FROM desired_object WHERE type = 'link' AND fq_name LIKE '%:tag:%'"
        applied = "UPDATE apply_state SET status = 'applied', applied_generation = desired_generation"
        assert connection.execute(text(f"{applied} WHERE object_uuid NOT IN ({tags})")).rowcount
        found = "SELECT uuid, type, '{\"address\": \"10.40.0.9\"}', '' FROM desired_object WHERE type = 'instance-ip'"
        connection.execute(text(f"INSERT INTO observed_object (uuid, type, body, digest) {found}"))
        assert connection.execute(text(f"SELECT count(*) FROM ({tags}) x")).scalar() == 2
        states = connection.execute(text("SELECT state FROM pod_address WHERE namespace = 'shop'")).scalars().all()
    assert states == ["ready"] * 3


@pytest.mark.postgres
def test_both_stores_keep_what_must_stand_first(store_engine: Engine) -> None:
    store = PostgresStore(store_engine, "k8s")
    kept = []
    for backend in (MemoryBackend(), PostgresBackend(store, store_engine)):
        world = World(backend.store, with_settings=True)
        world.tell_each((*MEMBERS, limited()))
        world.tell(changed(limited(load_balancer_source_ranges=("192.0.2.0/25",)), resource_version="9"))
        kept.append(backend.dump()["edges"])
    store.close()
    assert kept[0] == kept[1]
    assert sum(edge[2] == "after" for edge in kept[0]) == 3 + 2 * 4
