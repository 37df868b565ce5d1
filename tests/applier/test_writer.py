"""Which calls bring an object into Contrail, by what Contrail has."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from applier.client import ContrailClient
from applier.outcome import Verdict
from applier.owners import Owners
from applier.rows import Row
from applier.writer import OwnerMark, Writer
from schemas.contrail.objects import ContrailObject, Desired, joined
from schemas.errors import ContrailUnavailable
from schemas.settings import ContrailSettings
from tests.applier.objects import annotations, pod, project
from tests.applier.scripted import Request, ScriptedServer, reply

WEB = pod("shop", "web-0")
OTHER = "0c2b5d0e-5a3b-4a25-8f61-2f6a1c1a0009"
ROUTER = "11111111-2222-4333-8444-555555555555"


class Contrail:
    """Answers in the order given: (start of `METHOD path`, status, body); fails on any other request."""

    def __init__(self, *script: tuple[str, int, Any]) -> None:
        self._script = list(script)
        self.seen: list[tuple[str, Any]] = []

    def __call__(self, request: Request, connection: socket.socket) -> None:
        line = f"{request.method} {request.path}"
        self.seen.append((line.partition("?")[0], json.loads(request.body) if request.body else None))
        expected, status, body = self._script.pop(0) if self._script else ("nothing", 599, "")
        if not line.startswith(expected):
            status, body = 599, f"expected {expected}, not {line}"
        text = body if isinstance(body, str) else json.dumps(body)
        connection.sendall(reply(status, text.encode()))

    @property
    def writes(self) -> list[str]:
        """Requests that write."""
        reads = ("GET ", "POST /fqname-to-id", "POST /list-bulk")
        return [line for line, _ in self.seen if not line.startswith(reads)]


@contextlib.contextmanager
def writer_of(contrail: Contrail) -> Iterator[Writer]:
    with ScriptedServer(contrail) as server:
        client = ContrailClient(ContrailSettings(urls=(server.url,), connect_timeout=5.0, read_timeout=5.0))
        yield Writer(client, owners=Owners(client), mark=OwnerMark("k8s", "k8s"))
        client.close()


def row(wanted: Desired, *, absent: bool = False, applied: int | None = None) -> Row:
    return Row(
        wanted.uuid, 0, wanted.type, joined(wanted.fq_name), wanted.body(), 2, absent, applied_generation=applied
    )


def live(wanted: ContrailObject, **changes: Any) -> dict[str, Any]:
    """The object as a GET shows it."""
    fields: dict[str, Any] = {"uuid": wanted.uuid, "fq_name": list(wanted.fq_name), **wanted.properties}
    for reference in wanted.references:
        name = reference.type.replace("-", "_") + "_refs"
        fields.setdefault(name, []).append({"to": list(reference.fq_name), "uuid": reference.uuid, "attr": None})
    return {wanted.type: {**fields, **changes}}


def test_a_new_object_takes_one_call_with_everything_inline() -> None:
    contrail = Contrail(("POST /virtual-machine-interfaces", 200, {}))
    with writer_of(contrail) as writer:
        assert writer.apply(row(WEB.interface)).outcome.verdict is Verdict.DONE
    ((_, body),) = contrail.seen
    sent = body["virtual-machine-interface"]
    assert sent["uuid"] == WEB.interface.uuid
    assert sent["parent_type"] == "project"
    assert {"annotations", "virtual_machine_refs", "virtual_network_refs"} <= sent.keys()


def test_case_63_a_create_whose_answer_was_lost_finds_its_own_object() -> None:
    name = list(WEB.machine.fq_name)
    contrail = Contrail(
        ("POST /virtual-machines", 409, f"{name} already exists with uuid: {WEB.machine.uuid}"),
        (f"GET /virtual-machine/{WEB.machine.uuid}", 200, live(WEB.machine)),
    )
    with writer_of(contrail) as writer:
        assert writer.apply(row(WEB.machine)).outcome.verdict is Verdict.DONE
    assert contrail.writes == ["POST /virtual-machines"]


def test_an_own_object_of_an_earlier_generation_is_brought_up_to_date() -> None:
    contrail = Contrail(
        ("POST /virtual-machines", 409, f"{WEB.machine.uuid} already exists with fq_name: ['x']"),
        ("GET ", 200, live(WEB.machine, annotations=annotations(kind="Pod", labels="old"))),
        ("PUT ", 200, {}),
    )
    with writer_of(contrail) as writer:
        assert writer.apply(row(WEB.machine)).outcome.verdict is Verdict.DONE
    assert contrail.seen[-1][1]["virtual-machine"].keys() == {"annotations"}


def test_an_object_of_the_same_name_and_another_owner_is_reported_and_never_taken() -> None:
    name = list(WEB.machine.fq_name)
    contrail = Contrail(
        ("POST /virtual-machines", 409, f"{name} already exists with uuid: {OTHER}"),
        (f"GET /virtual-machine/{OTHER}", 200, {"virtual-machine": {"uuid": OTHER, "fq_name": name}}),
    )
    with writer_of(contrail) as writer:
        outcome = writer.apply(row(WEB.machine)).outcome
    assert outcome.verdict is Verdict.TAKEN
    assert outcome.reason == (
        f"virtual-machine k8s__shop__web-0 exists already: uuid {OTHER} holds the name, "
        "and is not ours; it is left alone (it carries no mark at all: if contrail-kube-manager made it, "
        "`python -m applier adopt` takes it over)"
    )
    assert contrail.writes == ["POST /virtual-machines"]


def test_an_object_with_our_mark_that_this_store_did_not_make_is_reported_as_such() -> None:
    name = list(WEB.machine.fq_name)
    other = {"uuid": OTHER, "fq_name": name, "annotations": annotations()}
    contrail = Contrail(
        ("POST /virtual-machines", 409, f"{name} already exists with uuid: {OTHER}"),
        ("GET ", 200, {"virtual-machine": other}),
    )
    with writer_of(contrail) as writer:
        outcome = writer.apply(row(WEB.machine)).outcome
    assert (outcome.verdict, "carries our owner mark" in outcome.reason) == (Verdict.TAKEN, True)


def test_a_uuid_that_another_name_holds_is_reported() -> None:
    contrail = Contrail(
        ("POST /virtual-machines", 409, f"{WEB.machine.uuid} already exists with fq_name: ['other']"),
        ("GET ", 200, live(WEB.machine, fq_name=["other"])),
    )
    with writer_of(contrail) as writer:
        outcome = writer.apply(row(WEB.machine)).outcome
    assert (outcome.verdict, "belongs to other" in outcome.reason) == (Verdict.TAKEN, True)


def test_a_create_that_overlaps_another_is_tried_again() -> None:
    text = f"FQ Name: real/fq-name-to-uuid/virtual_machine:x exists already with ID: {WEB.machine.uuid} at zookeeper"
    contrail = Contrail(("POST /virtual-machines", 409, text), ("GET ", 404, f"Unknown id: {WEB.machine.uuid}"))
    with writer_of(contrail) as writer:
        assert writer.apply(row(WEB.machine)).outcome.verdict is Verdict.RETRY


def test_case_62_an_equal_object_is_not_written() -> None:
    contrail = Contrail(("GET ", 200, live(WEB.interface)))
    with writer_of(contrail) as writer:
        assert writer.apply(row(WEB.interface, applied=1)).outcome.verdict is Verdict.DONE
    assert contrail.writes == []


def test_a_label_change_is_one_write_of_one_field() -> None:
    changed = replace(WEB.machine, properties={**WEB.machine.properties, "annotations": annotations(labels="new")})
    contrail = Contrail(("GET ", 200, live(WEB.machine)), ("PUT ", 200, {}))
    with writer_of(contrail) as writer:
        assert writer.apply(row(changed, applied=1)).outcome.verdict is Verdict.DONE
    assert contrail.writes == [f"PUT /virtual-machine/{WEB.machine.uuid}"]
    assert contrail.seen[-1][1] == {"virtual-machine": {"annotations": annotations(labels="new")}}


def test_case_65_an_update_of_what_is_gone_creates_it() -> None:
    contrail = Contrail(("GET ", 404, f"Unknown id: {WEB.machine.uuid}"), ("POST /virtual-machines", 200, {}))
    with writer_of(contrail) as writer:
        assert writer.apply(row(WEB.machine, applied=1)).outcome.verdict is Verdict.DONE


def test_case_65_what_goes_between_read_and_write_is_created() -> None:
    changed = replace(WEB.machine, properties={"server_type": "container"})
    contrail = Contrail(
        ("GET ", 200, live(WEB.machine)),
        ("PUT ", 404, f"Unknown id: {WEB.machine.uuid}"),
        ("POST /virtual-machines", 200, {}),
    )
    with writer_of(contrail) as writer:
        assert writer.apply(row(changed, applied=1)).outcome.verdict is Verdict.DONE


def test_case_65_a_delete_of_what_is_gone_is_done() -> None:
    contrail = Contrail(("DELETE ", 404, f"ID {WEB.machine.uuid} does not exist"))
    with writer_of(contrail) as writer:
        assert writer.apply(row(WEB.machine, absent=True, applied=1)).outcome.verdict is Verdict.DONE


def test_a_404_of_some_other_server_does_not_pass_for_deleted() -> None:
    contrail = Contrail(("DELETE ", 404, "<html>no such page</html>"))
    with writer_of(contrail) as writer:
        assert writer.apply(row(WEB.machine, absent=True, applied=1)).outcome.verdict is Verdict.RETRY


def test_what_breaks_the_model_is_never_sent() -> None:
    wrong = replace(WEB.machine, properties={"server_kind": "container"})
    contrail = Contrail()
    with writer_of(contrail) as writer:
        outcome = writer.apply(row(wrong)).outcome
    assert outcome.verdict is Verdict.INVALID
    assert "server_kind" in outcome.reason
    assert contrail.seen == []


def test_a_link_is_one_reference_added_and_its_owner_is_remembered() -> None:
    contrail = Contrail(
        ("POST /fqname-to-id", 200, {"uuid": ROUTER}), ("POST /ref-update", 200, {}), ("POST /ref-update", 200, {})
    )
    with writer_of(contrail) as writer:
        assert writer.apply(row(WEB.link)).outcome.verdict is Verdict.DONE
        assert writer.apply(row(WEB.link, absent=True, applied=1)).outcome.verdict is Verdict.DONE
    added, deleted = contrail.seen[1][1], contrail.seen[2][1]
    assert (added["type"], added["uuid"], added["operation"]) == ("virtual-router", ROUTER, "ADD")
    assert (added["ref-type"], added["ref-uuid"]) == ("virtual-machine", WEB.machine.uuid)
    assert deleted["operation"] == "DELETE"


@pytest.mark.parametrize(
    ("name", "address"), [("node-1.example.org", "192.0.2.1"), ("NODE-1", "198.51.100.7")], ids=["address", "case"]
)
def test_a_router_of_another_spelling_is_found(name: str, address: str) -> None:
    routers = [
        {"uuid": OTHER, "fq_name": ["default-global-system-config", "x"], "virtual_router_ip_address": "192.0.2.99"},
        {"uuid": ROUTER, "fq_name": ["default-global-system-config", name], "virtual_router_ip_address": address},
    ]
    contrail = Contrail(
        ("POST /fqname-to-id", 404, "Name ['default-global-system-config', 'node-1'] not found"),
        ("POST /list-bulk-collection", 200, {"virtual-routers": routers}),
        ("POST /ref-update", 200, {}),
    )
    with writer_of(contrail) as writer:
        assert writer.apply(row(WEB.link)).outcome.verdict is Verdict.DONE
    assert contrail.seen[-1][1]["uuid"] == ROUTER


def test_a_link_from_an_unregistered_router_waits_and_asks_once_for_many() -> None:
    contrail = Contrail(
        ("POST /fqname-to-id", 404, "Name ['default-global-system-config', 'node-1'] not found"),
        ("POST /list-bulk-collection", 200, {"virtual-routers": []}),
    )
    with writer_of(contrail) as writer:
        for n in range(10):
            outcome = writer.apply(row(pod("shop", f"web-{n}").link)).outcome
            assert outcome.verdict is Verdict.WAIT
            assert outcome.reason == "virtual-router of node node-1 is not registered in Contrail"
    assert len(contrail.seen) == 2


def test_a_link_is_gone_with_its_owner() -> None:
    contrail = Contrail(
        ("POST /fqname-to-id", 404, "Name ['default-global-system-config', 'node-1'] not found"),
        ("POST /list-bulk-collection", 200, {"virtual-routers": []}),
    )
    with writer_of(contrail) as writer:
        assert writer.apply(row(WEB.link, absent=True, applied=1)).outcome.verdict is Verdict.DONE


def test_a_router_registered_anew_is_found_again() -> None:
    contrail = Contrail(
        ("POST /fqname-to-id", 200, {"uuid": OTHER}),
        ("POST /ref-update", 404, f"Unknown id: {OTHER}"),
        ("POST /fqname-to-id", 200, {"uuid": ROUTER}),
        ("POST /ref-update", 200, {}),
    )
    with writer_of(contrail) as writer:
        assert writer.apply(row(WEB.link)).outcome.verdict is Verdict.DONE
    assert contrail.seen[-1][1]["uuid"] == ROUTER


def test_a_link_to_what_is_not_there_yet_waits() -> None:
    contrail = Contrail(
        ("POST /fqname-to-id", 200, {"uuid": ROUTER}),
        ("POST /ref-update", 404, f"Unknown id: {WEB.machine.uuid}"),
    )
    with writer_of(contrail) as writer:
        outcome = writer.apply(row(WEB.link)).outcome
    assert outcome.verdict is Verdict.WAIT
    assert outcome.reason == "virtual-machine k8s__shop__web-0 is not in Contrail"


def test_no_answer_is_an_error_of_its_own() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    client = ContrailClient(ContrailSettings(urls=(f"http://127.0.0.1:{port}",), connect_timeout=1.0, read_timeout=1.0))
    with pytest.raises(ContrailUnavailable):
        Writer(client, owners=Owners(client), mark=OwnerMark("k8s", "k8s")).apply(row(project("shop")))
    client.close()
