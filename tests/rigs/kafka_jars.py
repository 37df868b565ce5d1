"""Apache Kafka's jars, fetched once per version with Maven into a cache that all checkouts share.

Nothing is fetched at import; `available` looks at this machine only, `jars` may use the network.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

POM = Path(__file__).with_name("kafka") / "pom.xml"
JAVA_AT_LEAST = 17
"""Kafka 4 brokers run on Java 17 and newer."""
FETCH_SECONDS = 600


class KafkaUnavailable(RuntimeError):
    """This machine cannot run the broker; the text says why."""


def version() -> str:
    """The broker's version, as pinned in the pom."""
    found = re.search(r"<kafka\.version>(.+?)</kafka\.version>", POM.read_text())
    assert found is not None, f"{POM} pins no kafka.version"
    return found[1]


def cache() -> Path:
    """Directory of this version's jars: in CONTRAIL_KUBE_CACHE, else in ~/.cache/contrail-kube."""
    root = os.environ.get("CONTRAIL_KUBE_CACHE") or "~/.cache/contrail-kube"
    return Path(root).expanduser() / f"kafka-{version()}"


def available() -> str | None:
    """None when a broker can be had here, else what is missing; asks no network."""
    if (missing := _java_missing()) is not None:
        return missing
    if not _is_complete(cache()) and shutil.which("mvn") is None:
        return f"Maven (mvn) is not on the PATH, and {cache()} holds no jars of an earlier run"
    return None


def jars() -> Path:
    """Directory of the jars, fetched if need be; one process fetches while others wait."""
    if (missing := available()) is not None:
        raise KafkaUnavailable(missing)
    target = cache()
    if _is_complete(target):
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with Path(f"{target}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_complete(target):
            _fetch(target)
    return target


def _fetch(target: Path) -> None:
    with tempfile.TemporaryDirectory(prefix=f"{target.name}.", dir=target.parent) as text:
        fresh = Path(text) / "jars"
        command = ["mvn", "-B", "-q", "-f", str(POM), "dependency:copy-dependencies", "-DincludeScope=runtime"]
        try:
            done = subprocess.run(
                [*command, f"-DoutputDirectory={fresh}"],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=FETCH_SECONDS,
            )
        except subprocess.TimeoutExpired:
            raise KafkaUnavailable(f"Maven did not fetch Kafka within {FETCH_SECONDS} s") from None
        if done.returncode != 0:
            last = " ".join((done.stdout + done.stderr).split())[-600:]
            raise KafkaUnavailable(f"Maven could not fetch Kafka; a registry is needed once: {last}")
        shutil.copy(POM, fresh)
        shutil.rmtree(target, ignore_errors=True)
        fresh.rename(target)


def _is_complete(directory: Path) -> bool:
    """Whether the directory was made from this very pom."""
    copy = directory / POM.name
    return copy.exists() and copy.read_bytes() == POM.read_bytes()


def _java_missing() -> str | None:
    if shutil.which("java") is None:
        return f"Java {JAVA_AT_LEAST} or newer is not on the PATH"
    done = subprocess.run(["java", "-version"], capture_output=True, text=True)
    found = re.search(r'version "(\d+)', done.stderr + done.stdout)
    if found is None or int(found[1]) < JAVA_AT_LEAST:
        return f"Java {JAVA_AT_LEAST} or newer is needed; `java -version` says {done.stderr.splitlines()[:1]}"
    return None
