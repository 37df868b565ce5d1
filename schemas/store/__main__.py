"""`python -m schemas.store migrate|revision`: bring the database of CONTRAIL_KUBE_DATABASE_URL to this version."""

from __future__ import annotations

import os
import sys

from schemas.errors import ContrailKubeError
from schemas.logs import configure
from schemas.settings import DatabaseSettings, from_env
from schemas.store.engine import connect
from schemas.store.migrate import current, head, migrate


def main(arguments: list[str]) -> int:
    """Run one command; returns the exit code."""
    configure("store", log_format="text")
    if arguments not in (["migrate"], ["revision"]):
        sys.stderr.write("usage: python -m schemas.store migrate|revision\n")
        return 2
    try:
        engine = connect(from_env(DatabaseSettings, os.environ), application="migrate", pool_size=1)
        found = migrate(engine) if arguments == ["migrate"] else current(engine)
    except ContrailKubeError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"store is at revision {found or 'none'}, this version needs {head()}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
