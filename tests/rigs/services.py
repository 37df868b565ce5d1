"""Services as a person runs them: `python -m <module>` in a process of its own, to be killed and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from console.child import spawn, stop

ROOT = Path(__file__).parents[2]


class Service:
    """One service over its life of several processes; its output is appended to one log file."""

    def __init__(
        self, module: str, *, environment: Mapping[str, str], folder: Path, name: str = "", netns: str = ""
    ) -> None:
        self.module = module
        self.name = name or module
        self.log = folder / f"{self.name}.log"
        self._prefix = ["nsenter", f"--net={netns}"] if netns else []
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("CONTRAIL_KUBE_")},
            "PYTHONPATH": str(ROOT),
            **environment,
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether its process is alive."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Of the process that was started last."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> Service:
        """Start a process (again)."""
        assert not self.running
        command = [*self._prefix, sys.executable, "-u", "-m", self.module]
        self._process = spawn(command, environment=self._environment, log=self.log)
        return self

    def kill(self) -> None:
        """SIGKILL, as the kernel does when memory runs out."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def terminate(self, *, within: float = 30.0) -> int:
        """SIGTERM; returns the exit code. Fails when it does not end in time."""
        return terminate_all([self], within=within)[self.name]

    def end(self) -> None:
        """Whatever it takes."""
        if self._process is not None:
            stop([self._process], within=5.0)

    def tail(self, characters: int = 3000) -> str:
        """Last words."""
        try:
            return self.log.read_text(errors="replace")[-characters:]
        except OSError:
            return "(no log)"


def terminate_all(ended: Iterable[Service], *, within: float = 30.0) -> dict[str, int]:
    """SIGTERM to all at once; exit codes by name. Fails when one does not end in time."""
    processes = {each: each._process for each in ended if each._process is not None}
    killed = stop(processes.values(), within=within)
    for each, process in processes.items():
        assert process.pid not in killed, f"{each.name} ignored SIGTERM for {within:.0f} s: {each.tail()}"
    return {each.name: int(process.returncode) for each, process in processes.items()}


class Services:
    """The services of one test, by name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._services: dict[str, Service] = {}

    def __getitem__(self, name: str) -> Service:
        return self._services[name]

    def __iter__(self) -> Iterator[Service]:
        return iter(self._services.values())

    def start(self, module: str, environment: Mapping[str, str], *, name: str = "", netns: str = "") -> Service:
        """Add a service and start it, inside the network namespace at that path if one is given."""
        service = Service(module, environment=environment, folder=self._folder, name=name, netns=netns)
        self._services[service.name] = service
        return service.start()

    def wait(self, what: str, condition: Callable[[], bool], *, seconds: float = 60.0) -> None:
        """Poll until the condition holds; fails with the last words of every service, and at once if one died."""
        deadline = time.monotonic() + seconds
        while not condition():
            died = [s.name for s in self._services.values() if not s.running]
            if died or time.monotonic() > deadline:
                words = "\n".join(f"--- {s.name}\n{s.tail()}" for s in self._services.values())
                raise AssertionError(f"{what}: {f'{died} ended' if died else f'not within {seconds:.0f} s'}\n{words}")
            time.sleep(0.02)

    def end(self) -> None:
        """End all of them."""
        for service in self._services.values():
            service.end()


@contextmanager
def services(folder: Path) -> Iterator[Services]:
    """Services that end with the block."""
    running = Services(folder)
    try:
        yield running
    finally:
        running.end()
