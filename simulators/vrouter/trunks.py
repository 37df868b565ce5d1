"""Forwarding between sub-interfaces: tagged frames of virtual machines, switched as a vrouter does (shell; needs root).

Each machine has one interface, whose host's end is a link of this namespace. A frame that comes in under a tag is that
sub-interface's if it has its MAC as source; it goes out to the sub-interfaces of the same network, under their tags.
The kernel needs no 802.1Q for this: tags are read beside the frames, and written into them.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import socket
import struct
import threading
from collections.abc import Callable, Iterable, Mapping

from simulators.vrouter.config import InterfaceConfig
from simulators.vrouter.namespace import enter

logger = logging.getLogger(__name__)

_ETH_P_ALL = 0x0003
_SOL_PACKET, _PACKET_AUXDATA, _PACKET_OUTGOING = 263, 8, 4
_AUXDATA = struct.Struct("IIIHHHH")
_TAG_VALID = 1 << 4
_TAG_BITS = 0x0FFF
_LARGEST = 65536
_FRAME = 14


class TaggedLink:
    """A link whose frames are received with their tag, and sent under one; of the calling thread's namespace."""

    def __init__(self, name: str) -> None:
        """Raises OSError."""
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
        try:
            self._socket.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
            self._socket.bind((name, 0))
            self._socket.setblocking(False)
        except OSError:
            self._socket.close()
            raise

    def fileno(self) -> int:
        """For poll."""
        return self._socket.fileno()

    def receive(self) -> tuple[int, bytes] | None:
        """Tag and untagged frame; None for a frame without a tag, one that goes out, or none."""
        try:
            frame, said, _, sender = self._socket.recvmsg(_LARGEST, socket.CMSG_SPACE(_AUXDATA.size))
        except OSError:
            return None
        if sender[2] == _PACKET_OUTGOING or len(frame) < _FRAME:
            return None
        for level, kind, content in said:
            if (level, kind) == (_SOL_PACKET, _PACKET_AUXDATA):
                status, *_, tci, _ = _AUXDATA.unpack(content[: _AUXDATA.size])
                return (tci & _TAG_BITS, frame) if status & _TAG_VALID else None
        return None

    def send(self, tag: int, frame: bytes) -> None:
        """The frame under the tag; a link that is full or down loses it, as links do."""
        with contextlib.suppress(OSError):
            self._socket.send(frame[:12] + struct.pack("!HH", 0x8100, tag) + frame[12:])

    def close(self) -> None:
        """No more frames."""
        self._socket.close()


class TrunkSwitch:
    """The forwarding of one host. `trunks` are the host's ends of machines' interfaces, by the uuid of the interface.

    `known` tells the interfaces of the moment, from any thread; those without a tag do not count.
    """

    def __init__(
        self, trunks: Mapping[str, str], *, known: Callable[[], Iterable[InterfaceConfig]], netns: str | None = None
    ) -> None:
        self._trunks = dict(trunks)
        self._known = known
        self._netns = netns
        self._stop_read, self._stop_write = os.pipe2(os.O_CLOEXEC)
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="trunk-switch", daemon=True)

    def __enter__(self) -> TrunkSwitch:
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure
        return self

    def __exit__(self, *exc: object) -> None:
        os.write(self._stop_write, b"x")
        self._thread.join(10)
        os.close(self._stop_read)
        os.close(self._stop_write)

    def _run(self) -> None:
        links: dict[str, TaggedLink] = {}
        try:
            enter(self._netns)
            links.update((uuid, TaggedLink(name)) for uuid, name in self._trunks.items())
            self._ready.set()
            self._forward(links)
        except BaseException as error:
            self._failure = error
        finally:
            self._ready.set()
            for link in links.values():
                link.close()

    def _forward(self, links: Mapping[str, TaggedLink]) -> None:
        waiting = select.poll()
        waiting.register(self._stop_read, select.POLLIN)
        by_number = {link.fileno(): uuid for uuid, link in links.items()}
        for number in by_number:
            waiting.register(number, select.POLLIN)
        while True:
            for number, _ in waiting.poll():
                if number == self._stop_read:
                    return
                if (came := links[by_number[number]].receive()) is not None:
                    self._switch(links, by_number[number], *came)

    def _switch(self, links: Mapping[str, TaggedLink], trunk: str, tag: int, frame: bytes) -> None:
        ports = [port for port in self._known() if port.vlan is not None and port.parent_uuid in links]
        source = next((p for p in ports if (p.parent_uuid, p.vlan) == (trunk, tag)), None)
        if source is None or _bytes(source.mac) != frame[6:12]:
            return
        is_group = frame[0] & 1
        for port in ports:
            if port is source or port.network_uuid != source.network_uuid or port.vlan is None:
                continue
            if is_group or _bytes(port.mac) == frame[:6]:
                links[port.parent_uuid].send(port.vlan, frame)


def _bytes(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))
