"""Pytest plugin: a suite that this machine cannot run is one loud line at the end, and an error where it is required.

A test belongs to a suite by its marker (kafka, kubernetes, postgres, netns). A fixture that cannot give what
the suite needs skips with a reason that begins `<suite> suite unavailable:` (`official client unavailable:`
for the tests that use Contrail's own client). CONTRAIL_KUBE_REQUIRE names suites, comma-separated, that must
run: the session fails when a test of theirs was skipped for that reason, or when none of their tests ran.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest

MARKED = ("kafka", "kubernetes", "postgres", "netns")
CLIENT = "official client"
SUITES = (*MARKED, CLIENT)
REQUIRE = "CONTRAIL_KUBE_REQUIRE"
_REASON = re.compile(rf"(?:Skipped: )?(?:({'|'.join(MARKED)}) suite|({CLIENT})) unavailable: *(.*)", re.DOTALL)


@dataclass(slots=True)
class Tally:
    """What became of the suites: tests passed or failed per suite, and skips by suite and reason."""

    ran: dict[str, int] = field(default_factory=dict)
    skipped: dict[str, dict[str, int]] = field(default_factory=dict)

    def skip(self, text: str) -> None:
        """Count a skip, if its reason is the absence of a suite."""
        if (found := _REASON.match(text)) is None:
            return
        reasons = self.skipped.setdefault(found[1] or found[2], {})
        reason = " ".join(found[3].split())
        reasons[reason] = reasons.get(reason, 0) + 1

    def lines(self) -> list[str]:
        """One line per suite that was not available."""
        return [
            f"{suite.upper()} NOT TESTED: {sum(reasons.values())} skipped: {'; '.join(reasons)}"
            for suite, reasons in self.skipped.items()
        ]

    def missing(self, required: Iterable[str]) -> list[str]:
        """Why the required suites do not count as run; empty when they do."""
        return [
            f"{suite} is required by {REQUIRE}, but "
            + ("was skipped" if suite in self.skipped else "none of its tests ran")
            for suite in required
            if suite in self.skipped or (suite in MARKED and not self.ran.get(suite))
        ]


_TALLY: pytest.StashKey[Tally] = pytest.StashKey()


def required(text: str) -> tuple[str, ...]:
    """Suites named in CONTRAIL_KUBE_REQUIRE; raises pytest.UsageError for a name that is none."""
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        if name not in SUITES:
            raise pytest.UsageError(f"{REQUIRE}: {name!r} is no suite; the suites are {', '.join(SUITES)}")
    return names


def pytest_configure(config: pytest.Config) -> None:
    """Begin to count, and refuse a wrong CONTRAIL_KUBE_REQUIRE before any test runs."""
    required(os.environ.get(REQUIRE, ""))
    config.stash[_TALLY] = Tally()
    config.pluginmanager.register(_Counter(config.stash[_TALLY]))


class _Counter:
    """Reports know no config: this object carries the tally to them."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped:
            self._skip(report.longrepr)
        elif report.when == "call":
            for suite in MARKED:
                if suite in report.keywords:
                    self._tally.ran[suite] = self._tally.ran.get(suite, 0) + 1

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self._skip(report.longrepr)

    def _skip(self, longrepr: object) -> None:
        self._tally.skip(longrepr[2] if isinstance(longrepr, tuple) else str(longrepr))


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail a session that was green without a suite that it had to run."""
    if hasattr(session.config, "workerinput"):
        return  # one of several processes that share the tests: only their controller hears of all
    names = required(os.environ.get(REQUIRE, ""))
    if exitstatus == pytest.ExitCode.OK and session.config.stash[_TALLY].missing(names):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The loud lines."""
    tally = config.stash[_TALLY]
    for line in tally.lines():
        terminalreporter.write_line(f"!!! {line}", yellow=True, bold=True)
    for line in tally.missing(required(os.environ.get(REQUIRE, ""))):
        terminalreporter.write_line(f"!!! FAILED: {line}", red=True, bold=True)
