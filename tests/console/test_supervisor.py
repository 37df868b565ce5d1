"""Services are started, started again with back-off, given up only for wrong settings, and stopped in order."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from console.supervisor import FIRST_PAUSE, LONGEST_PAUSE, STEADY_SECONDS, Service, Supervisor
from schemas.errors import SettingsError


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Process:
    """Stands in for a Popen: ends when `code` is set."""

    def __init__(self, pid: int, told: list[str], name: str) -> None:
        self.pid = pid
        self.code: int | None = None
        self._told = told
        self._name = name

    def poll(self) -> int | None:
        return self.code

    def terminate(self) -> None:
        self._told.append(f"TERM {self._name}")
        self.code = 0

    def kill(self) -> None:
        self._told.append(f"KILL {self._name}")
        self.code = -9

    def wait(self, timeout: float | None = None) -> int | None:
        return self.code


class Machine:
    """Starts processes that a test ends as it likes."""

    def __init__(self) -> None:
        self.started: list[Process] = []
        self.told: list[str] = []
        self.environments: list[Mapping[str, str]] = []

    def spawn(self, arguments: Sequence[str], *, environment: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
        assert arguments[:3] == (sys.executable, "-u", "-m")
        process = Process(1000 + len(self.started), self.told, arguments[3])
        self.started.append(process)
        self.environments.append(environment)
        return cast("subprocess.Popen[bytes]", process)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def supervisor(tmp_path: Path, clock: Clock, machine: Machine) -> Supervisor:
    return Supervisor(folder=tmp_path, start=machine.spawn, clock=clock)


def _service(name: str, **environment: str) -> Service:
    return Service(name, name, environment, 0)


def test_a_service_runs_with_its_own_environment(supervisor: Supervisor, machine: Machine) -> None:
    supervisor.add(_service("translator", CONTRAIL_KUBE_CLUSTER_NAME="prod"))
    assert machine.environments == [{"CONTRAIL_KUBE_CLUSTER_NAME": "prod"}]
    assert supervisor.standings()[0].pid == 1000


def test_a_service_that_died_starts_again_after_a_pause_that_grows(
    supervisor: Supervisor, machine: Machine, clock: Clock
) -> None:
    supervisor.add(_service("applier"))
    pauses: list[Any] = []
    for death in range(8):
        machine.started[-1].code = -9
        supervisor.tick()
        standing = supervisor.standings()[0]
        assert (standing.pid, standing.last_exit, standing.restarts) == (None, "signal 9", death + 1)
        pauses.append(standing.pause)
        clock.now += standing.pause - 0.01
        supervisor.tick()
        assert len(machine.started) == death + 1, "started before its pause was over"
        clock.now += 0.02
        supervisor.tick()
        assert len(machine.started) == death + 2
    assert pauses == pytest.approx([0.5, 1, 2, 4, 8, LONGEST_PAUSE, LONGEST_PAUSE, LONGEST_PAUSE])


def test_a_service_that_ran_for_long_starts_again_at_once(
    supervisor: Supervisor, machine: Machine, clock: Clock
) -> None:
    supervisor.add(_service("applier"))
    for _ in range(5):
        machine.started[-1].code = 1
        supervisor.tick()
        clock.now += LONGEST_PAUSE
        supervisor.tick()
    clock.now += STEADY_SECONDS
    machine.started[-1].code = 1
    supervisor.tick()
    assert supervisor.standings()[0].pause == pytest.approx(FIRST_PAUSE)


def test_a_service_that_refuses_its_settings_ends_the_run_with_its_own_words(
    supervisor: Supervisor, machine: Machine, tmp_path: Path
) -> None:
    supervisor.add(_service("watchers"))
    (tmp_path / "watchers.log").write_text("starting\nCONTRAIL_KUBE_WATCHERS_KUBECONFIG=x: no such file\n")
    machine.started[0].code = 2
    with pytest.raises(SettingsError, match="watchers cannot start: CONTRAIL_KUBE_WATCHERS_KUBECONFIG=x: no such file"):
        supervisor.tick()


def test_services_stop_in_the_order_of_their_groups(supervisor: Supervisor, machine: Machine) -> None:
    for name in ("contrail-api", "translator", "applier", "watchers"):
        supervisor.add(_service(name))
    supervisor.stop(groups=[["watchers"], ["translator", "applier"]])
    assert machine.told == ["TERM watchers", "TERM translator", "TERM applier", "TERM contrail-api"]
