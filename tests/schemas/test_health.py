"""The health endpoint says who is not ready or not alive, and why."""

from __future__ import annotations

import json
import logging
import urllib.error
import urllib.request

import pytest
from prometheus_client import CollectorRegistry, Counter

from schemas.health import Health, HealthServer
from schemas.logs import JsonFormatter, TextFormatter

pytestmark = pytest.mark.process


def get(server: HealthServer, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_readiness_names_the_part_and_the_reason() -> None:
    health = Health()
    with HealthServer(health, registry=CollectorRegistry()) as server:
        health.not_ready("database", "connection refused at 127.0.0.1:5432")
        assert get(server, "/readyz") == (503, "database: connection refused at 127.0.0.1:5432\n")
        health.ready("database")
        assert get(server, "/readyz") == (200, "ok\n")


def test_a_process_of_which_no_part_has_spoken_is_not_ready() -> None:
    health = Health()
    with HealthServer(health, registry=CollectorRegistry()) as server:
        assert get(server, "/readyz") == (503, "start: nothing is known yet\n")
        health.ready("database")
        assert get(server, "/readyz") == (200, "ok\n")


def test_a_note_is_told_and_leaves_readiness_alone() -> None:
    health = Health()
    health.ready("database")
    with HealthServer(health, registry=CollectorRegistry()) as server:
        health.note("audit", "3 orphans are more than the budget")
        assert get(server, "/readyz") == (200, "ok\nnote on audit: 3 orphans are more than the budget\n")
        health.not_ready("database", "away")
        assert get(server, "/readyz") == (503, "database: away\nnote on audit: 3 orphans are more than the budget\n")
        health.ready("database")
        health.note("audit", "")
        assert get(server, "/readyz") == (200, "ok\n")


def test_a_loop_that_stops_beating_is_not_alive() -> None:
    now = 100.0
    health = Health(clock=lambda: now)
    with HealthServer(health, registry=CollectorRegistry()) as server:
        health.beat("consumer", within=10)
        assert get(server, "/livez")[0] == 200
        now = 111.0
        status, text = get(server, "/livez")
        assert (status, text) == (503, "consumer: no sign of life for 11 s (limit 10 s)\n")
        health.ended("consumer")
        assert get(server, "/livez")[0] == 200


def test_metrics_and_unknown_paths() -> None:
    registry = CollectorRegistry()
    Counter("seen", "Seen.", registry=registry).inc(3)
    with HealthServer(Health(), registry=registry) as server:
        assert "seen_total 3.0" in get(server, "/metrics")[1]
        assert get(server, "/")[0] == 404


def record(message: str, *args: object) -> logging.LogRecord:
    return logging.LogRecord("a.b", logging.INFO, __file__, 1, message, args, None)


def test_case_96_names_from_outside_cannot_forge_a_log_line_or_drive_a_terminal() -> None:
    hostile = 'x"\n{"level":"ERROR"}\x1b[31m'
    line = JsonFormatter("svc").format(record("pod=%s", hostile))
    assert "\n" not in line and "\x1b" not in line
    assert json.loads(line)["message"] == f"pod={hostile}"
    assert "\x1b" not in TextFormatter().format(record("pod=%s", hostile))
