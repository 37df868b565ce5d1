"""Results share commits, and none waits longer than it may."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence

import pytest
from sqlalchemy import Engine

from applier.record import Recorded
from applier.recorder import MOST, Recorder
from applier.rows import Result, Row, Status
from schemas.health import Health
from tests.applier.running import until

pytestmark = pytest.mark.postgres


class Commits:
    """What was committed together, as the recorder told."""

    def __init__(self, engine: Engine) -> None:
        self.sizes: list[int] = []
        self.deaths: list[Exception] = []
        self.recorder = Recorder(engine, done=self._done, died=self.deaths.append, health=Health())

    def _done(self, results: Sequence[Result], recorded: Recorded) -> None:
        self.sizes.append(len(results))


@pytest.fixture
def commits(store_engine: Engine) -> Iterator[Commits]:
    found = Commits(store_engine)
    yield found
    found.recorder.close(5.0)
    assert not found.deaths


def results(count: int, status: Status = Status.APPLIED, reason: str = "") -> list[Result]:
    rows = [Row(f"00000000-0000-4000-8000-{n:012}", 0, "virtual-machine", f"vm-{n}", {}, 1) for n in range(count)]
    return [Result(row, status, reason, 1) for row in rows]


def test_results_that_may_wait_share_a_commit_with_one_that_may_not(commits: Commits) -> None:
    commits.recorder.start()
    commits.recorder.put(results(2), within=60.0)
    commits.recorder.put(results(3), within=60.0)
    commits.recorder.put(results(1), within=0.0)
    until(lambda: commits.sizes)
    assert commits.sizes == [6]


def test_a_lone_result_waits_no_longer_than_it_may(commits: Commits) -> None:
    commits.recorder.start()
    began = time.monotonic()
    commits.recorder.put(results(1), within=0.2)
    until(lambda: commits.sizes)
    assert time.monotonic() - began >= 0.2


def test_a_full_batch_does_not_wait(commits: Commits) -> None:
    commits.recorder.start()
    commits.recorder.put(results(MOST - 1), within=60.0)
    commits.recorder.put(results(1), within=60.0)
    until(lambda: commits.sizes)
    assert commits.sizes == [MOST]


def test_closing_records_what_was_put(commits: Commits) -> None:
    commits.recorder.start()
    commits.recorder.put(results(MOST + 1), within=60.0)
    commits.recorder.close(10.0)
    assert commits.sizes == [MOST, 1]


def test_attempts_that_failed_are_logged_and_rows_that_only_wait_are_not(
    commits: Commits, caplog: pytest.LogCaptureFixture
) -> None:
    (waiting,) = results(1, Status.BLOCKED, "waits")
    with caplog.at_level(logging.DEBUG, logger="applier.recorder"):
        commits.recorder.start()
        commits.recorder.put(results(1, Status.FAILED, "refused"), within=0.0)
        commits.recorder.put([Result(waiting.row, Status.BLOCKED, "waits", untried=True)], within=0.0)
        until(lambda: sum(commits.sizes) == 2)
    assert [(r.levelname, r.getMessage().rpartition(": ")[2]) for r in caplog.records] == [("WARNING", "refused")]
