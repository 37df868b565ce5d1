"""The simulated config API loses data on demand, and lies: answers that look right and are not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from simulators.contrail.faults import Fault, Trouble
from simulators.contrail.server import ContrailSimulator
from tests.simulators.contrail_calls import Caller, Json

pytestmark = pytest.mark.process


@pytest.fixture
def simulator() -> Iterator[ContrailSimulator]:
    with ContrailSimulator() as running:
        yield running


@pytest.fixture
def api(simulator: ContrailSimulator) -> Iterator[Caller]:
    caller = Caller(simulator.port)
    yield caller
    caller.close()


def command(api: Caller, method: str, name: str, asked: Json = None) -> None:
    said = api.call(method, f"/_simulator/{name}", asked)
    assert said.status == 200, said


def machine(name: str) -> dict[str, Json]:
    return {"virtual-machine": {"fq_name": [name]}}


def test_a_restored_backup_lacks_what_came_later_and_has_what_went(api: Caller, simulator: ContrailSimulator) -> None:
    network = api.pod_network("10.0.0.0/24")
    kept = api.create("virtual-machine", ["kept"])
    gone = api.create("virtual-machine", ["gone"])
    first = api.address("first")
    command(api, "POST", "snapshot")
    api.call("DELETE", f"/virtual-machine/{gone}")
    api.call("PUT", f"/virtual-machine/{kept}", {"virtual-machine": {"display_name": "changed"}})
    api.create("virtual-machine", ["late"])
    late = api.address("late")
    for _ in range(2):  # a backup can be restored again
        command(api, "POST", "restore")
        assert {o["name"] for o in simulator.objects("virtual-machine")} == {"kept", "gone"}
        assert api.read("virtual-machine", kept)["display_name"] == "kept"
        assert api.address("again") == late != first  # what was allocated since the backup is free again
        assert api.read("virtual-network", network)["uuid"] == network


def test_without_a_backup_nothing_is_restored(api: Caller, simulator: ContrailSimulator) -> None:
    api.create("virtual-machine", ["vm"])
    assert api.call("POST", "/_simulator/restore").status == 400
    assert simulator.count("virtual-machine") == 1


def test_an_error_is_answered_although_the_work_was_done(api: Caller, simulator: ContrailSimulator) -> None:
    fault = {"trouble": "status-after", "method": "POST", "path": "/virtual-machines", "status": 500, "text": "oops"}
    command(api, "POST", "faults", fault)
    said = api.call("POST", "/virtual-machines", machine("vm"))
    assert (said.status, said.body) == (500, "oops")
    assert simulator.count("virtual-machine") == 1


def test_success_is_answered_although_nothing_was_done(api: Caller, simulator: ContrailSimulator) -> None:
    kept = api.create("virtual-machine", ["kept"])
    for method in ("POST", "PUT", "DELETE"):
        command(api, "POST", "faults", {"trouble": "nothing", "method": method})
    created = api.call("POST", "/virtual-machines", machine("vm"))
    assert (created.status, created.body["virtual-machine"]["fq_name"]) == (200, ["vm"])
    path = f"/virtual-machine/{kept}"
    assert api.call("PUT", path, {"virtual-machine": {"display_name": "new"}}).status == 200
    assert api.call("DELETE", path).status == 200
    assert [(o["name"], o["display_name"]) for o in simulator.objects("virtual-machine")] == [("kept", "kept")]


def test_reads_are_answered_from_an_older_state(api: Caller, simulator: ContrailSimulator) -> None:
    changed = api.create("virtual-machine", ["changed"])
    command(api, "POST", "snapshot")
    api.call("PUT", f"/virtual-machine/{changed}", {"virtual-machine": {"display_name": "new"}})
    late = api.create("virtual-machine", ["late"])
    simulator.faults.add(Fault(Trouble.STALE, "", "/(virtual-machine|list-bulk|fqname-to-id)", None))
    assert api.read("virtual-machine", changed)["display_name"] == "changed"
    assert api.call("GET", f"/virtual-machine/{late}").status == 404
    assert api.call("POST", "/fqname-to-id", {"type": "virtual-machine", "fq_name": ["late"]}).status == 404
    listed = api.post("/list-bulk-collection", {"type": "virtual-machine", "fields": ""})
    assert [o["uuid"] for o in listed["virtual-machines"]] == [changed]
    command(api, "DELETE", "faults")
    assert api.read("virtual-machine", changed)["display_name"] == "new"


def test_without_an_older_state_reads_are_answered_properly(api: Caller, simulator: ContrailSimulator) -> None:
    uuid = api.create("virtual-machine", ["vm"])
    simulator.faults.add(Fault(Trouble.STALE, "GET", "/", None))
    assert api.read("virtual-machine", uuid)["name"] == "vm"


def test_over_quota_is_a_page_of_html(api: Caller, simulator: ContrailSimulator) -> None:
    command(api, "POST", "faults", {"trouble": "quota", "method": "POST", "path": "/virtual-machines"})
    said = api.call("POST", "/virtual-machines", machine("vm"))
    assert said.status == 412
    assert "<pre>quota limit (0) exceeded for resource virtual_machine</pre>" in said.body
    assert simulator.count("virtual-machine") == 0
