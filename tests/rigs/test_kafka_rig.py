"""The Kafka rig says why it cannot run, and leaves no broker behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.rigs import kafka_jars
from tests.rigs.kafka_broker import BOUND_TO_PARENT


@pytest.mark.process
def test_the_broker_ends_with_the_process_that_started_it() -> None:
    script = f"""
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", {BOUND_TO_PARENT!r}, "sleep", "60"])
print(child.pid, flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        command = Path(f"/proc/{child}/cmdline")
        deadline = time.monotonic() + 10
        while not command.read_bytes().startswith(b"sleep"):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        parent.send_signal(signal.SIGKILL)
        try:
            while command.exists() and command.read_bytes():
                assert time.monotonic() < deadline, "it outlives its parent"
                time.sleep(0.01)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)


@pytest.mark.process
def test_a_machine_without_java_or_maven_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTRAIL_KUBE_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert kafka_jars.available() == "Java 17 or newer is not on the PATH"
    java = tmp_path / "java"
    java.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
    java.chmod(0o755)
    assert "Java 17 or newer is needed" in (kafka_jars.available() or "")
    java.write_text("#!/bin/sh\necho 'openjdk version \"21\"' >&2\n")
    assert "Maven" in (kafka_jars.available() or "")
    with pytest.raises(kafka_jars.KafkaUnavailable, match="Maven"):
        kafka_jars.jars()


@pytest.mark.process
def test_jars_of_another_pom_do_not_count_and_a_failed_fetch_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONTRAIL_KUBE_CACHE", str(tmp_path / "cache"))
    for name, script in (("java", "echo 'version \"17.0.1\"'"), ("mvn", "echo no registry here; exit 1")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    target = kafka_jars.cache()
    target.mkdir(parents=True)
    (target / "pom.xml").write_text("<project/>")
    with pytest.raises(kafka_jars.KafkaUnavailable, match="no registry here"):
        kafka_jars.jars()
    assert sorted(path.name for path in target.parent.iterdir()) == [target.name, f"{target.name}.lock"]
    (target / "pom.xml").write_bytes(kafka_jars.POM.read_bytes())
    assert kafka_jars.jars() == target
