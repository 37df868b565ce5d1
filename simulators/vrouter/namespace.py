"""Entering a network namespace with a thread, and sockets opened there (shell)."""

from __future__ import annotations

import ctypes
import errno
import os
import socket

_CLONE_NEWNET = 0x40000000


def enter(netns: str | None) -> None:
    """Move the calling thread into the namespace for good; None leaves it where it is. Raises OSError."""
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
        try:
            listening.bind((host, port))
        except OverflowError as error:  # the answer to a number that is no port
            raise OSError(errno.EINVAL, str(error)) from error
        listening.listen(128)
    except OSError:
        listening.close()
        raise
    return listening
