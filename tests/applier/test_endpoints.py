"""Several API servers: which one is asked, when another is, and what that costs."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from prometheus_client import REGISTRY

from applier.client import ContrailClient
from applier.connection import Server
from applier.endpoints import FIRST_AVOIDANCE, LONGEST_AVOIDANCE, Endpoint, Endpoints
from applier.outcome import Call, Verdict, classify
from schemas.errors import ContrailUnavailable, Fenced
from schemas.settings import ContrailSettings
from simulators.contrail.faults import Fault, Trouble
from simulators.contrail.server import ContrailSimulator
from tests.applier.doors import Door
from tests.applier.scripted import Request, ScriptedServer, reply

UUID = "068c8286-227d-424e-aac9-7ed71545b2e6"


def endpoints(count: int = 2) -> tuple[Endpoints, list[Endpoint]]:
    """Endpoints that are never connected to, and each of them in order."""
    servers = [Server(f"http://host-{n}", tls=None, connect_timeout=1, read_timeout=1) for n in range(count)]
    made = Endpoints(servers)
    found: list[Endpoint] = []
    while (each := made.untried(found, 0.0)) is not None:
        found.append(each)
    return made, found


def failovers() -> float:
    return REGISTRY.get_sample_value("contrail_kube_applier_failovers_total") or 0.0


def fail(among: Endpoints, endpoint: Endpoint, now: float, *, answered: bool = False) -> bool:
    return among.failed(endpoint, began=now - 0.01, now=now, reason="refused", answered=answered)


def test_the_first_is_asked_as_long_as_it_answers() -> None:
    among, (first, _) = endpoints()
    among.answered(first, 1.0)
    assert among.current is first


def test_one_that_failed_is_left_and_not_gone_back_to_by_itself() -> None:
    among, (first, second) = endpoints()
    assert fail(among, first, 1.0)
    assert among.current is second
    among.answered(second, 1000.0)
    assert among.current is second


def test_a_single_one_has_no_other() -> None:
    among, (first,) = endpoints(1)
    assert not fail(among, first, 1.0)
    among.answered(first, 2.0)
    assert not among.failed(first, began=1.5, now=3.0, reason="reset")
    assert among.current is first


def test_requests_that_were_under_way_together_count_once() -> None:
    among, (first, _) = endpoints()
    for _ in range(8):
        among.failed(first, began=0.5, now=1.0, reason="reset")
    assert first.failures == 1


def test_an_endpoint_that_answers_others_is_not_left_for_one_lost_answer() -> None:
    among, (first, _) = endpoints()
    among.answered(first, 20.0)
    assert among.failed(first, began=0.0, now=30.0, reason="no answer within 30 s"), "the others need not wait"
    assert among.current is first


def test_an_endpoint_that_says_it_is_not_well_is_left_though_it_answers() -> None:
    among, (first, second) = endpoints()
    among.answered(first, 20.0)
    assert among.failed(first, began=19.0, now=20.5, reason="it answered 503", answered=True)
    assert among.current is second


def test_the_avoidance_grows_to_its_limit_and_ends_with_an_answer() -> None:
    among, (first,) = endpoints(1)
    avoided = []
    for now in range(100, 1000, 100):
        fail(among, first, float(now))
        avoided.append(first.avoided_until - now)
    assert avoided[:3] == [FIRST_AVOIDANCE, 2 * FIRST_AVOIDANCE, 4 * FIRST_AVOIDANCE]
    assert avoided[-1] == LONGEST_AVOIDANCE
    among.answered(first, 2000.0)
    fail(among, first, 3000.0)
    assert first.avoided_until == 3000.0 + FIRST_AVOIDANCE


def test_one_that_was_well_is_preferred_to_those_that_failed() -> None:
    among, (first, second, third) = endpoints(3)
    fail(among, first, 1.0)
    fail(among, second, 1.1)
    assert among.current is third
    assert not fail(among, third, 1.2), "all are away: calls are to be held back"
    assert among.current is first, "the one that is avoided for the shortest time"


def test_each_change_is_logged_and_counted_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    before = failovers()
    among, (first, second) = endpoints()
    among.answered(first, 1.0)
    for now in (10.0, 20.0, 30.0):  # both away: the choice moves, but no call gets through
        fail(among, first, now)
        fail(among, second, now)
    fail(among, first, 40.0)
    for now in (41.0, 42.0):
        among.answered(second, now)
    assert [record.getMessage() for record in caplog.records] == [
        "the Contrail API is asked at another endpoint from=http://host-0 to=http://host-1 reason=refused"
    ]
    assert failovers() == before + 1


@contextlib.contextmanager
def client_of(*urls: str, read_timeout: float = 5.0) -> Iterator[ContrailClient]:
    client = ContrailClient(ContrailSettings(urls=urls, connect_timeout=2.0, read_timeout=read_timeout), pool_size=8)
    try:
        yield client
    finally:
        client.close()


def nowhere() -> str:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


def ok(request: Request, connection: socket.socket) -> None:
    connection.sendall(reply(200, b'{"uuid": "x"}'))


def lose(request: Request, connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_RDWR)


@pytest.mark.process
def test_a_call_that_could_not_be_sent_goes_to_the_next_at_once() -> None:
    with ScriptedServer(ok) as server, client_of(nowhere(), server.url) as client:
        assert client.create("project", {}).ok
        assert client.create("project", {}).ok
        assert server.connections == 1


@pytest.mark.process
def test_permission_to_write_is_asked_when_an_endpoint_was_found() -> None:
    asked: list[float] = []

    def never() -> bool:
        asked.append(time.monotonic())
        return False

    with ScriptedServer(ok) as server, client_of(nowhere(), server.url) as client:
        with pytest.raises(Fenced):
            client.create("project", {}, may_send=never)
        assert not server.requests
    assert len(asked) == 1, "where no connection came about nothing was to be asked"


@pytest.mark.process
def test_one_endpoint_is_stuck_to() -> None:
    with ScriptedServer(ok) as first, ScriptedServer(ok) as second, client_of(first.url, second.url) as client:
        for _ in range(10):
            assert client.delete("project", UUID).ok
        assert (len(first.requests), len(second.requests)) == (10, 0)


@pytest.mark.process
def test_a_lost_answer_stands_and_the_next_call_goes_elsewhere() -> None:
    with ScriptedServer(lose) as first, ScriptedServer(ok) as second, client_of(first.url, second.url) as client:
        with pytest.raises(ContrailUnavailable) as raised:
            client.create("project", {})
        assert raised.value.elsewhere
        assert (len(first.requests), len(second.requests)) == (1, 0), "no hidden retry"
        assert client.create("project", {}).ok
        assert (len(first.requests), len(second.requests)) == (1, 1)


@pytest.mark.process
@pytest.mark.parametrize("status", [502, 503, 504])
def test_case_67_an_endpoint_that_is_not_well_is_left(status: int) -> None:
    def not_well(request: Request, connection: socket.socket) -> None:
        connection.sendall(reply(status, b"Service Unavailable"))

    with ScriptedServer(not_well) as first, ScriptedServer(ok) as second, client_of(first.url, second.url) as client:
        outcome = classify(Call.CREATE, client.create("project", {}))
        assert (outcome.verdict, outcome.elsewhere) == (Verdict.BUSY, True)
        assert len(second.requests) == 0, "no hidden retry"
        assert client.create("project", {}).ok
        assert len(first.requests) == 1


@pytest.mark.process
def test_case_67_too_many_requests_are_no_reason_to_leave() -> None:
    def busy(request: Request, connection: socket.socket) -> None:
        connection.sendall(reply(429, b"", "Retry-After: 2"))

    with ScriptedServer(busy) as first, ScriptedServer(ok) as second, client_of(first.url, second.url) as client:
        outcome = classify(Call.CREATE, client.create("project", {}))
        assert (outcome.verdict, outcome.elsewhere, outcome.retry_after) == (Verdict.BUSY, False, 2.0)
        client.create("project", {})
        assert len(second.requests) == 0


@pytest.mark.process
def test_when_all_are_away_all_are_named_and_each_is_found_again() -> None:
    with (
        ContrailSimulator() as simulator,
        Door(simulator.url) as one,
        Door(simulator.url) as other,
        client_of(one.url, other.url) as client,
    ):
        assert client.fqname_to_id("project", ("default-domain", "default-project")).ok
        one.kill()
        other.kill()
        for _ in range(3):
            with pytest.raises(ContrailUnavailable) as raised:
                client.create("project", {})
            assert not raised.value.elsewhere
            assert one.url in str(raised.value) and other.url in str(raised.value)
            assert "CONTRAIL_KUBE_CONTRAIL_URLS" in str(raised.value)
        for door in (one, other):
            door.open()
            assert client.fqname_to_id("project", ("default-domain", "default-project")).ok
            door.kill()


@pytest.mark.process
def test_a_server_that_never_answers_costs_one_timeout_and_not_one_per_call() -> None:
    with ContrailSimulator() as simulator, Door(simulator.url) as one, Door(simulator.url) as other:
        one.swallowing = True
        with client_of(one.url, other.url, read_timeout=0.5) as client, ThreadPoolExecutor(8) as pool:
            began = time.monotonic()

            def call(number: int) -> bool:
                try:
                    return client.fqname_to_id("project", ("default-domain", "default-project")).ok
                except ContrailUnavailable as error:
                    assert error.elsewhere
                    return False

            answered = list(pool.map(call, range(200)))
            assert time.monotonic() - began < 1.5
    assert answered.count(False) == 8, "those that were under way, one in each thread"


@pytest.mark.process
def test_an_endpoint_killed_in_mid_work_is_survived_within_a_second() -> None:
    made: list[str] = []
    with ContrailSimulator(latency=0.002) as simulator, Door(simulator.url) as one, Door(simulator.url) as other:
        with client_of(one.url, other.url) as client, ThreadPoolExecutor(8) as pool:
            killed_at: list[float] = []
            gaps: list[float] = []

            def make(number: int) -> None:
                name = f"vm-{number}"
                while True:
                    try:
                        outcome = classify(Call.CREATE, client.create("virtual-machine", {"fq_name": [name]}))
                    except ContrailUnavailable as error:
                        assert error.elsewhere
                        continue
                    if killed_at and not gaps:
                        gaps.append(time.monotonic() - killed_at[0])
                    assert outcome.verdict in (Verdict.DONE, Verdict.EXISTS)
                    made.append(name)
                    return

            work = [pool.submit(make, number) for number in range(300)]
            while len(made) < 50:
                time.sleep(0.001)
            one.kill()
            killed_at.append(time.monotonic())
            for each in work:
                each.result()
        assert simulator.count("virtual-machine") == 300
        assert gaps[0] < 1.0
        assert other.connections > 0


@pytest.mark.process
def test_an_old_answer_does_not_bring_a_left_endpoint_back() -> None:
    release = threading.Event()

    def slow(request: Request, connection: socket.socket) -> None:
        if request.path == "/slows":
            release.wait(5.0)
            ok(request, connection)
        else:
            connection.sendall(reply(503, b""))

    with ScriptedServer(slow) as first, ScriptedServer(ok) as second, client_of(first.url, second.url) as client:
        with ThreadPoolExecutor(1) as pool:
            late = pool.submit(client.create, "slow", {})
            while not first.requests:
                time.sleep(0.001)
            assert client.create("project", {}).status == 503
            assert client.create("project", {}).ok
            release.set()
            assert late.result().ok
            assert client.create("project", {}).ok
        assert len(second.requests) == 2


@pytest.mark.process
def test_work_done_and_not_answered_is_found_at_the_other_endpoint() -> None:
    with (
        ContrailSimulator(faults=[Fault(Trouble.DROP_AFTER, "POST", "/virtual-machines")]) as simulator,
        Door(simulator.url) as one,
        Door(simulator.url) as other,
        client_of(one.url, other.url) as client,
    ):
        with pytest.raises(ContrailUnavailable):
            client.create("virtual-machine", {"fq_name": ["vm"]})
        again = classify(Call.CREATE, client.create("virtual-machine", {"fq_name": ["vm"]}))
        assert again.verdict is Verdict.EXISTS
        assert (simulator.count("virtual-machine"), other.connections) == (1, 1)
