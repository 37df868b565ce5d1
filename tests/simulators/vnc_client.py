"""A virtual environment of its own for Contrail's official Python client, built once and cached."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

REQUIREMENTS = ("contrail-api-client==2005", "future==1.0.0", "six>=1.17", "requests>=2.31")
"""The client declares none of what it imports; `future` is what lets it run on a current Python."""
_UNREACHABLE = ("No matching distribution", "Could not find a version", "connection", "timed out", "resolve")
_BUILD_SECONDS = 600


class Unavailable(Exception):
    """The package index cannot be reached."""


def python() -> Path:
    """Interpreter of the environment, built now if it is missing; raises Unavailable, CalledProcessError."""
    home = _directory()
    interpreter = home / "bin" / "python"
    if not interpreter.exists():
        home.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=home.parent, prefix="vnc-client-") as half_made:
            built = Path(half_made, "venv")
            _build(built)
            try:
                built.rename(home)
            except OSError:
                if not interpreter.exists():  # else another session was faster
                    raise
    return interpreter


def _directory() -> Path:
    root = Path(os.environ.get("CONTRAIL_KUBE_CACHE") or "~/.cache/contrail-kube").expanduser()
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    digest = hashlib.sha256("\n".join((version, *REQUIREMENTS)).encode()).hexdigest()
    return root / f"vnc-client-{digest[:12]}"


def _build(directory: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", directory], check=True, timeout=_BUILD_SECONDS)
    # `python -m pip`, not the script: its shebang would name the directory that is renamed afterwards.
    command = [directory / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run(
        [*command, *REQUIREMENTS], capture_output=True, text=True, timeout=_BUILD_SECONDS, check=False
    )
    if done.returncode == 0:
        return
    if any(word in done.stderr for word in _UNREACHABLE):
        raise Unavailable(done.stderr.strip().splitlines()[-1])
    raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
