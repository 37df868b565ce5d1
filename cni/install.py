"""Putting the plugin and its configuration where the node's runtime looks for them (shell).

Both are written beside their place and renamed, the plugin first: at no moment is a file absent, half-written, or
a configuration without its program; running plugins keep the file that they were started from.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from cni.plugin import AGENT_SOCKET

Json = Any
NAME = "contrail-k8s-cni"
CONFLIST = "10-contrail.conflist"
PYTHON = Path("/usr/bin/python3")
"""Interpreter of the host; the runtime starts the plugin outside of any container."""


def conflist(*, socket: Path, mtu: int, version: str) -> Json:
    """Network configuration list; `version` must be one that the runtime speaks too."""
    plugin: dict[str, Json] = {"type": NAME, "mtu": mtu, "capabilities": {"bandwidth": True}}
    if str(socket) != AGENT_SOCKET:
        plugin["agent-socket"] = str(socket)
    return {"cniVersion": version, "name": NAME, "plugins": [plugin]}


def program(python: Path) -> bytes:
    """The plugin's text, to be run by that interpreter."""
    text = Path(__file__).with_name("plugin.py").read_bytes()
    _, _, body = text.partition(b"\n")
    # Isolated, and without site: it imports nothing that could be put in its way, and starts sooner.
    return b"#!" + os.fsencode(python) + b" -IS\n" + body


def install(*, bin_dir: Path, conf_dir: Path, python: Path, configuration: Json) -> tuple[Path, Path]:
    """Write both files and return their paths; raises OSError."""
    plugin, conf = bin_dir / NAME, conf_dir / CONFLIST
    bin_dir.mkdir(parents=True, exist_ok=True)
    conf_dir.mkdir(parents=True, exist_ok=True)
    _replace(plugin, program(python), 0o755)
    _replace(conf, json.dumps(configuration, indent=2).encode() + b"\n", 0o644)
    return plugin, conf


def _replace(path: Path, content: bytes, mode: int) -> None:
    # A dot first: runtimes skip such names when they read the directory.
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        temporary.rename(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
