"""Logging of every process: one JSON object (or one readable line) per fact on standard error."""

from __future__ import annotations

import json
import logging
import sys
import time


class JsonFormatter(logging.Formatter):
    """{"time", "level", "logger", "message"} and "error" with the traceback where there is one."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        entry = {
            "time": f"{seconds}.{int(record.msecs):03d}Z",
            "level": record.levelname,
            "service": self._service,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["error"] = self.formatException(record.exc_info)
        # json.dumps escapes control characters: names from outside cannot forge lines or drive a terminal.
        return json.dumps(entry, ensure_ascii=True)


class TextFormatter(logging.Formatter):
    """A line for a person; control characters of foreign names are shown escaped."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        return "".join(c if c == "\n" or c.isprintable() else repr(c)[1:-1] for c in text)


def configure(service: str, *, level: str = "INFO", log_format: str = "json") -> None:
    """Set the root logger up; called once, by a process's `__main__`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(service) if log_format == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # kafka is not among them: its adapter silences it, unless a level was set.
    for chatty in ("urllib3", "alembic", "pyroute2", "aiohttp.access"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
