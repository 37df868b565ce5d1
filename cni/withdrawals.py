"""Withdrawals that the vrouter agent could not be told of yet, kept until it has been told (shell)."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from cni import durable

logger = logging.getLogger(__name__)


class Withdrawals:
    """Machines whose ports shall go, a file each; thread-safe."""

    def __init__(self, directory: Path) -> None:
        """Read the directory, made if absent."""
        durable.make_directory(directory)
        self._directory = directory
        self._mutex = threading.Lock()
        # A torn file still names its machine: the name is all that is needed.
        self._machines = {name.removesuffix(".json") for name in durable.read_all(directory)}

        self.added = threading.Event()
        """Set with each new one, for whoever makes them."""

    def __len__(self) -> int:
        with self._mutex:
            return len(self._machines)

    def all(self) -> tuple[str, ...]:
        """Uuids of the machines, sorted."""
        with self._mutex:
            return tuple(sorted(self._machines))

    def put(self, machine_uuid: str, pod: str) -> None:
        """Remember durably; `pod` is for the person who looks into the directory."""
        durable.write(self._directory / f"{machine_uuid}.json", {"machine_uuid": machine_uuid, "pod": pod})
        with self._mutex:
            self._machines.add(machine_uuid)
        self.added.set()

    def remove(self, machine_uuid: str) -> bool:
        """Done, or no longer wanted; False if there was none."""
        with self._mutex:
            known = machine_uuid in self._machines
        if known:
            durable.remove(self._directory / f"{machine_uuid}.json")
            with self._mutex:
                self._machines.discard(machine_uuid)
        return known
