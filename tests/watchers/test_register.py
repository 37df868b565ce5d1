"""The register: epochs above all earlier ones, over restarts, several watchers and lost memories; counts; wishes."""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import KubernetesForbidden, KubernetesUnavailable, NotLeading, SettingsError
from tests.watchers.fake_api import FakeApi, Reply, Request
from tests.watchers.objects import status
from watchers.connection import Connection
from watchers.lease import Lease
from watchers.register import Wish, raised
from watchers.register_file import RegisterFile
from watchers.register_lease import RegisterLease


@given(st.integers(0, 2**40), st.floats(0, 2**33))
def test_an_epoch_is_above_the_last_whatever_the_clock_says(previous: int, now: float) -> None:
    assert raised(previous, now=now) > previous


def test_case_21_epochs_go_on_rising_when_their_memory_was_set_back() -> None:
    latest = raised(raised(0, now=1_700_000_000), now=1_700_000_000)
    assert raised(3, now=1_700_000_100) > latest


def test_case_25_a_clock_that_jumps_back_an_hour_does_no_harm() -> None:
    assert raised(1_700_003_600, now=1_700_000_000) == 1_700_003_601


def test_a_file_gives_rising_epochs_over_restarts(tmp_path: Path) -> None:
    path = tmp_path / "state" / "epochs.json"
    first = RegisterFile(path, clock=lambda: 100.0)
    assert [first.next("Pod"), first.next("Pod"), first.next("Node")] == [100, 101, 100]
    first.remember("Pod", 7)
    second = RegisterFile(path, clock=lambda: 50.0)
    assert second.next("Pod") == 102
    assert (second.known("Pod"), second.known("Node")) == (7, 0)


def test_a_file_serves_several_watchers_at_once(tmp_path: Path) -> None:
    given_out: list[int] = []

    def take() -> None:
        epochs = RegisterFile(tmp_path / "epochs.json", clock=lambda: 1.0)
        given_out.extend(epochs.next("Pod") for _ in range(25))

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(given_out) == list(range(1, 101))


@pytest.mark.parametrize("content", ["", "{", "[]", '{"other": 1}', '{"epoch": {}, "other": {}}'])
def test_a_file_that_is_something_else_is_a_wrong_setting(tmp_path: Path, content: str) -> None:
    (tmp_path / "epochs.json").write_text(content)
    with pytest.raises(SettingsError, match="CONTRAIL_KUBE_WATCHERS_EPOCH_FILE"):
        RegisterFile(tmp_path / "epochs.json")
    assert (tmp_path / "epochs.json").read_text() == content


class _Leases:
    """The API server's part: one Lease under compare-and-swap."""

    def __init__(self) -> None:
        self.lease: dict[str, object] | None = None
        self.version = 0
        self.lock = threading.Lock()
        self.conflicts = 0

    def __call__(self, request: Request) -> Reply:
        with self.lock:
            if request.method == "GET":
                return Reply(json.dumps(self.lease).encode()) if self.lease else Reply(status=404)
            fresh = json.loads(request.body)
            current = str(self.version) if self.lease else None
            if fresh["metadata"].get("resourceVersion") != current:
                self.conflicts += 1
                return Reply(json.dumps(status(409)).encode(), 409)
            self.version += 1
            fresh["metadata"]["resourceVersion"] = str(self.version)
            self.lease = fresh
            return Reply(json.dumps(fresh).encode(), 200 if current else 201)


def _lease(api: FakeApi, *, now: float = 10.0, holder: str = "") -> RegisterLease:
    lease = Lease(Connection(api.load), namespace="kube-system", name="watchers")
    return RegisterLease(lease, holder=holder, clock=lambda: now)


def test_a_lease_is_made_and_raised_by_compare_and_swap() -> None:
    leases = _Leases()
    with FakeApi(leases) as api:
        epochs = _lease(api)
        assert [epochs.next("Pod"), epochs.next("Pod"), epochs.next("Node")] == [10, 11, 10]
        epochs.remember("Pod", 7)
        assert (epochs.known("Pod"), epochs.known("Node")) == (7, 0)
        assert _lease(api, now=0.0).next("Pod") == 12
    assert leases.lease is not None
    assert [request.method for request in api.requests[:3]] == ["GET", "POST", "GET"]


def test_two_watchers_never_get_the_same_epoch_from_a_lease() -> None:
    leases = _Leases()
    given_out: list[int] = []
    with FakeApi(leases) as api:

        def take() -> None:
            epochs, wanted = _lease(api, now=1.0), 20
            while wanted:
                # The rivals may win twenty swaps in a row; the reflector, too, tries again then.
                with suppress(KubernetesUnavailable):
                    given_out.append(epochs.next("Pod"))
                    wanted -= 1

        threads = [threading.Thread(target=take) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(given_out) == list(range(1, 61))


def test_a_lease_that_may_not_be_written_names_the_rights() -> None:
    def script(request: Request) -> Reply:
        return Reply(status=404) if request.method == "GET" else Reply(json.dumps(status(403, "no")).encode(), 403)

    with FakeApi(script) as api, pytest.raises(KubernetesForbidden, match="get, create and update on leases"):
        _lease(api).next("Pod")


def test_a_lease_in_a_namespace_that_does_not_exist_names_it() -> None:
    with FakeApi(lambda request: Reply(status=404)) as api, pytest.raises(KubernetesUnavailable, match="kube-system"):
        _lease(api).next("Pod")


def test_a_lease_that_somebody_else_writes_all_the_time_is_given_up_for_now() -> None:
    def script(request: Request) -> Reply:
        if request.method == "GET":
            return Reply(b'{"metadata":{"resourceVersion":"1","annotations":{"opencontrail.org/epoch.Pod":"spoiled"}}}')
        return Reply(status=409)

    with FakeApi(script) as api, pytest.raises(KubernetesUnavailable, match="20 swaps"):
        _lease(api).next("Pod")


def test_a_wish_in_a_file_is_seen_and_goes_when_it_has_come_true(tmp_path: Path) -> None:
    register = RegisterFile(tmp_path / "epochs.json")
    wish = Wish("one", confirmed=True)
    register.wish("Pod", wish)
    register.hold("Pod", "too few")
    assert (register.wishes(), register.held("Pod")) == ({"Pod": wish}, "too few")
    register.remember("Pod", 3, granted=Wish("an earlier one"))
    assert (register.wishes(), register.held("Pod")) == ({"Pod": wish}, "")
    register.remember("Pod", 3, granted=wish)
    assert register.wishes() == {}


def test_a_register_in_a_lease_that_another_holds_gives_no_epochs() -> None:
    leases = _Leases()
    with FakeApi(leases) as api:
        assert _lease(api).next("Pod") == 10
        with pytest.raises(NotLeading, match="held by nobody, not by this watcher"):
            _lease(api, holder="me").next("Pod")
        assert _lease(api).next("Pod") == 11
