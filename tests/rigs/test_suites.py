"""A suite that cannot run is said loudly, and fails the session where it is required."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.process

ROOT = Path(__file__).parent.parent.parent
TESTS = """
import pytest

def test_plain():
    pass

@pytest.fixture
def broker():
    pytest.skip("kafka suite unavailable: no java here")

@pytest.mark.kafka
def test_with_a_broker(broker):
    pass

@pytest.mark.kafka
def test_with_a_broker_again(broker):
    pass

@pytest.mark.postgres
def test_with_a_database():
    pass
"""


def _pytest(folder: Path, required: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_it.py").write_text(TESTS)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n  kafka: k\n  postgres: p\n")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.rigs.suites", "-p", "no:cacheprovider", *arguments, str(folder)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "CONTRAIL_KUBE_REQUIRE": required},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_skipped_suite_is_one_loud_line_and_no_failure(tmp_path: Path) -> None:
    done = _pytest(tmp_path, "")
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("!!! KAFKA NOT TESTED: 2 skipped: no java here") == 1


def test_a_required_suite_that_was_skipped_fails_the_session(tmp_path: Path) -> None:
    done = _pytest(tmp_path, "postgres,kafka")
    assert done.returncode == 1, done.stdout
    assert "!!! FAILED: kafka is required by CONTRAIL_KUBE_REQUIRE, but was skipped" in done.stdout
    assert "postgres is required" not in done.stdout


def test_a_required_suite_none_of_whose_tests_ran_fails_the_session(tmp_path: Path) -> None:
    done = _pytest(tmp_path, "postgres", "-k", "plain")
    assert done.returncode == 1, done.stdout
    assert "postgres is required by CONTRAIL_KUBE_REQUIRE, but none of its tests ran" in done.stdout


def test_a_required_suite_that_ran_is_no_failure(tmp_path: Path) -> None:
    done = _pytest(tmp_path, "postgres")
    assert done.returncode == 0, done.stdout


def test_a_required_suite_that_ran_in_one_of_several_processes_is_no_failure(tmp_path: Path) -> None:
    done = _pytest(tmp_path, "postgres", "-p", "xdist", "-n", "2")
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("!!! KAFKA NOT TESTED: 2 skipped: no java here") == 1


def test_a_suite_that_does_not_exist_is_refused_before_any_test(tmp_path: Path) -> None:
    done = _pytest(tmp_path, "kafak")
    assert done.returncode == 4
    assert "'kafak' is no suite" in done.stderr
