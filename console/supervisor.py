"""Keeps the services of one pipeline running: starts them, starts them again when they die, stops them.

Nothing happens between calls of `tick`: the caller's loop drives it, from the main thread (see `child.spawn`).
"""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from console.child import spawn, stop
from console.logfile import LogFile, Problem
from schemas.errors import SettingsError

logger = logging.getLogger(__name__)

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 15.0
STEADY_SECONDS = 30.0
"""A service that ran this long starts again after FIRST_PAUSE when it dies."""
STOP_SECONDS = 30.0
EXIT_SETTINGS = 2
"""Exit code of a service whose settings are wrong: starting it again cannot help."""


@dataclass(frozen=True, slots=True)
class Service:
    """One process `python -m <module>`; `environment` is all of it; `health_port` answers /readyz."""

    name: str
    module: str
    environment: Mapping[str, str] = field(repr=False)
    health_port: int

    @property
    def arguments(self) -> tuple[str, ...]:
        """Command line; -u so that a killed service's last words are in its log."""
        return (sys.executable, "-u", "-m", self.module)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a service stands: `pid` is None while it is down, `pause` the seconds until it starts again."""

    name: str
    pid: int | None
    restarts: int
    pause: float
    last_exit: str
    problem: Problem | None


class Spawn(Protocol):
    """What starts a process; `child.spawn` outside of tests."""

    def __call__(
        self, arguments: Sequence[str], *, environment: Mapping[str, str], log: Path
    ) -> subprocess.Popen[bytes]: ...


class Supervised:
    """One service over its life of several processes."""

    def __init__(self, service: Service, *, log: Path, start: Spawn, clock: Callable[[], float]) -> None:
        self.service = service
        self.log = LogFile(log, clock=clock)
        self._start = start
        self._clock = clock
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._due_at = 0.0
        self._pause = FIRST_PAUSE
        self._restarts = 0
        self._last_exit = ""

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        """The running process, if there is one."""
        return self._process

    def tick(self) -> None:
        """Notice a death, start what is due; raises SettingsError when the service refuses its settings."""
        self.log.look()
        now = self._clock()
        if self._process is not None and (code := self._process.poll()) is not None:
            self._died(code, now)
        if self._process is None and now >= self._due_at:
            self._process = self._start(self.service.arguments, environment=self.service.environment, log=self.log.path)
            self._started_at = now

    def standing(self) -> Standing:
        """How it stands now."""
        down = self._process is None
        return Standing(
            name=self.service.name,
            pid=None if self._process is None else self._process.pid,
            restarts=self._restarts,
            pause=max(0.0, self._due_at - self._clock()) if down else 0.0,
            last_exit=self._last_exit,
            problem=self.log.problem,
        )

    def _died(self, code: int, now: float) -> None:
        self._process = None
        self.log.look()
        self._last_exit = f"signal {-code}" if code < 0 else f"exit code {code}"
        if code == EXIT_SETTINGS:
            raise SettingsError(f"{self.service.name} cannot start: {self.log.last_line or self._last_exit}")
        if now - self._started_at >= STEADY_SECONDS:
            self._pause = FIRST_PAUSE
        self._due_at = now + self._pause
        logger.warning(
            "%s ended (%s), starting it again in %.1f s; its log is %s: %s",
            *(self.service.name, self._last_exit, self._pause, self.log.path, self.log.last_line[-300:]),
        )
        self._pause = min(self._pause * 2, LONGEST_PAUSE)
        self._restarts += 1


class Supervisor:
    """All services of one pipeline, started in order and stopped in order, `folder` taking their logs."""

    def __init__(self, *, folder: Path, start: Spawn = spawn, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._start = start
        self._clock = clock
        self._services: list[Supervised] = []

    @property
    def services(self) -> tuple[Service, ...]:
        """What is supervised."""
        return tuple(each.service for each in self._services)

    def add(self, service: Service) -> Supervised:
        """Start one more service."""
        supervised = Supervised(service, log=self._folder / f"{service.name}.log", start=self._start, clock=self._clock)
        self._services.append(supervised)
        supervised.tick()
        return supervised

    def tick(self) -> None:
        """Look after all of them; raises SettingsError when one refuses its settings."""
        for each in self._services:
            each.tick()

    def standings(self) -> tuple[Standing, ...]:
        """How they stand, in order of their start."""
        return tuple(each.standing() for each in self._services)

    def stop(
        self,
        *,
        groups: Sequence[Sequence[str]] = (),
        within: float = STOP_SECONDS,
        hurry: Callable[[], bool] = lambda: False,
    ) -> None:
        """Stop group after group of services by name, then whatever is left; each group has `within` seconds."""
        named = [list(group) for group in groups]
        named.append([service.name for service in self.services])
        for group in named:
            processes = [e.process for e in self._services if e.service.name in group and e.process is not None]
            for pid in stop(processes, within=within, hurry=hurry):
                logger.warning("process %d did not end in time after SIGTERM and was killed", pid)
