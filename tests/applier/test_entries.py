"""Entries in properties of objects that are not ours: put and taken without a loss for others, whatever happens."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from applier import entries
from applier.outcome import Outcome, Verdict
from applier.rows import Row, label
from schemas.contrail.objects import Entry, joined
from schemas.contrail.rules import check_entry
from schemas.errors import ModelError
from simulators.contrail.answers import Call
from simulators.contrail.api import answer
from simulators.contrail.faults import Fault, Trouble
from simulators.contrail.server import ContrailSimulator
from simulators.contrail.state import State
from tests.applier.desired import DesiredStore
from tests.applier.everything import link_local
from tests.applier.running import applying, until, until_applied
from tests.applier.test_writer import Contrail, writer_of

OWNER = "global-vrouter-config"
UUID = "0c2b5d0e-5a3b-4a25-8f61-2f6a1c1a0001"
OWN = ("default-global-system-config", "default-global-vrouter-config")


def local(name: str, address: str = "10.96.0.1", *servers: str, port: int = 443) -> Entry:
    value = link_local(name, address, port, list(servers) or ["192.0.2.10"], 6443)
    return Entry(OWNER, OWN, "linklocal_services", name, value)


def pool(key: str, protocol: str = "tcp", start: int = 56000, end: int = 57023) -> Entry:
    value = {"protocol": protocol, "port_range": {"start_port": start, "end_port": end}}
    return Entry(OWNER, OWN, "port_translation_pools", key, value)


API, DATABASE = local("k8s__default__kubernetes__443"), local("k8s__shop__db__5432", "10.96.0.9", port=5432)
METADATA = link_local("metadata", "169.254.169.254", 80, ["127.0.0.1"], 8775)
THEIRS = link_local("other__default__kubernetes__443", "10.112.0.1", 443, ["198.51.100.10"], 6443)


def services(contrail: ContrailSimulator) -> list[Any]:
    found = contrail.find(OWNER, *OWN)
    assert found is not None
    held: list[Any] = (found.get("linklocal_services") or {}).get("linklocal_service_entry") or []
    return held


def names(contrail: ContrailSimulator) -> list[str]:
    return [each["linklocal_service_name"] for each in services(contrail)]


def pools(contrail: ContrailSimulator) -> list[tuple[str, int]]:
    found = contrail.find(OWNER, *OWN)
    assert found is not None
    held = (found.get("port_translation_pools") or {}).get("port_translation_pool") or []
    return [(each["protocol"], each["port_range"]["start_port"]) for each in held]


def somebody(contrail: ContrailSimulator, name: str, *values: Any) -> None:
    """Somebody else writes a property as a whole."""
    items = {"linklocal_services": "linklocal_service_entry", "port_translation_pools": "port_translation_pool"}

    def write(state: State) -> None:
        (owner,) = state.of_type(OWNER)
        owner.properties[name] = {items[name]: list(values)}
        owner.places.pop(name, None)

    contrail.ask(write)


def test_an_entry_takes_its_place_and_leaves_the_others_as_they_are() -> None:
    live = {"linklocal_service_entry": [METADATA, dict(API.value), {**THEIRS, "unknown": 1}]}
    changed = local(API.key, "10.96.0.1", "192.0.2.10", "192.0.2.11")
    assert entries.with_entry(API, live) is None
    assert entries.with_entry(changed, live) == {
        "linklocal_service_entry": [METADATA, dict(changed.value), {**THEIRS, "unknown": 1}]
    }
    assert entries.with_entry(DATABASE, None) == {"linklocal_service_entry": [dict(DATABASE.value)]}
    assert entries.without_entry(API, live) == {"linklocal_service_entry": [METADATA, {**THEIRS, "unknown": 1}]}
    assert entries.without_entry(DATABASE, live) is None
    twice = {"linklocal_service_entry": [dict(API.value), METADATA, dict(changed.value)]}
    assert entries.with_entry(API, twice) == {"linklocal_service_entry": [dict(API.value), METADATA]}


def test_what_the_server_fills_into_an_entry_is_no_difference() -> None:
    bare = {name: value for name, value in API.value.items() if name != "ip_fabric_DNS_service_name"}
    assert entries.with_entry(replace(API, value=bare), {"linklocal_service_entry": [dict(API.value)]}) is None


def test_an_address_and_port_that_another_entry_has_is_seen() -> None:
    other = {**THEIRS, "linklocal_service_ip": "10.96.0.1"}
    held = entries.holder(API, [METADATA, other])
    assert held is not None and (held.key, held.what) == (THEIRS["linklocal_service_name"], "10.96.0.1:443")
    assert entries.holder(API, [METADATA, THEIRS, dict(API.value)]) is None
    assert entries.holder(pool("k8s__tcp"), [dict(pool("x").value)]) is None  # equal pools may be there twice


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (replace(API, property_name="linklocal_service"), "is 'linklocal_services' meant?"),
        (replace(API, property_name="forwarding_mode"), "can be written as a whole only"),
        (replace(API, key="a:b"), "without ':'"),
        (replace(API, key="another"), "it must be the key"),
        (replace(API, value={**API.value, "linklocal_port": 1}), "has no field 'linklocal_port'"),
        (replace(API, owner_fq_name=("alone",)), "owner_fq_name"),
    ],
)
def test_an_entry_that_breaks_the_model_is_refused(entry: Entry, said: str) -> None:
    with pytest.raises(ModelError, match=said.replace("?", r"\?")):
        check_entry(entry)


def test_an_entry_is_read_back_from_its_row_and_named_by_key_and_place() -> None:
    assert Entry.from_body(API.body()) == API
    said = label(API.type, joined(API.fq_name))
    assert said == f"entry {API.key} in linklocal_services of {OWNER} {joined(OWN)}"


@pytest.mark.postgres
def test_entries_are_put_changed_and_taken_beside_those_of_others(
    store: DesiredStore, contrail: ContrailSimulator
) -> None:
    somebody(contrail, "linklocal_services", METADATA, THEIRS)
    somebody(contrail, "port_translation_pools", dict(pool("x", "udp", 1000, 1999).value))
    with applying(store, contrail):
        store.put(API, DATABASE, pool("k8s__tcp"), pool("k8s__udp", "udp", 57024, 58047), namespace="shop")
        until_applied(store)
        assert names(contrail)[:2] == ["metadata", THEIRS["linklocal_service_name"]]
        assert sorted(names(contrail)[2:]) == [API.key, DATABASE.key]
        assert sorted(pools(contrail)) == [("tcp", 56000), ("udp", 1000), ("udp", 57024)]
        store.put(local(API.key, "10.96.0.1", "192.0.2.10", "192.0.2.11"), pool("k8s__tcp", "tcp", 40000, 41000))
        store.remove(DATABASE)
        until_applied(store)
        assert names(contrail) == ["metadata", THEIRS["linklocal_service_name"], API.key]
        assert services(contrail)[2]["ip_fabric_service_ip"] == ["192.0.2.10", "192.0.2.11"]
        assert sorted(pools(contrail)) == [("tcp", 40000), ("udp", 1000), ("udp", 57024)]
        store.remove(API, pool("k8s__tcp"), pool("k8s__udp", "udp"))
        until_applied(store)
    assert services(contrail) == [METADATA, THEIRS] and pools(contrail) == [("udp", 1000)]
    assert store.states() == {}


@pytest.mark.postgres
def test_case_62_an_entry_that_is_there_is_not_written(store: DesiredStore, contrail: ContrailSimulator) -> None:
    with applying(store, contrail):
        store.put(API)
        until_applied(store)
        assert contrail.counters["PUT", OWNER] == 1
        with store.engine.begin() as connection:
            connection.execute(text("UPDATE apply_state SET status = 'pending', next_attempt_at = now()"))
            connection.execute(text("SELECT pg_notify('desired', '')"))
        until_applied(store)
        assert contrail.counters["PUT", OWNER] == 1


@pytest.mark.postgres
def test_case_68_an_address_that_an_entry_of_others_has_is_reported_and_left_alone(
    store: DesiredStore, contrail: ContrailSimulator
) -> None:
    other = {**THEIRS, "linklocal_service_ip": "10.96.0.1"}
    somebody(contrail, "linklocal_services", other)
    with applying(store, contrail):
        store.put(API, DATABASE)
        reason = until(lambda: [s.reason for s in store.states().values() if s.status == "failed"])[0]
        assert "other__default__kubernetes__443" in reason and "10.96.0.1:443" in reason and "not ours" in reason
        until(lambda: names(contrail) == [other["linklocal_service_name"], DATABASE.key])
        assert services(contrail)[0] == other
        somebody(contrail, "linklocal_services", dict(DATABASE.value))
        until_applied(store)
    assert sorted(names(contrail)) == [API.key, DATABASE.key]


@pytest.mark.postgres
def test_case_69_two_clusters_share_the_lists_and_neither_loses_an_entry(
    store: DesiredStore, contrail: ContrailSimulator
) -> None:
    theirs = (local("other__a__b__80", "10.112.0.9", port=80), pool("other__tcp"))
    somebody(contrail, "linklocal_services", dict(theirs[0].value))
    place = {"field": "port_translation_pools", "operation": "add", "value": dict(theirs[1].value), "position": "other"}
    write(contrail, "POST", "/prop-collection-update", {"uuid": owner_of(contrail), "updates": [place]})
    ours = (API, pool("k8s__tcp"))
    with applying(store, contrail):
        store.put(*ours)
        until_applied(store)
        assert pools(contrail) == [("tcp", 56000), ("tcp", 56000)]  # equal, and each lives as long as its cluster
        store.remove(*ours)
        until_applied(store)
    assert names(contrail) == ["other__a__b__80"] and pools(contrail) == [("tcp", 56000)]


@pytest.mark.postgres
def test_entries_of_one_owner_take_turns_and_all_of_them_stay(store: DesiredStore, contrail: ContrailSimulator) -> None:
    many = [local(f"k8s__shop__s{n}__80", f"10.96.1.{n}", port=80) for n in range(24)]
    with applying(store, contrail, concurrency=8):
        store.put(*many[:12], namespace="shop")
        store.put(*many[12:], namespace="blog")
        until_applied(store)
        assert sorted(names(contrail)) == sorted(each.key for each in many)
        store.remove(*many[::2])
        until_applied(store)
    assert sorted(names(contrail)) == sorted(each.key for each in many[1::2])
    assert contrail.counters["PUT", OWNER] == 36  # nothing had to be written twice


@pytest.mark.postgres
@pytest.mark.parametrize("wanted", [API, pool("k8s__tcp")], ids=["whole", "collection"])
def test_case_65_an_owner_that_is_not_there_is_waited_for_and_nothing_is_left_to_take(
    store: DesiredStore, contrail: ContrailSimulator, wanted: Entry
) -> None:
    owner = contrail.ask(lambda state: owner_gone(state))
    with applying(store, contrail):
        store.put(wanted)
        assert until(lambda: store.reasons() - {""}) == {f"{OWNER} {joined(OWN)} is not in Contrail"}
        contrail.ask(lambda state: state.add(owner))
        until_applied(store)
        contrail.ask(lambda state: owner_gone(state))  # the applier remembers its uuid, and learns of it
        store.remove(wanted)
        until(lambda: store.states() == {})


@pytest.mark.postgres
@pytest.mark.parametrize("trouble", [Trouble.DROP_AFTER, Trouble.NOTHING, Trouble.STATUS])
def test_case_63_answers_that_are_lost_or_untrue_cost_nothing_but_time(
    store: DesiredStore, contrail: ContrailSimulator, trouble: Trouble
) -> None:
    somebody(contrail, "linklocal_services", METADATA)
    contrail.faults.add(Fault(trouble, "PUT", f"/{OWNER}", count=2))
    if trouble is not Trouble.NOTHING:  # a collection is not read again: an audit finds what was not done
        contrail.faults.add(Fault(trouble, "POST", "/prop-collection-update", count=2))
    with applying(store, contrail):
        store.put(API, DATABASE, pool("k8s__tcp"))
        until_applied(store)
        assert sorted(names(contrail)) == sorted(("metadata", API.key, DATABASE.key))
        assert pools(contrail) == [("tcp", 56000)]
        contrail.faults.add(Fault(trouble, "PUT", f"/{OWNER}"))
        store.remove(API, DATABASE, pool("k8s__tcp"))
        until(lambda: store.states() == {}, told=store.unfinished)
    assert names(contrail) == ["metadata"] and pools(contrail) == []


@pytest.mark.postgres
def test_case_71_two_appliers_at_once_lose_no_entry(store: DesiredStore, contrail: ContrailSimulator) -> None:
    many = [local(f"k8s__shop__s{n}__80", f"10.96.1.{n}", port=80) for n in range(12)]
    with applying(store, contrail), applying(store, contrail):
        for each in many:
            store.put(each, namespace=each.key)
        until_applied(store)
    assert sorted(names(contrail)) == sorted(each.key for each in many)


@pytest.mark.postgres
def test_the_entry_that_a_predecessor_left_under_our_key_is_brought_up_to_date(
    store: DesiredStore, contrail: ContrailSimulator
) -> None:
    """kube-manager names one address of the API server; the key carries the cluster's name, so that it is ours."""
    key = "default-domain-k8s-default-kubernetes-443"
    somebody(contrail, "linklocal_services", METADATA, link_local(key, "10.96.0.1", 443, ["192.0.2.10"], 6443), THEIRS)
    with applying(store, contrail):
        store.put(local(key, "10.96.0.1", "192.0.2.10", "192.0.2.11"))
        until_applied(store)
    assert names(contrail) == ["metadata", key, THEIRS["linklocal_service_name"]]
    assert services(contrail)[1]["ip_fabric_service_ip"] == ["192.0.2.10", "192.0.2.11"]


def live(*values: Any) -> dict[str, Any]:
    return {OWNER: {"uuid": UUID, "linklocal_services": {"linklocal_service_entry": list(values)}}}


def attempt(wanted: Entry, *script: tuple[str, int, Any], absent: bool = False) -> tuple[Outcome, list[str]]:
    """What came of one attempt at an entry, and what was written."""
    said = Contrail(("POST /fqname-to-id", 200, {"uuid": UUID}), *script)
    with writer_of(said) as writer:
        row = Row(wanted.uuid, 0, wanted.type, joined(wanted.fq_name), wanted.body(), 1, absent=absent)
        return writer.apply(row).outcome, said.writes


GET, PUT = f"GET /{OWNER}/{UUID}", f"PUT /{OWNER}/{UUID}"


def test_an_entry_that_another_writer_took_away_meanwhile_is_put_again_at_once() -> None:
    outcome, writes = attempt(
        API,
        (GET, 200, live(METADATA)),
        (PUT, 200, {OWNER: {}}),
        (GET, 200, live(METADATA, THEIRS)),  # who had read before we wrote, and wrote after us
        (PUT, 200, {OWNER: {}}),
        (GET, 200, live(METADATA, THEIRS, dict(API.value))),
    )
    assert outcome.verdict is Verdict.DONE and writes == [PUT, PUT]


def test_an_entry_that_others_take_away_each_time_is_left_for_another_attempt() -> None:
    turn = [(PUT, 200, {OWNER: {}}), (GET, 200, live(METADATA))]
    outcome, writes = attempt(API, (GET, 200, live()), *turn * 3)
    assert outcome.verdict is Verdict.RETRY and "at the same time" in outcome.reason and len(writes) == 3


def test_an_entry_that_comes_back_while_it_is_taken_is_taken_again() -> None:
    there = live(METADATA, dict(API.value))
    script = [(GET, 200, there), (PUT, 200, {OWNER: {}}), (GET, 200, there), (PUT, 200, {OWNER: {}})]
    outcome, writes = attempt(API, *script, (GET, 200, live(METADATA)), absent=True)
    assert outcome.verdict is Verdict.DONE and writes == [PUT, PUT]


def test_case_66_a_property_that_this_contrail_does_not_have_parks_its_entry() -> None:
    refused = (400, 'port_translation_pools neither "ListProperty" nor "MapProperty"')
    outcome, _ = attempt(pool("k8s__tcp"), ("POST /prop-collection-update", *refused))
    assert outcome.verdict is Verdict.REFUSED and "neither" in outcome.reason


def write(contrail: ContrailSimulator, method: str, path: str, body: object) -> None:
    content = json.dumps(body).encode()
    asked = Call(method, path, contrail.url, "", "application/json", content)
    said = contrail.ask(lambda state: answer(state, asked))
    assert said.status == 200, said


def owner_of(contrail: ContrailSimulator) -> str:
    found: str = contrail.ask(lambda state: state.of_type(OWNER)[0].uuid)
    return found


def owner_gone(state: State) -> Any:
    (owner,) = state.of_type(OWNER)
    state.remove(owner)
    return owner
