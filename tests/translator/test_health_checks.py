"""Health checks of services by annotation: the check, its links, and annotations that cannot be read."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from schemas.events import ChangeEvent
from tests.translator.contrail import FollowingContrail
from tests.translator.facts import SETTINGS, namespace, pod
from tests.translator.services import cart, endpoints, shop
from tests.translator.states import History, State, check, check_leavers

KEY = "opencontrail.org/health-check"
PING = '{"monitor_type": "PING"}'
ACCEPTED = (
    '{"monitor_type": "PING", "HTTP" or "BFD"} and perhaps delay and timeout (1 to 3600 seconds) and max_retries (1 to '
    "100); with HTTP port (1 to 65535) and perhaps path (letters, digits and ._~/%=?,:@+- behind a '/')"
)
THERE = (*shop("web-0", "web-1"), endpoints("cart-a", "web-0", "web-1"))


def asking(text: str, **fields: Any) -> ChangeEvent:
    """Service cart with this annotation."""
    return cart(annotations={KEY: text}, **fields)


def following(state: State, **more: Any) -> FollowingContrail:
    """A Contrail that has followed the state."""
    history, contrail = History(**more), FollowingContrail()
    history.become(state)
    assert history.errors() == []
    contrail.follow(history.backend.store)
    return contrail


def properties(text: str) -> dict[str, Any]:
    """Contrail's properties of the check that the annotation asks for."""
    [found] = following((*THERE, asking(text))).everything("service-health-check")
    return dict(found["service_health_check_properties"])


def checked(contrail: FollowingContrail) -> list[str]:
    """Pods whose interface is checked."""
    interfaces = contrail.everything("virtual-machine-interface")
    return sorted(each["fq_name"][-1].split("__")[0] for each in interfaces if each.get("service_health_check_refs"))


def test_checks_come_change_and_go_by_every_way() -> None:
    check(
        (*THERE, asking(PING)),
        (*THERE, asking('{"monitor_type": "BFD", "delay": 1}')),
        (*shop("web-0", "web-1"), endpoints("cart-a", "web-1"), asking(PING)),
        (*THERE, cart()),
        (*shop("web-0", "web-1"), asking(PING)),
    )


@pytest.mark.slow
def test_who_leaves_takes_only_its_own_with_it() -> None:
    check_leavers((*shop("web-0"), endpoints("cart-a", "web-0"), endpoints("cart-b", "web-0"), asking(PING)))


def test_every_member_is_checked_and_nobody_else() -> None:
    contrail = following((*shop("web-0", "web-1", "db-0"), endpoints("cart-a", "web-0", "web-1"), asking(PING)))
    assert checked(contrail) == ["web-0", "web-1"]


def test_a_check_is_link_local_and_has_defaults() -> None:
    shared = {"enabled": True, "health_check_type": "link-local", "delay": 5, "timeout": 3, "max_retries": 3}
    assert properties(PING) == {**shared, "monitor_type": "PING", "url_path": "local-ip"}
    assert properties("{'monitor_type': 'BFD', 'delay': '1', 'timeout': 2, 'max_retries': '4'}") == {
        **shared,
        "monitor_type": "BFD",
        "delay": 1,
        "timeout": 2,
        "max_retries": 4,
        "url_path": "local-ip",
    }
    assert properties('{"monitor_type": "HTTP", "port": 8080, "path": "/healthz?full=1"}') == {
        **shared,
        "monitor_type": "HTTP",
        "url_path": "http://local-ip:8080/healthz?full=1",
        "http_method": "GET",
        "expected_codes": "200",
    }


@pytest.mark.parametrize(
    "text",
    [
        "PING",
        "",
        "[]",
        "{}",
        '{"monitor_type": "TCP"}',
        '{"monitor_type": ["PING"]}',
        '{"monitor_type": "PING", "port": 80}',
        '{"monitor_type": "PING", "interval": 5}',
        '{"monitor_type": "PING", "delay": 0}',
        '{"monitor_type": "PING", "delay": true}',
        '{"monitor_type": "PING", "timeout": "3s"}',
        '{"monitor_type": "PING", "max_retries": 101}',
        '{"monitor_type": "HTTP"}',
        '{"monitor_type": "HTTP", "port": 65536}',
        '{"monitor_type": "HTTP", "port": 80, "path": "healthz"}',
        '{"monitor_type": "HTTP", "port": 80, "path": "/;reboot"}',
        '{"monitor_type": "HTTP", "port": 80, "path": "/$(id)"}',
    ],
)
def test_an_annotation_that_cannot_be_read_is_named_and_what_was_there_stays(text: str) -> None:
    history = History()
    history.become((*THERE, asking(PING)))
    before = history.dump()["objects"]
    history.become((*THERE, asking(text)))
    assert history.errors() == [f"Service shop/cart: annotation {KEY} is {text!r}; accepted is {ACCEPTED}"]
    assert history.dump()["objects"] == before


def test_another_check_is_one_write_whatever_the_number_of_members() -> None:
    names = [f"web-{number}" for number in range(50)]
    state = (*shop(*names), endpoints("cart-a", *names))
    history = History()
    history.become((*state, asking(PING)))
    changed = history.changes(lambda: history.become((*state, asking('{"monitor_type": "PING", "delay": 9}'))))
    assert changed == [("update", "service-health-check")]


def test_a_service_of_the_other_family_is_not_checked_and_says_so() -> None:
    six = msgspec.structs.replace(SETTINGS, service_subnets=("fd00:20::/112",))
    served = asking(PING, cluster_ips=("fd00:20::7",))
    state = (*shop("web-0"), endpoints("cart-a", "web-0", address_type="IPv6"), served)
    history = History(six)
    history.become(state)
    assert checked(following(state, settings=six)) == []
    [(key, found)] = history.backend.store.tables.notices.items()
    [((_, reason), said)] = found.items()
    assert (key, reason) == ("Service/shop/cart", "NoHealthCheck")
    assert said.message == f"annotation {KEY} has no effect: only IPv4 addresses can be checked"


@pytest.mark.parametrize("fields", [{"headless": True, "cluster_ips": ()}, {"type": "ExternalName", "cluster_ips": ()}])
def test_a_service_without_addresses_checks_nobody(fields: dict[str, Any]) -> None:
    contrail = following((*THERE, asking(PING, **fields)))
    assert contrail.everything("service-health-check") == []
    assert checked(contrail) == []


def test_members_in_a_network_of_their_own_are_checked_there() -> None:
    isolated = (namespace(isolation="true"), *(pod(name) for name in ("web-0", "web-1")))
    assert checked(following((*isolated, endpoints("cart-a", "web-0", "web-1"), asking(PING)))) == ["web-0", "web-1"]


def test_members_behind_a_load_balancer_object_are_checked_alike() -> None:
    balanced = msgspec.structs.replace(SETTINGS, service_load_balancer="loadbalancer")
    assert checked(following((*THERE, asking(PING)), settings=balanced)) == ["web-0", "web-1"]
