"""Loopback ports for servers of our own: the simulators, the embedded PostgreSQL, health endpoints."""

from __future__ import annotations

import socket


def free_port() -> int:
    """A loopback port that is free now; whoever binds it must live with losing a rare race for it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
