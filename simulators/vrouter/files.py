"""The port files of the agent: one per announced port, read again at its start (shell).

`<directory>/<machine name>/<interface uuid>`. Kept as the agent keeps them, with its two habits that a CNI has to
live with: a file that exists is not written again, and a withdrawal removes the directory named after the
machine's *uuid*, which is not where the files are.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from simulators.vrouter.ports import UUID, BadPort, VmPort, vm_port


class PortFiles:
    """Port files below one directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def write(self, port: VmPort, now: str) -> None:
        """Write the port's file unless it is there; raises OSError."""
        folder = self._directory / port.machine_name
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / port.interface_uuid
        if not path.exists():
            path.write_text(json.dumps(port.file(now), indent=4))

    def withdraw(self, machine_uuid: str) -> None:
        """What the agent does when a machine is withdrawn."""
        shutil.rmtree(self._directory / machine_uuid, ignore_errors=True)

    def load(self) -> tuple[VmPort, ...]:
        """Ports of all files named by a uuid; others and unreadable ones are skipped."""
        found = []
        for path in sorted(self._directory.glob("*/*")):
            if path.is_file() and re.fullmatch(UUID, path.name):
                try:
                    found.append(vm_port(path.read_text(errors="replace")))
                except (BadPort, OSError):
                    continue
        return tuple(found)
