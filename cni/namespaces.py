"""Network namespaces: opened, checked, and entered by a thread of their own (shell)."""

from __future__ import annotations

import ctypes
import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from cni.answers import BAD_ENVIRONMENT
from schemas.errors import RequestRefused

T = TypeVar("T")
_CLONE_NEWNET = 0x40000000
_NS_GET_NSTYPE = 0xB703


@contextmanager
def opened(path: str) -> Iterator[int]:
    """File descriptor of the network namespace; raises RequestRefused unless it is one, and not our own."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise RequestRefused(BAD_ENVIRONMENT, f"CNI_NETNS: {path} cannot be opened: {error.strerror}") from error
    try:
        if not _is_netns(fd):
            raise RequestRefused(BAD_ENVIRONMENT, f"CNI_NETNS: {path} is no network namespace")
        if os.path.samestat(os.fstat(fd), os.stat("/proc/thread-self/ns/net")):
            raise RequestRefused(BAD_ENVIRONMENT, f"CNI_NETNS: {path} is the node's own namespace, not a pod's")
        yield fd
    finally:
        os.close(fd)


def inside(fd: int, work: Callable[[], T]) -> T:
    """Run `work` in the namespace; what it raises is raised here.

    A new thread enters and ends there, so no thread of the agent is ever left in a pod's namespace.
    """
    outcome: list[T] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            _enter(fd)
            outcome.append(work())
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=run, name="netns")
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return outcome[0]


def _enter(fd: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(fd, _CLONE_NEWNET) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"cannot enter the network namespace: {os.strerror(code)}")


def _is_netns(fd: int) -> bool:
    try:
        return fcntl.ioctl(fd, _NS_GET_NSTYPE) == _CLONE_NEWNET
    except OSError:
        return False
