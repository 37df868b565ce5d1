"""Building the rig's one binary (`go/`) through the Go module proxy, once per version, into a cache outside the tree.

A binary in the cache is always whole: it is linked in a temporary directory and renamed into place, under a
file lock, so that any number of test runs may ask for it at once.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

SOURCE = Path(__file__).parent / "go"
CACHE_VARIABLE = "CONTRAIL_KUBE_CACHE"
JOBS = 2
"""Packages compiled at once; a compile of one of the big ones takes 1 GB of memory."""
LIST_SECONDS = 300
REPORT_SECONDS = 15.0


class BuildFailed(RuntimeError):
    """The Go toolchain did not give a binary; the text ends with its last lines."""


def cache_directory(environ: Mapping[str, str] = os.environ) -> Path:
    """The directory of built parts: CONTRAIL_KUBE_CACHE, else ~/.cache/contrail-kube."""
    return Path(environ.get(CACHE_VARIABLE) or "~/.cache/contrail-kube").expanduser()


def kubernetes_version() -> str:
    """The version that go.mod pins, such as 'v1.36.3'."""
    found = re.search(r"^\s*k8s\.io/kubernetes (v\S+)", (SOURCE / "go.mod").read_text(), re.MULTILINE)
    assert found, "go.mod requires k8s.io/kubernetes"
    return found[1]


def binary_path() -> Path:
    """Where the binary of the checked-in sources is, or will be once it is built."""
    digest = hashlib.sha256()
    for path in sorted(SOURCE.iterdir()):
        if path.suffix in (".go", ".mod", ".sum"):
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return cache_directory() / f"kubernetes-{digest.hexdigest()[:16]}" / "bin" / "kube"


@functools.cache
def unavailable() -> str | None:
    """Why no binary is here and none can be built, in one line; None if the rig can be had.

    Asks the cache, then the Go toolchain for its version, then Go for the sources, which fetches them from
    the module proxy if they are not in its own cache; remembered for the life of the process.
    """
    if binary_path().exists():
        return None
    if shutil.which("go") is None:
        return "no 'go' on PATH"
    have, need = _go_version(), _needed_go_version()
    if have < need:
        return f"Go {_dotted(have)} is too old, {_dotted(need)} is needed"
    try:
        _packages()
    except BuildFailed as error:
        return f"Go cannot fetch the sources: {str(error).strip().splitlines()[-1][-300:]}"
    return None


def build(report: Callable[[str], None] = lambda line: None) -> Path:
    """The cached binary, built first if it is not there (10 to 20 minutes on two cores).

    `report` is given a line now and then. Raises BuildFailed.
    """
    target = binary_path()
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with _lock(target.parent.parent / "build.lock", report):
        if not target.exists():
            _build_into(target, report)
    return target


def _build_into(target: Path, report: Callable[[str], None]) -> None:
    report(f"fetching the sources of Kubernetes {kubernetes_version()}, etcd and kwok")
    total = len(_packages())
    started = time.monotonic()
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="building-") as directory:
        output = Path(directory) / "kube"
        command = ["go", "build", "-v", "-p", str(JOBS), "-trimpath", f"-ldflags={_link_flags()}"]
        _compile([*command, "-o", str(output), "."], total, report)
        output.rename(target)
    size = target.stat().st_size / 1e6
    report(f"built {target} ({size:.0f} MB) in {time.monotonic() - started:.0f} s")


def _compile(command: list[str], total: int, report: Callable[[str], None]) -> None:
    """Run the build; `-v` prints one line per package compiled, none for one that Go has cached."""
    lines: list[str] = []
    due = time.monotonic() + REPORT_SECONDS
    with subprocess.Popen(
        command, cwd=SOURCE, env=_go_environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                lines.append(line)
                if time.monotonic() >= due:
                    report(f"compiled {len(lines)} of at most {total} packages")
                    due = time.monotonic() + REPORT_SECONDS
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise BuildFailed(f"go build ended with {process.returncode}:\n{''.join(lines[-30:])}")


def _packages() -> list[str]:
    """Every package of the binary; fetches the modules that hold them."""
    try:
        done = subprocess.run(
            ["go", "list", "-deps", "."],
            cwd=SOURCE,
            env=_go_environment(),
            capture_output=True,
            text=True,
            timeout=LIST_SECONDS,
            check=True,
        )
    except subprocess.TimeoutExpired as error:
        raise BuildFailed(f"go list has no answer after {LIST_SECONDS} s") from error
    except subprocess.CalledProcessError as error:
        raise BuildFailed(error.stderr[-2000:] or f"go list ended with {error.returncode}") from error
    return done.stdout.split()


def _link_flags() -> str:
    """Strip symbols, and stamp the version as upstream's build does: the API server serves it at /version."""
    version = kubernetes_version()
    major, minor, _ = version.removeprefix("v").split(".", 2)
    stamp = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
    return "-s -w " + " ".join(f"-X k8s.io/component-base/version.{k}={v}" for k, v in stamp.items())


def _go_environment() -> dict[str, str]:
    """The caller's environment, without a toolchain download and without what would change the build."""
    return {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly -buildvcs=false", "GOWORK": "off"}


def _go_version() -> tuple[int, ...]:
    try:
        done = subprocess.run(
            ["go", "env", "GOVERSION"], env=_go_environment(), capture_output=True, text=True, timeout=60, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return (0,)
    found = re.match(r"go(\d+)\.(\d+)(?:\.(\d+))?", done.stdout)
    return tuple(int(part or 0) for part in found.groups()) if found else (0,)


def _needed_go_version() -> tuple[int, ...]:
    found = re.search(r"^go (\S+)$", (SOURCE / "go.mod").read_text(), re.MULTILINE)
    assert found, "go.mod names its Go version"
    return tuple(int(part) for part in found[1].split("."))


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


@contextmanager
def _lock(path: Path, report: Callable[[str], None]) -> Iterator[None]:
    with path.open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report("waiting for another build of the same binary")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
