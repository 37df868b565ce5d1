"""`contrail-kube up` over a small log: the final table, the live screen, clean ends, and what cannot start."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.console import logs
from tests.console.runs import live, none_left, pid_of, processes, up

pytestmark = pytest.mark.process

NETWORK = "default-domain:k8s-default:k8s-default-pod-network"


@pytest.fixture
def state() -> Iterator[Path]:
    """A state directory that an unprivileged PostgreSQL can reach when the tests run as root."""
    folder = Path(tempfile.mkdtemp(prefix="contrail-kube-test-"))
    folder.chmod(0o755)
    yield folder / "state"
    shutil.rmtree(folder, ignore_errors=True)


def _table(output: str) -> list[list[str]]:
    return [line.split() for line in output.splitlines()]


@pytest.mark.postgres
@pytest.mark.slow
def test_without_a_terminal_the_final_table_is_printed_and_nothing_is_left(tmp_path: Path, state: Path) -> None:
    log = logs.small_log(tmp_path / "log", pods=7)
    done = up("--log", str(log), "--state", str(state))
    assert done.returncode == 0, done.stderr
    heading, *rows = _table(done.stdout)
    assert heading == ["NAMESPACE", "NAME", "NODE", "NETWORK", "ADDRESS", "STATE"]
    assert [(row[0], row[1]) for row in rows] == sorted(
        ("shop" if i % 3 else "kube-system", f"web-{i}") for i in range(7)
    ), "the pod that came and went is not in it"
    assert {row[2] for row in rows} == {"node-0", "node-1"}
    assert {row[3] for row in rows} == {NETWORK}
    assert len({row[4] for row in rows}) == 7 and all(row[4].startswith("10.47.255.") for row in rows)
    assert {row[5] for row in rows} == {"ready"}
    assert none_left(state) == {}


@pytest.mark.postgres
@pytest.mark.slow
def test_what_cannot_be_applied_is_listed_below_the_table_and_is_an_error(tmp_path: Path) -> None:
    log = logs.small_log(tmp_path / "log", pods=2, unknown_node=True, garbage=True)
    done = up("--log", str(log))
    assert done.returncode == 1, done.stdout + done.stderr
    table, _, below = done.stdout.partition("\n\n")
    assert any(row[:3] == ["shop", "stray", "nowhere"] and row[5] == "blocked:" for row in _table(table))
    assert [line for line in below.splitlines() if line.startswith("blocked: ") and "nowhere" in line]
    assert [line for line in below.splitlines() if line.startswith("dead letter: decode at k8s.changes.k8s/0@")]
    assert "\x1b" not in done.stdout + done.stderr, "case 96"


@pytest.mark.postgres
@pytest.mark.slow
def test_at_a_terminal_pods_are_shown_until_ctrl_c_and_nothing_is_left(tmp_path: Path, state: Path) -> None:
    log = logs.small_log(tmp_path / "log")
    with live("--log", str(log), "--state", str(state)) as run:
        run.wait_for_text("all applied")
        assert "web-4" in run.output and "k8s-default-pod-network" in run.output and "10.47.255." in run.output
        assert len(processes(state)) >= 4
        run.press("\x03")
        assert run.wait() == 0
    assert none_left(state) == {}
    assert b"\x1b[?1049l" in run.raw, "the terminal's own screen is back"


@pytest.mark.postgres
@pytest.mark.slow
def test_a_service_that_is_killed_comes_back_and_a_simulator_too(tmp_path: Path, state: Path) -> None:
    log = logs.small_log(tmp_path / "log")
    with live("--log", str(log), "--state", str(state)) as run:
        run.wait_for_text("all applied")
        for module in ("translator", "simulators.contrail"):
            killed = pid_of(state, module)
            os.kill(killed, signal.SIGKILL)
            run.wait_for_text("1 restart")
            run.wait_for_text("working")
            run.wait_for_text("all applied")
            assert pid_of(state, module) != killed
        run.press("q")
        assert run.wait() == 0
    assert none_left(state) == {}


@pytest.mark.postgres
@pytest.mark.slow
def test_an_embedded_database_that_is_killed_comes_back(tmp_path: Path, state: Path) -> None:
    log = logs.small_log(tmp_path / "log")
    with live("--log", str(log), "--state", str(state)) as run:
        run.wait_for_text("all applied")
        server = int((state / "postgres" / "data" / "postmaster.pid").read_text().split()[0])
        os.kill(server, signal.SIGKILL)
        run.wait_for_text("working")
        run.wait_for_text("all applied")
        run.press("\x03")
        assert run.wait() == 0
    assert none_left(state) == {}


@pytest.mark.postgres
@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.0, 0.7, 1.5, 3.0])
def test_ctrl_c_while_it_starts_is_a_clean_end(tmp_path: Path, state: Path, seconds: float) -> None:
    log = logs.small_log(tmp_path / "log")
    with live("--log", str(log), "--state", str(state)) as run:
        run.wait_for(lambda: "starting PostgreSQL" in run.read(), "the first word")
        time.sleep(seconds)  # somewhere in the middle of the start; wherever it is, it must hold
        run.press("\x03")
        assert run.wait() == 0
    assert none_left(state) == {}
    assert "Traceback" not in run.output


@pytest.mark.postgres
@pytest.mark.slow
def test_nothing_is_left_running_when_up_itself_is_killed(tmp_path: Path, state: Path) -> None:
    log = logs.small_log(tmp_path / "log")
    with live("--log", str(log), "--state", str(state)) as run:
        run.wait_for_text("translator   running")
        run.process.kill()
        run.process.wait()
        assert none_left(state) == {}


@pytest.mark.postgres
@pytest.mark.slow
def test_a_kept_state_goes_on_where_it_was(tmp_path: Path, state: Path) -> None:
    log = logs.small_log(tmp_path / "log")
    first = up("--log", str(log), "--state", str(state))
    again = up("--log", str(log), "--state", str(state))
    assert (first.returncode, again.returncode) == (0, 0), first.stderr + again.stderr
    names = [[row[:4] for row in _table(done.stdout)] for done in (first, again)]
    assert names[0] == names[1]
    other = logs.small_log(tmp_path / "other", pods=1)
    refused = up("--log", str(other), "--state", str(state))
    assert refused.returncode == 2
    assert "was filled from the log" in refused.stderr


@pytest.mark.postgres
@pytest.mark.slow
def test_a_database_of_ones_own_is_used_and_never_mixed(tmp_path: Path, database_url: str) -> None:
    log = logs.small_log(tmp_path / "log", pods=1)
    assert up("--log", str(log), "--database", database_url).returncode == 0
    again = up("--log", str(log), "--database", database_url)
    assert again.returncode == 2
    assert "already holds cluster 'k8s'" in again.stderr
    assert up("--log", str(log), "--database", database_url, "--resume").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "environ", "message"),
    [
        (["--log", "/nonexistent"], {}, "--log /nonexistent: there is no such directory"),
        (["--kubeconfig", "/nonexistent"], {}, "--kubeconfig /nonexistent: there is no such file"),
        ([], {"CONTRAIL_KUBE_APPLIER_CONCURENCY": "1"}, "did you mean CONTRAIL_KUBE_APPLIER_CONCURRENCY?"),
        ([], {"CONTRAIL_KUBE_APPLIER_CONCURRENCY": "none"}, "CONCURRENCY='none': expected a whole number"),
        (["--log", "{log}", "--contrail-api", "http://127.0.0.1:1"], {}, "Contrail API at http://127.0.0.1:1 does not"),
        (["--log", "{log}", "--database", "postgresql://x@127.0.0.1:1/y"], {}, "y on 127.0.0.1:1"),
        (["--kafka", "127.0.0.1:1"], {}, "no Kafka broker answers (127.0.0.1:1:"),
        (["--log", "{log}", "--state", "/proc/nowhere"], {}, "--state /proc/nowhere: cannot be used"),
    ],
)
def test_what_cannot_start_says_so_in_one_line(
    tmp_path: Path, arguments: list[str], environ: dict[str, str], message: str
) -> None:
    log = logs.small_log(tmp_path / "log", pods=1)
    done = up(*(argument.format(log=log) for argument in arguments), environ=environ)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert message in done.stderr
