"""802.1Q in user space, where the kernel has none: a TAP device per sub-interface, and a process that tags frames.

`UserSpaceVlans` is what the CNI agent uses in the place of the kernel's. The process plays the kernel
(`python -m tests.rigs.vlans SOCKET TRUNK`, in the node's namespace): what it has made stays when the agent is killed,
and goes when the link is removed.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import socket
import struct
import sys
from pathlib import Path
from typing import Any

from pyroute2 import IPRoute

from cni.vlans import link_named, usable_trunk
from simulators.vrouter.trunks import TaggedLink

_TUNSETIFF = 0x400454CA
_IFF_TAP, _IFF_NO_PI = 0x0002, 0x1000


def kernel_has_vlans() -> bool:
    """Whether the kernel makes 802.1Q sub-interfaces, tried in a namespace of the caller's."""
    with IPRoute() as route:
        try:
            route.link("add", ifname="vlprobe0", kind="veth", peer={"ifname": "vlprobe1"})
            index = link_named(route, "vlprobe0")["index"]
            route.link("add", ifname="vlprobe2", kind="vlan", link=index, vlan_id=7)
        except Exception:
            return False
        finally:
            with contextlib.suppress(Exception):
                route.link("del", ifname="vlprobe0")
        return True


class UserSpaceVlans:
    """See cni.vlans.Vlans; `path` is the driver's socket."""

    def __init__(self, path: str) -> None:
        self._path = path

    def make(self, route: Any, name: str, *, trunk: str, tag: int, mtu: int) -> None:
        """Ask the driver for the device."""
        usable_trunk(route, trunk)
        said = self._ask({"make": name, "tag": tag})
        if "error" in said:
            raise OSError(said["code"], said["error"])
        route.link("set", index=link_named(route, name)["index"], mtu=mtu)

    def found(self, route: Any, *, trunk: str, tag: int) -> tuple[Any, ...]:
        """Ask the driver whose the tag is."""
        named = [link_named(route, name) for name in self._ask({"find": tag})["names"]]
        return tuple(link for link in named if link is not None)

    def _ask(self, question: dict[str, Any]) -> Any:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
            asking.settimeout(10)
            asking.connect(self._path)
            asking.sendall(json.dumps(question).encode() + b"\n")
            return json.loads(asking.makefile().readline())


class Driver:
    """The process; single-threaded."""

    def __init__(self, path: Path, trunk: str) -> None:
        self._trunk = TaggedLink(trunk)
        self._taps: dict[int, tuple[str, int]] = {}
        """Name and tag by descriptor."""
        self._poll = select.poll()
        self._asked = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._asked.bind(str(path))
        self._asked.listen(16)
        self._poll.register(self._trunk.fileno(), select.POLLIN)
        self._poll.register(self._asked.fileno(), select.POLLIN)

    def serve(self) -> None:
        """Until killed."""
        while True:
            for number, _ in self._poll.poll():
                if number == self._asked.fileno():
                    self._answer()
                elif number == self._trunk.fileno():
                    self._from_trunk()
                elif number in self._taps:
                    self._from_tap(number)

    def _answer(self) -> None:
        peer, _ = self._asked.accept()
        with peer:
            question = json.loads(peer.makefile().readline())
            self._forget_removed()
            if "find" in question:
                said: dict[str, Any] = {"names": [name for name, tag in self._taps.values() if tag == question["find"]]}
            else:
                said = self._make(question["make"], question["tag"])
            peer.sendall(json.dumps(said).encode() + b"\n")

    def _make(self, name: str, tag: int) -> dict[str, Any]:
        if any(tag == used for _, used in self._taps.values()):
            return {"code": 17, "error": "File exists"}
        number = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            fcntl.ioctl(number, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TAP | _IFF_NO_PI))
        except OSError as error:
            os.close(number)
            return {"code": error.errno, "error": error.strerror}
        self._taps[number] = (name, tag)
        self._poll.register(number, select.POLLIN)
        return {}

    def _forget_removed(self) -> None:
        present = {name for _, name in socket.if_nameindex()}
        for number in [number for number, (name, _) in self._taps.items() if name not in present]:
            self._forget(number)

    def _forget(self, number: int) -> None:
        self._poll.unregister(number)
        del self._taps[number]
        os.close(number)

    def _from_tap(self, number: int) -> None:
        try:
            frame = os.read(number, 65536)
        except BlockingIOError:
            return
        except OSError:
            if self._taps[number][0] not in {name for _, name in socket.if_nameindex()}:
                self._forget(number)
            return
        self._trunk.send(self._taps[number][1], frame)

    def _from_trunk(self) -> None:
        came = self._trunk.receive()
        for number, (_, tag) in self._taps.items():
            if came is not None and came[0] == tag:
                with contextlib.suppress(OSError):  # down, or just removed
                    os.write(number, came[1])


if __name__ == "__main__":
    Driver(Path(sys.argv[1]), sys.argv[2]).serve()
