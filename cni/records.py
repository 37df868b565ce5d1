"""Records of attached interfaces: a file each, written before the kernel is touched (shell; parsing is pure).

Whatever the agent may have made in the kernel or told the vrouter agent, a record names it, so a later DEL, ADD,
GC or start of the agent can undo it after a crash. The agent is the only writer: a lock file sees to it.
"""

from __future__ import annotations

import fcntl
import ipaddress
import logging
import os
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from cni import durable
from cni.interface import Address, Interface
from cni.limits import UNLIMITED, limits_from
from cni.netlink import Label
from cni.requests import Attachment
from schemas.errors import SettingsError

logger = logging.getLogger(__name__)

Json = Any
FORMAT = 1
ATTACHING = "attaching"
"""The work has begun: nothing, part or all of it may be there."""
ATTACHED = "attached"
"""The runtime has been, or is about to be, told of success."""


@dataclass(frozen=True, slots=True)
class Record:
    """One attachment. `serial` rises with every ADD of the node: the higher one owns the tap that two name."""

    attachment: Attachment
    network: str
    netns: str
    serial: int
    phase: str
    interface: Interface
    tap_mac: str = ""
    lead: str = ""
    """Name of the interface whose ADD made this one beside it, and whose DEL takes it away; '' for that one itself."""

    @property
    def leader(self) -> Attachment:
        """The attachment that the runtime knows: that of the ADD which made this one."""
        return Attachment(self.attachment.container, self.lead or self.attachment.ifname)

    @property
    def label(self) -> Label:
        """What the host's end in the kernel says of itself."""
        return Label(self.network, self.attachment)


def to_json(record: Record) -> Json:
    """Content of the record's file."""
    interface = {
        **asdict(record.interface),
        "addresses": [
            {"ip": str(a.ip), "gateway": None if a.gateway is None else str(a.gateway), "dns": a.dns}
            for a in record.interface.addresses
        ],
    }
    if record.interface.limits == UNLIMITED:
        # So that an agent from before there were limits can read what most pods have.
        del interface["limits"]
    return {**asdict(record), "interface": interface, "format": FORMAT}


def from_json(content: Json) -> Record:
    """Record of a file's content; raises ValueError, KeyError or TypeError when it is not one."""
    if content["format"] != FORMAT:
        raise ValueError(f"format {content['format']}")
    fields = {k: v for k, v in content.items() if k not in ("format", "attachment", "interface")}
    if not isinstance(fields["serial"], int) or fields["phase"] not in (ATTACHING, ATTACHED):
        raise ValueError("serial or phase")
    inner = dict(content["interface"])
    addresses = tuple(
        Address(
            ipaddress.ip_interface(a["ip"]),
            None if a["gateway"] is None else ipaddress.ip_address(a["gateway"]),
            a["dns"],
        )
        for a in inner.pop("addresses")
    )
    limits = limits_from(inner.pop("limits", {}))
    interface = Interface(**inner, addresses=addresses, limits=limits)
    return Record(attachment=Attachment(**content["attachment"]), interface=interface, **fields)


class Records:
    """All records of the node, held in memory and on disk; thread-safe."""

    def __init__(self, directory: Path) -> None:
        """Read the directory (made if absent); raises SettingsError when another agent works on it."""
        durable.make_directory(directory)
        self._directory = directory
        self._mutex = threading.Lock()
        self._guard = _only_one(directory)
        self._records: dict[Attachment, Record] = {}
        self._torn: set[str] = set()
        for name, content in durable.read_all(directory).items():
            self._load(name, content)
        self._serial = max((r.serial for r in self._records.values()), default=0)

    def close(self) -> None:
        """Let another agent work on the directory."""
        os.close(self._guard)

    def get(self, attachment: Attachment) -> Record | None:
        """The record; None where there is none, or only a torn one."""
        with self._mutex:
            return self._records.get(attachment)

    def torn_of(self, container: str) -> tuple[Attachment, ...]:
        """Attachments of the container whose files cannot be read."""
        start, end = f"{container}-", ".json"
        with self._mutex:
            found = sorted(name for name in self._torn if name.startswith(start) and name.endswith(end))
        return tuple(Attachment(container, name[len(start) : -len(end)]) for name in found)

    def group(self, leader: Attachment) -> tuple[Record, ...]:
        """Records of what the leader's ADD made beside it, and its own as the last."""
        led = self.where(lambda r: r.leader == leader and r.attachment != leader)
        own = self.get(leader)
        return led if own is None else (*led, own)

    def all(self) -> tuple[Record, ...]:
        """Every record, in order of attachment."""
        with self._mutex:
            return tuple(self._records[key] for key in sorted(self._records))

    def where(self, holds: Callable[[Record], bool]) -> tuple[Record, ...]:
        """Records for which `holds`."""
        return tuple(record for record in self.all() if holds(record))

    def begin(self, record: Record) -> Record:
        """Store the record as the newest of the node, and return it with its serial."""
        with self._mutex:
            self._serial += 1
            record = replace(record, serial=self._serial)
        self.put(record)
        return record

    def put(self, record: Record) -> None:
        """Store the record durably."""
        name = _file_name(record.attachment)
        durable.write(self._directory / name, to_json(record))
        with self._mutex:
            self._records[record.attachment] = record
            self._torn.discard(name)

    def remove(self, attachment: Attachment) -> None:
        """Remove the record, torn or not; no error if there is none."""
        name = _file_name(attachment)
        durable.remove(self._directory / name)
        with self._mutex:
            self._records.pop(attachment, None)
            self._torn.discard(name)

    def _load(self, name: str, content: Json) -> None:
        try:
            record = from_json(content)
            if _file_name(record.attachment) != name:
                raise ValueError("it names another attachment than its file")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            logger.warning("record cannot be read and is ignored file=%s error=%s", self._directory / name, error)
            self._torn.add(name)
        else:
            self._records[record.attachment] = record


def _file_name(attachment: Attachment) -> str:
    return f"{attachment.container}-{attachment.ifname}.json"


def _only_one(directory: Path) -> int:
    """Descriptor that holds the directory's lock; the kernel frees it with the process, however that ends."""
    descriptor = os.open(directory / "agent.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise SettingsError(
            f"CONTRAIL_KUBE_CNI_STATE_DIR={directory}: another CNI agent of this node is using it"
        ) from None
    return descriptor
