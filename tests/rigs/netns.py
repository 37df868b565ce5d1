"""Network namespaces for tests: made, entered, pinged from, removed; and why they cannot be had here."""

from __future__ import annotations

import ctypes
import os
import secrets
import shutil
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")
_CLONE_NEWNET = 0x40000000
_IP_MTU_DISCOVER, _IP_PMTUDISC_DO = 10, 2


def unavailable() -> str | None:
    """Why the netns suite cannot run here; None when it can."""
    if os.geteuid() != 0:
        return "netns suite unavailable: needs root"
    if shutil.which("ip") is None:
        return "netns suite unavailable: needs iproute2 (the program `ip`)"
    name = f"probe-{secrets.token_hex(3)}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        return f"netns suite unavailable: {made.stderr.strip()}"
    subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
    return None


@contextmanager
def namespace(prefix: str) -> Iterator[str]:
    """A fresh namespace; yields its path."""
    name = f"{prefix}-{secrets.token_hex(6)}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        yield f"/run/netns/{name}"
    finally:
        subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


def inside(path: str, work: Callable[[], T]) -> T:
    """Run `work` in the namespace, in a thread of its own."""
    outcome: list[T] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            descriptor = os.open(path, os.O_RDONLY)
            try:
                if ctypes.CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "setns")
            finally:
                os.close(descriptor)
            outcome.append(work())
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return outcome[0]


def ping(path: str, address: str, *, within: float = 5.0, size: int = 64) -> bool:
    """Whether the address answers an ICMP echo sent from the namespace, tried until `within` seconds have passed.

    `size` counts the bytes of the whole IPv4 packet, which is never fragmented.
    """
    return inside(path, lambda: _ping6(address, within) if ":" in address else _ping4(address, within, size))


def links(path: str) -> set[str]:
    """Names of the namespace's interfaces."""
    return inside(path, lambda: {name for _, name in socket.if_nameindex()})


def _ping4(address: str, within: float, size: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as raw:
        raw.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _IP_PMTUDISC_DO)
        mark = secrets.token_bytes(size - 28)
        return _exchange(raw, address, mark, kinds=(8, 0), skip=20, within=within)


def _ping6(address: str, within: float) -> bool:
    with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as raw:
        return _exchange(raw, address, secrets.token_bytes(8), kinds=(128, 129), skip=0, within=within)


def _exchange(
    raw: socket.socket, address: str, mark: bytes, *, kinds: tuple[int, int], skip: int, within: float
) -> bool:
    deadline = time.monotonic() + within
    ask, reply = kinds
    head = struct.pack("!BBHHH", ask, 0, 0, 7, 1)
    packet = struct.pack("!BBHHH", ask, 0, _checksum(head + mark), 7, 1) + mark
    raw.settimeout(0.2)
    while time.monotonic() < deadline:
        try:
            raw.sendto(packet, (address, 0))
            answer, (source, *_) = raw.recvfrom(2048)
            while not (answer[skip] == reply and answer.endswith(mark) and source == address):
                answer, (source, *_) = raw.recvfrom(2048)
            return True
        except TimeoutError:
            continue
        except OSError:
            time.sleep(0.05)
    return False


def _checksum(data: bytes) -> int:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
