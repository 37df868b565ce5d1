"""A thread that lives in a network namespace, and sockets opened there (shell)."""

from __future__ import annotations

import ctypes
import os
import socket
from concurrent.futures import ThreadPoolExecutor

_CLONE_NEWNET = 0x40000000


def executor(netns: str | None, name: str) -> ThreadPoolExecutor:
    """One thread that runs what it is given inside the namespace; None is the process's own."""
    return ThreadPoolExecutor(1, thread_name_prefix=name, initializer=enter, initargs=(netns,))


def enter(netns: str | None) -> None:
    """Move the calling thread into the namespace for good; raises OSError."""
    if netns is None:
        return
    descriptor = os.open(netns, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), netns)
    finally:
        os.close(descriptor)


def listener(host: str, port: int) -> socket.socket:
    """Listening socket of the calling thread's namespace; stays there, whichever thread accepts."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(128)
    except OSError:
        listening.close()
        raise
    return listening
