"""A simulated node for tests: its namespace, vrouter agent, CNI agent process, and the kubelet that runs the plugin."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from cni.addresses import PodAddress
from simulators.vrouter.config import StaticConfig
from simulators.vrouter.server import VrouterSimulator
from simulators.vrouter.underlay import FABRIC, Underlay
from tests.cni.rows import FileStore, configured
from tests.rigs.kubelet import Kubelet
from tests.rigs.netns import links, namespace

ROOT = Path(__file__).parents[2]


class Node:
    """One node of a test; started by `with`, everything of it is gone afterwards."""

    def __init__(self, underlay: Underlay, name: str, directory: Path, *, deadline: float = 15.0) -> None:
        directory.mkdir(parents=True)
        self.name = name
        self.directory = directory
        self._deadline = deadline
        self._underlay = underlay
        self._stack = ExitStack()
        self._process: subprocess.Popen[bytes] | None = None
        self.netns = underlay.add(name).netns
        self.socket = directory / "cni.sock"
        self.ports_dir = directory / "ports"
        self.state_dir = directory / "state"
        self.log = directory / "agent.log"
        self.store = FileStore(directory / "rows.json")
        self.store.write()
        self.config = StaticConfig()
        self.vrouter: VrouterSimulator | None = None
        self.kubelet = Kubelet(directory, socket=self.socket)

    def __enter__(self) -> Node:
        self.start_vrouter()
        self.start_agent()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop_agent()
        self.stop_vrouter()

    def know(self, *rows: PodAddress) -> None:
        """Let the store and the controller know pods of this node."""
        mine = [replace(row, node=self.name) for row in rows]
        self.store.append(*mine)
        interfaces = {row.interface_uuid for row in mine}
        self.config.known += tuple(
            configured(*(row for row in mine if row.interface_uuid == interface)) for interface in sorted(interfaces)
        )

    def start_vrouter(self) -> None:
        """Start the simulated vrouter agent, with the port files of the last."""
        self.vrouter = VrouterSimulator(
            config=self.config, netns=self.netns, ports_dir=self.ports_dir, fabric=FABRIC
        ).start()

    def stop_vrouter(self) -> None:
        """Stop it."""
        if self.vrouter is not None:
            self.vrouter.stop()
            self.vrouter = None

    def start_agent(self, crash: str = "") -> None:
        """Start the CNI agent in the node's namespace, to die at a crash point if one is named."""
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "CONTRAIL_KUBE_CNI_NODE_NAME": self.name,
            "CONTRAIL_KUBE_CNI_SOCKET": str(self.socket),
            "CONTRAIL_KUBE_CNI_STATE_DIR": str(self.state_dir),
            "CONTRAIL_KUBE_CNI_PORTS_DIR": str(self.ports_dir),
            "CONTRAIL_KUBE_CNI_DEADLINE": str(self._deadline),
            # The simulated vrouter shares an interpreter with the test, which stands still while it starts plugins.
            "CONTRAIL_KUBE_CNI_VROUTER_TIMEOUT": "10",
        }
        program = [sys.executable, "-m", "tests.cni.agent_process", str(self.directory / "rows.json")]
        self.socket.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                ["nsenter", f"--net={self.netns}", *program, *([crash] if crash else [])],
                env=environment,
                stdout=log,
                stderr=log,
                cwd=ROOT,
            )
        wait_for(self.socket.exists, f"the agent's socket; log: {self.log.read_text()}")

    def stop_agent(self) -> int:
        """SIGTERM, and the exit code; 0 when it was not running."""
        return self._end(signal.SIGTERM)

    def kill_agent(self) -> None:
        """SIGKILL."""
        self._end(signal.SIGKILL)

    def wait_for_death(self) -> None:
        """Wait until a crash point has been reached."""
        assert self._process is not None
        assert self._process.wait(20) == -signal.SIGKILL

    def taps(self) -> set[str]:
        """Host's ends on the node."""
        return {name for name in links(self.netns) if name.startswith("tap")}

    def leftovers(self) -> list[str]:
        """Whatever there should not be once every pod is gone."""
        records = [str(path) for path in (self.state_dir / "records").glob("*.json")]
        withdrawals = [str(path) for path in (self.state_dir / "withdrawals").glob("*.json")]
        files = [str(path) for path in self.ports_dir.glob("*")]
        announced = [str(port) for port in self.vrouter.announced] if self.vrouter else []
        bridges = [name for name in links(self.netns) if name.startswith(("tap", "vrb", "vrx"))]
        return [*records, *withdrawals, *files, *announced, *bridges]

    def _end(self, how: signal.Signals) -> int:
        if self._process is None:
            return 0
        if self._process.poll() is None:
            self._process.send_signal(how)
        code = self._process.wait(30)
        self._process = None
        return code


@contextmanager
def sandboxes(count: int) -> Iterator[list[str]]:
    """Network namespaces of so many pods."""
    with ExitStack() as stack:
        yield [stack.enter_context(namespace("pod")) for _ in range(count)]


def wait_for(condition: object, what: str, within: float = 10.0) -> None:
    """Poll a callable until it holds; fails naming what was waited for."""
    assert callable(condition)
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"waited {within:.0f} s for {what}"
        time.sleep(0.01)
