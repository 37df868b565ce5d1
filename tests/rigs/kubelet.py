"""What kubelet and its runtime do to a CNI plugin: sandboxes, environment, standard input, exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cni.install import conflist, install

Json = Any


@dataclass(frozen=True, slots=True)
class Answer:
    """What the plugin did: exit code, and what it printed as JSON (None for nothing)."""

    code: int
    output: Json


class Kubelet:
    """Runs an installed plugin as a runtime does, with the configuration list that was installed beside it."""

    def __init__(self, directory: Path, *, socket: Path, version: str = "1.1.0", mtu: int = 1500) -> None:
        self.plugin, conf = install(
            bin_dir=directory / "bin",
            conf_dir=directory / "net.d",
            python=Path(sys.executable),
            configuration=conflist(socket=socket, mtu=mtu, version=version),
        )
        configured = json.loads(conf.read_text())
        self.network = {**configured["plugins"][0], "name": configured["name"], "cniVersion": configured["cniVersion"]}

    def run(self, command: str, *, stdin: Json = None, raw: bytes | None = None, **variables: str) -> Answer:
        """One execution; `stdin` adds to the network configuration, `raw` replaces it."""
        process = self.spawn(command, stdin=stdin, raw=raw, **variables)
        output, _ = process.communicate(timeout=60)
        return Answer(process.returncode, json.loads(output) if output.strip() else None)

    def spawn(
        self, command: str, *, stdin: Json = None, raw: bytes | None = None, **variables: str
    ) -> subprocess.Popen[bytes]:
        """The same, not waited for; its standard input has been written."""
        environment = {"PATH": os.environ["PATH"], "CNI_COMMAND": command, "CNI_PATH": str(self.plugin.parent)}
        process = subprocess.Popen(
            [str(self.plugin)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**environment, **variables},
        )
        assert process.stdin is not None
        process.stdin.write(raw if raw is not None else json.dumps({**self.network, **(stdin or {})}).encode())
        process.stdin.close()
        process.stdin = None
        return process

    def add(self, container: str, netns: str, pod: str, uid: str = "", **more: Json) -> Answer:
        """ADD of eth0; `pod` is namespace/name."""
        return self.run("ADD", **variables(container, netns, pod, uid), **more)

    def delete(self, container: str, netns: str, pod: str, uid: str = "", **more: Json) -> Answer:
        """DEL of eth0."""
        return self.run("DEL", **variables(container, netns, pod, uid), **more)


def variables(container: str, netns: str, pod: str, uid: str = "") -> dict[str, str]:
    """Environment of ADD, CHECK and DEL, as containerd sets it."""
    namespace, _, name = pod.partition("/")
    args = {
        "IgnoreUnknown": "1",
        "K8S_POD_NAMESPACE": namespace,
        "K8S_POD_NAME": name,
        "K8S_POD_INFRA_CONTAINER_ID": container,
        "K8S_POD_UID": uid,
    }
    return {
        "CNI_CONTAINERID": container,
        "CNI_NETNS": netns,
        "CNI_IFNAME": "eth0",
        "CNI_ARGS": ";".join(f"{key}={value}" for key, value in args.items()),
    }
