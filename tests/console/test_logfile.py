"""What a service's log file tells: its last words, and what went wrong last."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from console import logfile
from console.logfile import LogFile, Problem


def _line(level: str, message: str) -> str:
    return json.dumps({"level": level, "message": message}) + "\n"


def _append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def test_warnings_and_errors_are_problems_and_information_is_not(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "log", clock=lambda: 7.0)
    _append(log.path, _line("INFO", "begun") + _line("WARNING", "no broker") + _line("INFO", "later"))
    log.look()
    assert log.problem == Problem("no broker", 7.0)
    assert json.loads(log.last_line)["message"] == "later"


def test_a_line_that_is_not_finished_yet_is_read_when_it_is(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "log", clock=lambda: 1.0)
    whole = _line("ERROR", "refused")
    _append(log.path, whole[:10])
    log.look()
    assert log.problem is None
    _append(log.path, whole[10:])
    log.look()
    assert log.problem is not None and log.problem.text == "refused"


def test_a_traceback_is_the_last_words_but_no_problem_of_its_own(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "log")
    _append(log.path, "Traceback (most recent call last):\nKeyError: 'x'\n")
    log.look()
    assert log.last_line == "KeyError: 'x'"


def test_what_was_written_before_this_run_is_not_told_again(tmp_path: Path) -> None:
    path = tmp_path / "log"
    _append(path, _line("ERROR", "yesterday"))
    log = LogFile(path)
    log.look()
    assert log.problem is None


def test_case_98_a_log_that_grows_is_bounded_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logfile, "ROTATE_BYTES", 1000)
    log = LogFile(tmp_path / "service.log")
    with log.path.open("a") as service:  # keeps its file open, as a service does
        for round_ in range(5):
            service.write(_line("ERROR", f"round {round_} " + "x" * 900))
            service.flush()
            log.look()
            assert log.problem is not None and log.problem.text.startswith(f"round {round_}")
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 3000
