"""Health and metrics of a process: /livez, /readyz and /metrics on one port.

A process is ready when every part it named has said so, and alive while every loop it named has beaten
within its limit. The endpoint never calls out: it reports what the parts last said.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest

from schemas.errors import SettingsError

START = "start"


class Health:
    """What the parts of one process say of themselves; thread-safe. Not ready until the first of them has spoken."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: dict[str, str] = {START: "nothing is known yet"}
        self._notes: dict[str, str] = {}
        self._beats: dict[str, tuple[float, float]] = {}

    def not_ready(self, part: str, reason: str) -> None:
        """The part cannot serve, for this reason (shown to whoever asks)."""
        with self._lock:
            self._waiting.pop(START, None)
            self._waiting[part] = reason

    def ready(self, part: str) -> None:
        """The part serves."""
        with self._lock:
            self._waiting.pop(START, None)
            self._waiting.pop(part, None)

    def note(self, part: str, text: str) -> None:
        """Tell whoever asks for readiness, which does not depend on it; '' takes it back."""
        with self._lock:
            self._notes.pop(part, None)
            if text:
                self._notes[part] = text

    def notes(self) -> dict[str, str]:
        """What was noted, by part."""
        with self._lock:
            return dict(self._notes)

    def beat(self, loop: str, *, within: float) -> None:
        """The loop is alive, and will beat again within so many seconds."""
        with self._lock:
            self._beats[loop] = (self._clock(), within)

    def ended(self, loop: str) -> None:
        """The loop has ended as it should."""
        with self._lock:
            self._beats.pop(loop, None)

    def why_not_ready(self) -> dict[str, str]:
        """Reason by part; empty when ready."""
        with self._lock:
            return dict(self._waiting)

    def why_not_alive(self) -> dict[str, str]:
        """Reason by loop; empty when alive."""
        now = self._clock()
        with self._lock:
            return {
                loop: f"no sign of life for {now - at:.0f} s (limit {within:.0f} s)"
                for loop, (at, within) in self._beats.items()
                if now - at > within
            }


class HealthServer:
    """Serves a `Health` and a metrics registry over HTTP until closed; port 0 picks a free one.

    Raises SettingsError when the address cannot be had.
    """

    def __init__(
        self,
        health: Health,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        registry: CollectorRegistry = REGISTRY,
    ) -> None:
        try:
            self._server = ThreadingHTTPServer((host, port), _handler(health, registry))
        except OSError as error:
            raise SettingsError(
                f"CONTRAIL_KUBE_PROCESS_HEALTH_PORT={port}: cannot listen on {host}:{port}: {error.strerror or error}; "
                "is another service given the same port, or CONTRAIL_KUBE_PROCESS_HEALTH_HOST not of this machine?"
            ) from error
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)

    @property
    def port(self) -> int:
        """Port in use."""
        return int(self._server.server_address[1])

    def start(self) -> HealthServer:
        """Begin to answer."""
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop answering and free the port."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def __enter__(self) -> HealthServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _handler(health: Health, registry: CollectorRegistry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/metrics":
                self._answer(200, generate_latest(registry), CONTENT_TYPE_LATEST)
            elif path == "/livez":
                self._report(health.why_not_alive(), {})
            elif path == "/readyz":
                self._report(health.why_not_ready(), health.notes())
            else:
                self._answer(404, b"not found; try /livez, /readyz or /metrics\n", "text/plain")

        def _report(self, reasons: dict[str, str], notes: dict[str, str]) -> None:
            text = "".join(f"{part}: {reason}\n" for part, reason in sorted(reasons.items())) or "ok\n"
            text += "".join(f"note on {part}: {note}\n" for part, note in sorted(notes.items()))
            self._answer(503 if reasons else 200, text.encode(), "text/plain")

        def _answer(self, status: int, body: bytes, content_type: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Probes come every few seconds: not worth a line each."""

    return Handler
