"""The state directory of a run: the embedded database, the log, the services' logs, and what they belong to.

lock            held while a run uses the directory
source          what the database was filled from; another source is refused
environment     settings of the running pipeline, for `contrail-kube status --state`
postgres/ bus/ simulator/ logs/
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from console.plan import Feed, Followed, Plan, Recording
from schemas.errors import SettingsError
from schemas.settings import ENV_PREFIX

_SECRETS_STAY_OUT = 0o600


class StateDirectory:
    """One run's directory; without a path a temporary one that goes at the end."""

    def __init__(self, path: Path | None) -> None:
        self._temporary = path is None
        self.path = (path or Path(tempfile.mkdtemp(prefix="contrail-kube-"))).absolute()
        self._lock: int | None = None

    @property
    def kept(self) -> bool:
        """Whether it outlives the run."""
        return not self._temporary

    @property
    def postgres(self) -> Path:
        """The embedded database."""
        return self.path / "postgres"

    @property
    def bus(self) -> Path:
        """The log directory of a followed cluster."""
        return self.path / "bus"

    @property
    def simulator(self) -> Path:
        """What the simulated Contrail keeps."""
        return self.path / "simulator"

    @property
    def logs(self) -> Path:
        """Log files of the services."""
        return self.path / "logs"

    def bind(self, plan: Plan) -> None:
        """Remember what the directory is filled from; raises SettingsError when it was something else."""
        source = _source(plan.feed, plan)
        file = self.path / "source"
        if file.exists():
            known = json.loads(file.read_text())
            if known != source:
                raise SettingsError(
                    f"--state {self.path} was filled from {known['from']}, not from {source['from']}: "
                    "name the same source, or another directory"
                )
        file.write_text(json.dumps(source))

    def publish(self, settings: Mapping[str, str]) -> None:
        """Write the settings of the running pipeline, readable for us alone: a database URL may hold a password."""
        file = self.path / "environment"
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _SECRETS_STAY_OUT)
        with os.fdopen(descriptor, "w") as stream:
            stream.writelines(f"{name}={value}\n" for name, value in sorted(settings.items()) if "\n" not in value)

    def __enter__(self) -> StateDirectory:
        try:
            if self._temporary or not self.path.exists():
                # The database's unprivileged user must be able to reach its own part of the directory.
                self.path.mkdir(mode=0o755, parents=True, exist_ok=True)
                self.path.chmod(0o755)
            self.logs.mkdir(exist_ok=True)
            self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SettingsError(f"--state {self.path} is in use by another `contrail-kube up`") from error
        except OSError as error:
            raise SettingsError(f"--state {self.path}: cannot be used: {error.strerror}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lock is not None:
            os.close(self._lock)
        if self._temporary:
            shutil.rmtree(self.path, ignore_errors=True)
        else:
            (self.path / "environment").unlink(missing_ok=True)


def read_environment(path: Path) -> dict[str, str]:
    """Settings of the pipeline that runs over this state directory; raises SettingsError when none does."""
    try:
        lines = (path / "environment").read_text().splitlines()
    except OSError as error:
        raise SettingsError(f"--state {path}: no `contrail-kube up` runs over this directory") from error
    pairs = (line.partition("=") for line in lines if line.startswith(ENV_PREFIX))
    return {name: value for name, _, value in pairs}


def _source(feed: Feed, plan: Plan) -> dict[str, str]:
    match feed:
        case Recording(directory=directory, created=created):
            return {"from": f"the log {directory}", "topic": plan.topic, "created": created}
        case Followed(kubeconfig=kubeconfig):
            return {"from": f"the cluster of {kubeconfig}", "topic": plan.topic}
    return {"from": f"the topic {plan.topic} of {','.join(plan.kafka)}", "topic": plan.topic}
