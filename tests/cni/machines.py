"""A host with virtual machines that are nodes, for tests of nested mode: namespaces, trunks, switch, agents, kubelets.

Each machine is a namespace with one interface, `ens3`, whose other end is the host's. Over it, untagged, the machine
reaches the vrouter agent of the host, as over a link-local service.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import uuid
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from cni.addresses import PodAddress
from simulators.vrouter.config import StaticConfig
from simulators.vrouter.server import VrouterSimulator
from simulators.vrouter.trunks import TrunkSwitch
from tests.cni.nodes import ROOT, wait_for
from tests.cni.rows import FileStore, configured
from tests.rigs.kubelet import Kubelet
from tests.rigs.netns import inside, links
from tests.rigs.vlans import kernel_has_vlans

TRUNK = "ens3"


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


class Host:
    """The host with its vrouter; started by `with`, everything of it is gone afterwards."""

    def __init__(self, directory: Path, *machines: str) -> None:
        self._directory = directory
        self._name = f"h{secrets.token_hex(3)}"
        self._names = machines
        self._stack = ExitStack()
        self.config = StaticConfig()
        self.netns = f"/run/netns/{self._name}"
        self.machines: list[Machine] = []

    def __enter__(self) -> Host:
        try:
            _ip("netns", "add", self._name)
            self._stack.callback(subprocess.run, ["ip", "netns", "del", self._name], check=False, capture_output=True)
            self.machines = [self._machine(number, name) for number, name in enumerate(self._names, 1)]
            server = VrouterSimulator(config=self.config, netns=self.netns, host="0.0.0.0", forward=False)
            self._stack.callback(server.start().stop)
            trunks = {machine.port: f"vm{number}" for number, machine in enumerate(self.machines, 1)}
            self._stack.enter_context(TrunkSwitch(trunks, known=lambda: self.config.known, netns=self.netns))
            for machine in self.machines:
                machine.start()
                self._stack.callback(machine.stop)
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def _machine(self, number: int, name: str) -> Machine:
        space = f"{self._name}-{name}"
        _ip("netns", "add", space)
        self._stack.callback(subprocess.run, ["ip", "netns", "del", space], check=False, capture_output=True)
        _ip("-n", self._name, "link", "add", f"vm{number}", "type", "veth", "peer", TRUNK, "netns", space)
        for where, link, address in ((self._name, f"vm{number}", 1), (space, TRUNK, 2)):
            _ip("-n", where, "addr", "add", f"169.254.{number}.{address}/30", "dev", link)
            _ip("-n", where, "link", "set", link, "mtu", "1504", "up")
        _ip("-n", space, "link", "set", "lo", "up")
        return Machine(self, name, f"/run/netns/{space}", f"169.254.{number}.1", self._directory / name)


class Machine:
    """A virtual machine that is a node."""

    def __init__(self, host: Host, name: str, netns: str, vrouter: str, directory: Path) -> None:
        directory.mkdir(parents=True)
        self._host = host
        self._vrouter = vrouter
        self._directory = directory
        self._driver: subprocess.Popen[bytes] | None = None
        self._agent: subprocess.Popen[bytes] | None = None
        self.name = name
        self.netns = netns
        self.port = str(uuid.uuid5(uuid.NAMESPACE_DNS, name))
        """Uuid of the machine's interface in Contrail."""
        self.socket = directory / "cni.sock"
        self.state_dir = directory / "state"
        self.log = directory / "agent.log"
        self.store = FileStore(directory / "rows.json")
        self.store.write()
        self.kubelet = Kubelet(directory, socket=self.socket)

    def know(self, row: PodAddress, vlan: int) -> PodAddress:
        """Let the store and the controller know a pod of this machine."""
        mine = replace(row, node=self.name, vlan=vlan)
        self.store.append(mine)
        self._host.config.known += (configured(mine, parent=self.port),)
        return mine

    def forget(self) -> None:
        """Let store and controller know no pods of this machine."""
        self.store.write()
        self._host.config.known = tuple(each for each in self._host.config.known if each.parent_uuid != self.port)

    def start(self) -> None:
        """Start the driver of sub-interfaces, where the kernel has none, and the CNI agent."""
        if not inside(self.netns, kernel_has_vlans):
            path = self._directory / "vlans.sock"
            self._driver = self._spawn("tests.rigs.vlans", str(path), TRUNK)
            wait_for(path.exists, "the driver of sub-interfaces")
        self.start_agent()

    def stop(self) -> None:
        """Stop both."""
        self.stop_agent()
        if self._driver is not None:
            self._driver.kill()
            self._driver.wait(10)

    def start_agent(self, crash: str = "", trunk: str = TRUNK) -> None:
        """Start the CNI agent, to die at a crash point if one is named; `trunk` is what its settings name."""
        self.socket.unlink(missing_ok=True)
        rows = str(self._directory / "rows.json")
        self._agent = self._spawn("tests.cni.agent_process", rows, *([crash] if crash else []), trunk=trunk)
        wait_for(self.socket.exists, f"the agent's socket; log: {self.log.read_text()}")

    def stop_agent(self) -> None:
        """SIGTERM, and wait."""
        if self._agent is not None:
            self._agent.send_signal(signal.SIGTERM)
            self._agent.wait(30)
            self._agent = None

    def wait_for_death(self) -> None:
        """Wait until a crash point has been reached."""
        assert self._agent is not None
        assert self._agent.wait(20) == -signal.SIGKILL

    def sub_interfaces(self) -> set[str]:
        """Host's ends on the machine."""
        return {name for name in links(self.netns) if name.startswith("vlan")}

    def leftovers(self) -> list[str]:
        """Whatever there should not be once every pod is gone."""
        records = [str(path) for path in (self.state_dir / "records").glob("*.json")]
        withdrawals = [str(path) for path in (self.state_dir / "withdrawals").glob("*.json")]
        return [*records, *withdrawals, *sorted(self.sub_interfaces())]

    def _spawn(self, module: str, *arguments: str, trunk: str = TRUNK) -> subprocess.Popen[bytes]:
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "CONTRAIL_KUBE_CNI_NODE_NAME": self.name,
            "CONTRAIL_KUBE_CNI_SOCKET": str(self.socket),
            "CONTRAIL_KUBE_CNI_STATE_DIR": str(self.state_dir),
            "CONTRAIL_KUBE_CNI_PORTS_DIR": str(self._directory / "ports"),
            "CONTRAIL_KUBE_CNI_DEADLINE": "15",
            "CONTRAIL_KUBE_CNI_NESTED_INTERFACE": trunk,
            "CONTRAIL_KUBE_CNI_VROUTER_HOST": self._vrouter,
            "CONTRAIL_KUBE_CNI_VROUTER_TIMEOUT": "10",
            **({"VLAN_DRIVER": str(self._directory / "vlans.sock")} if self._driver is not None else {}),
        }
        with self.log.open("ab") as log:
            return subprocess.Popen(
                ["nsenter", f"--net={self.netns}", sys.executable, "-m", module, *arguments],
                env=environment,
                stdout=log,
                stderr=log,
                cwd=ROOT,
            )
