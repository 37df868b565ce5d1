"""The simulated config API as a server: start, stop, lose data, fail on demand, count."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from simulators.contrail.faults import Fault, Trouble
from simulators.contrail.server import ContrailSimulator
from tests.simulators.contrail_calls import Caller

pytestmark = pytest.mark.process

DROPPED = (http.client.RemoteDisconnected, ConnectionResetError)


@pytest.fixture
def simulator() -> Iterator[ContrailSimulator]:
    with ContrailSimulator() as running:
        yield running


@pytest.fixture
def api(simulator: ContrailSimulator) -> Iterator[Caller]:
    caller = Caller(simulator.port)
    yield caller
    caller.close()


def machine(name: str) -> dict[str, object]:
    return {"virtual-machine": {"fq_name": [name]}}


def test_keeps_its_port_and_state_over_a_restart(simulator: ContrailSimulator, api: Caller) -> None:
    api.create("virtual-machine", ["vm"])
    port = simulator.port
    simulator.stop()
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=1)
    simulator.start()
    assert simulator.port == port
    assert simulator.find("virtual-machine", "vm") is not None


def test_reset_leaves_only_what_a_first_start_makes(api: Caller, simulator: ContrailSimulator) -> None:
    api.create("virtual-machine", ["vm"])
    before = simulator.find("project", "default-domain", "default-project")
    simulator.reset()
    assert simulator.count("virtual-machine") == 0
    after = simulator.find("project", "default-domain", "default-project")
    assert before is not None and after is not None and before["uuid"] != after["uuid"]


def test_a_number_that_is_no_port_is_an_error_at_start_as_a_taken_one() -> None:
    with pytest.raises(OSError, match="a port is 0 to 65535"):
        ContrailSimulator(port=65536).start()


def test_taken_port_is_an_error_at_start(simulator: ContrailSimulator) -> None:
    with pytest.raises(OSError):
        ContrailSimulator(port=simulator.port).start()


def test_nodes_have_virtual_routers() -> None:
    with ContrailSimulator(nodes={"node-1": "10.0.0.1", "node-2": "10.0.0.2"}) as simulator:
        found = {r["name"]: r["virtual_router_ip_address"] for r in simulator.objects("virtual-router")}
    assert found == {"node-1": "10.0.0.1", "node-2": "10.0.0.2"}


def test_counts_requests_by_method_and_type(api: Caller, simulator: ContrailSimulator) -> None:
    uuid = api.create("virtual-machine", ["vm"])
    api.read("virtual-machine", uuid)
    api.get("/virtual-machines?count=true")
    assert simulator.counters == {("POST", "virtual-machine"): 1, ("GET", "virtual-machine"): 2}
    assert api.get("/_simulator/counters") == {"POST virtual-machine": 1, "GET virtual-machine": 2}
    api.call("DELETE", "/_simulator/counters")
    assert simulator.counters == {}


def test_refuses_as_often_as_ordered(api: Caller, simulator: ContrailSimulator) -> None:
    api.post(
        "/_simulator/faults",
        {
            "trouble": "status",
            "status": 429,
            "method": "POST",
            "path": "/virtual-machines",
            "count": 2,
            "retry_after": 3,
        },
    )
    refused = api.call("POST", "/virtual-machines", machine("a"))
    assert (refused.status, refused.headers["Retry-After"]) == (429, "3")
    assert api.call("GET", "/virtual-machines").status == 200
    assert api.call("POST", "/virtual-machines", machine("a")).status == 429
    assert api.call("POST", "/virtual-machines", machine("a")).status == 200
    assert simulator.count("virtual-machine") == 1
    assert simulator.faults.waiting == ()


@pytest.mark.parametrize(("trouble", "done"), [(Trouble.DROP_BEFORE, 0), (Trouble.DROP_AFTER, 1)])
def test_cuts_the_connection_before_or_after_the_work(
    api: Caller, simulator: ContrailSimulator, trouble: Trouble, done: int
) -> None:
    simulator.faults.add(Fault(trouble, method="POST", path="/virtual-machines"))
    with pytest.raises(DROPPED):
        api.call("POST", "/virtual-machines", machine("vm"))
    assert simulator.count("virtual-machine") == done


def test_faults_without_a_count_stay_until_they_are_cleared(api: Caller, simulator: ContrailSimulator) -> None:
    simulator.faults.add(Fault(Trouble.STATUS, path="/virtual-", count=None))
    assert {api.call("GET", "/virtual-networks").status for _ in range(5)} == {503}
    api.call("DELETE", "/_simulator/faults")
    assert api.call("GET", "/virtual-networks").status == 200


@pytest.mark.parametrize(
    "asked", [{"trouble": "rain"}, {}, {"trouble": "status", "sort": 1}, {"trouble": "status", "path": "("}]
)
def test_malformed_fault_is_refused(api: Caller, asked: dict[str, object]) -> None:
    said = api.call("POST", "/_simulator/faults", asked)
    assert said.status == 400
    assert api.get("/_simulator/faults") == []


def test_unknown_command_to_the_simulator_is_not_found(api: Caller) -> None:
    assert api.call("GET", "/_simulator/nope").status == 404


def test_latency_delays_answers_without_keeping_others_waiting() -> None:
    with ContrailSimulator(latency=0.2) as simulator:
        began = time.monotonic()
        threads = [threading.Thread(target=_list_once, args=(simulator.port,)) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took = time.monotonic() - began
    assert 0.2 <= took < 1.0


def test_work_keeps_others_waiting() -> None:
    with ContrailSimulator(work=0.05) as simulator:
        began = time.monotonic()
        threads = [threading.Thread(target=_list_once, args=(simulator.port,)) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert time.monotonic() - began >= 0.25


def _list_once(port: int) -> None:
    caller = Caller(port)
    caller.get("/projects")
    caller.close()


def test_of_concurrent_creates_of_one_name_one_succeeds(simulator: ContrailSimulator) -> None:
    said: list[int] = []

    def create() -> None:
        caller = Caller(simulator.port)
        said.append(caller.call("POST", "/virtual-machines", machine("race")).status)
        caller.close()

    threads = [threading.Thread(target=create) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == [200, *[409] * 7]


def test_runs_as_a_process_until_it_is_told_to_stop() -> None:
    command = [sys.executable, "-m", "simulators.contrail", "--port", "0", "--node", "node-1=10.0.0.1"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        caller = Caller(int(url.rpartition(":")[2]))
        assert caller.get("/virtual-routers?count=true") == {"virtual-routers": {"count": 1}}
        caller.close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("CONTRAIL_KUBE_SIMULATOR_PORT", "80a", "expected a whole number"),
        ("CONTRAIL_KUBE_SIMULATOR_NODES", "node-1", "'node-1' is not name=address"),
        ("CONTRAIL_KUBE_SIMULATOR_PROT", "1", "did you mean CONTRAIL_KUBE_SIMULATOR_PORT?"),
    ],
)
def test_wrong_setting_is_named_at_start(name: str, value: str, said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "simulators.contrail"],
        env={**os.environ, name: value},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert said in done.stderr
