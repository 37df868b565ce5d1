"""Asking a service whether it is ready, and why not."""

from __future__ import annotations

import http.client

TIMEOUT = 0.5


def why_not_ready(port: int, *, timeout: float = TIMEOUT) -> str:
    """'' when the service on this loopback port is ready, else its reasons in one line."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        text = answer.read(4096).decode(errors="replace")
    except (OSError, http.client.HTTPException):
        return "starting"
    finally:
        connection.close()
    if answer.status == 200:
        return ""
    return "; ".join(line for line in text.splitlines() if line) or f"answers {answer.status}"
