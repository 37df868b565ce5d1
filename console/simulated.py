"""The simulated Contrail of one run: its process, the virtual-routers in it, and what to do when it begins anew."""

from __future__ import annotations

import logging

from sqlalchemy import Engine

from console.amnesia import forget
from console.provisioner import Provisioner
from console.supervisor import Supervised
from schemas.errors import StoreUnavailable

logger = logging.getLogger(__name__)


class SimulatedContrail:
    """Follows a supervised simulator that already answers at `url`."""

    def __init__(self, *, supervised: Supervised, engine: Engine, cluster: str, url: str) -> None:
        self._supervised = supervised
        self._engine = engine
        self._cluster = cluster
        self._restarts = -1
        self.url = url
        self._provisioner = Provisioner(engine=engine, cluster=cluster, api=url)

    @property
    def problem(self) -> str:
        """What keeps nodes from being registered, or ''."""
        return self._provisioner.problem

    def start(self) -> SimulatedContrail:
        """Begin to register nodes."""
        self.tick()
        self._provisioner.start()
        return self

    def tick(self) -> None:
        """Notice that the simulator's memory is gone: it is a new process, or the store is of an earlier run."""
        restarts = self._supervised.standing().restarts
        if restarts == self._restarts or self._supervised.process is None:
            return
        try:
            forget(self._engine, cluster=self._cluster)
        except StoreUnavailable as error:  # tried again at the next tick
            logger.warning("%s", error)
            return
        self._provisioner.forget()
        self._restarts = restarts

    def stop(self) -> None:
        """Register no more."""
        self._provisioner.stop()
