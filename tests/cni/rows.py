"""Rows of pod_address for tests, and an address store that keeps them in a file two processes can share."""

from __future__ import annotations

import json
import os
import threading
import uuid
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from cni.addresses import PodAddress
from cni.requests import Pod
from schemas.errors import StoreUnavailable
from schemas.identity import mac_of
from simulators.vrouter.config import Assignment, InterfaceConfig

NODE = "node-a"
NETWORK_UUID = "5c3f2b6e-0000-4000-8000-000000000001"
UID = "0c2b5d0e-5a3b-4a25-8f61-2f6a1c1a0001"


def uid_of(number: int) -> str:
    """A pod uid of one's own."""
    return str(uuid.UUID(int=(0xABCD << 96) + number, version=4))


def row(name: str = "web-0", uid: str = UID, address: str | None = "10.47.255.250", **changes: Any) -> PodAddress:
    """A ready IPv4 row of pod shop/<name> on node-a."""
    interface_uuid = str(uuid.uuid5(uuid.UUID(uid), "eth0"))
    ready = PodAddress(
        namespace="shop",
        pod=name,
        pod_uid=uid,
        node=NODE,
        interface="eth0",
        interface_uuid=interface_uuid,
        machine_uuid=uid,
        machine_name=f"k8s__shop__{name}",
        network_uuid=NETWORK_UUID,
        network="default-domain:k8s-default:k8s-default-pod-network",
        mac=mac_of(interface_uuid),
        family=4,
        address=address,
        prefix_len=12,
        gateway="10.47.255.254",
        dns="10.47.255.253",
        linked=True,
        state="ready",
        reason="",
    )
    return replace(ready, **changes)


def pending(**changes: Any) -> PodAddress:
    """The same before Contrail has allocated."""
    empty = {"prefix_len": None, "gateway": None, "dns": None, "state": "pending", "reason": "waiting for the applier"}
    return row(**{"address": None, **empty, **changes})


def six(four: PodAddress, address: str = "fd00:10:32::fffc") -> PodAddress:
    """The IPv6 row beside an IPv4 one."""
    gateway, dns = "fd00:10:32::ffff:fffe", "fd00:10:32::ffff:fffd"
    return replace(four, family=6, address=address, prefix_len=64, gateway=gateway, dns=dns)


def configured(*rows: PodAddress, parent: str = "") -> InterfaceConfig:
    """What the controller tells the vrouter agent of the interface of these rows; `parent` carries a sub-interface."""
    first = rows[0]
    assignments = tuple(
        Assignment(r.family, r.address, r.prefix_len or 0, r.gateway, r.dns) for r in rows if r.address is not None
    )
    return InterfaceConfig(
        uuid=first.interface_uuid,
        machine_uuid=first.machine_uuid,
        machine_name=first.machine_name,
        network_uuid=first.network_uuid,
        network_name=first.network,
        project_uuid="5c3f2b6e-0000-4000-8000-0000000000aa",
        mac=first.mac,
        annotations=(("index", "0/1"), ("network", "default")),
        assignments=assignments,
        vlan=first.vlan,
        parent_uuid=parent,
    )


class MemoryStore:
    """An AddressStore in memory; assigning `rows` from another thread is safe."""

    def __init__(self, *rows: PodAddress) -> None:
        self.rows: tuple[PodAddress, ...] = rows
        self.trouble: Exception | None = None
        self.asked = 0

    def addresses(self, pod: Pod) -> tuple[PodAddress, ...]:
        """See AddressStore."""
        self.asked += 1
        if self.trouble is not None:
            raise self.trouble
        return matching(self.rows, pod)

    def check(self) -> None:
        """See AddressStore."""
        if self.trouble is not None:
            raise self.trouble

    def rest(self) -> None:
        """Nothing is held."""


class FileStore:
    """An AddressStore in a JSON file, for an agent in another process; `rows` replaces the content."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self.asked = path.with_suffix(".asked")
        """File that appears with the first question."""

    def write(self, *rows: PodAddress) -> None:
        """Replace all rows."""
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps([asdict(row) for row in rows]))
        os.replace(fresh, self._path)

    def append(self, *rows: PodAddress) -> None:
        """Add rows."""
        with self._lock:
            self.write(*self._read(), *rows)

    def addresses(self, pod: Pod) -> tuple[PodAddress, ...]:
        """See AddressStore."""
        self.asked.touch()
        return matching(self._read(), pod)

    def check(self) -> None:
        """See AddressStore."""
        self._read()

    def rest(self) -> None:
        """Nothing is held."""

    def _read(self) -> tuple[PodAddress, ...]:
        try:
            return tuple(PodAddress(**fields) for fields in json.loads(self._path.read_text()))
        except FileNotFoundError:
            raise StoreUnavailable(f"could not read pod addresses: {self._path} is away") from None


def matching(rows: tuple[PodAddress, ...], pod: Pod) -> tuple[PodAddress, ...]:
    """Rows of the pod, chosen as the view's adapter chooses them."""
    if pod.uid:
        return tuple(row for row in rows if row.pod_uid == pod.uid)
    return tuple(row for row in rows if (row.namespace, row.pod) == (pod.namespace, pod.name))
