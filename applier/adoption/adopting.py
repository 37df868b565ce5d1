"""The adoption as a whole (shell): look, judge, record all aliases at once, then remove what is gone.

Nothing is written before all of it was judged. Stopped anywhere, it is run again and goes on: aliases that are
recorded are found, and what is removed is no longer seen.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Engine

from applier.adoption.judging import Judgement, Verdict, judge, machines_of
from applier.adoption.knowledge import known, unready
from applier.adoption.objects import INSTANCE_IP, MACHINE, Cluster, Survey
from applier.adoption.recording import record
from applier.adoption.removing import ORDER, Removed, Remover
from applier.adoption.surveying import addresses, survey
from applier.client import ContrailClient
from applier.progress import SILENT, Progress
from schemas.errors import StoreUnavailable
from schemas.settings import ClusterSettings
from schemas.store.engine import store_errors
from schemas.store.migrate import require_current

logger = logging.getLogger(__name__)


FEW, SHARE = 20, 0.1
"""Machines of pods that may go without a question: so many, or this share of all, whichever is more."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What was found and what shall be done about it.

    `busy` says why somebody else seems to write still, `many` why so much would be removed that a person must say so.
    """

    judgement: Judgement
    survey: Survey
    busy: str = ""
    many: str = ""


@dataclass(frozen=True, slots=True)
class Adopted:
    """What was done; `moved` are addresses that are not as they were: 'name: old, now new'."""

    aliases: int = 0
    removed: tuple[Removed, ...] = ()
    moved: tuple[str, ...] = ()

    @property
    def failures(self) -> tuple[str, ...]:
        """What a person should look at."""
        return (*(f"{r.live.label}: {r.failure}" for r in self.removed if r.failure), *self.moved)


def _many(judgement: Judgement) -> str:
    """A store that knows less than it should would take running pods for gone."""
    machines = sum(judged.live.type == MACHINE for judged in judgement.judged)
    going = sum(judged.live.type == MACHINE for judged in judgement.of(Verdict.REMOVED, Verdict.REPLACED))
    if going <= max(FEW, SHARE * machines):
        return ""
    return (
        f"{going} of {machines} pods in Contrail would be removed, because the store does not know them: "
        "does it know the whole cluster? If so, say --remove-many"
    )


class Adoption:
    """Takes over one cluster's objects; raises ContrailUnavailable and StoreUnavailable, after which it may be rerun.

    `quiet` is in seconds: so long ago must the last object have been made that is not this store's.
    """

    def __init__(
        self,
        client: ContrailClient,
        engine: Engine,
        *,
        cluster: ClusterSettings,
        quiet: float = 60.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._engine = engine
        self._cluster = cluster
        self._quiet = quiet
        self._clock = clock

    def look(self, progress: Progress = SILENT) -> Outlook:
        """Find out what is to be done; writes nothing. Raises StoreUnavailable while the store cannot know."""
        require_current(self._engine)
        self._require_ready()
        # Contrail first: what is made meanwhile is then in the store at most, and never looks like left over.
        progress.begin("reading Contrail")
        seen = survey(self._client, told=progress.advance)
        progress.begin("reading the store")
        with store_errors("read what is desired", self._engine), self._engine.connect() as connection:
            connection = connection.execution_options(isolation_level="REPEATABLE READ")
            cluster = known(connection, self._cluster)
        judgement = judge(cluster, seen)
        return Outlook(judgement, seen, self._busy(cluster, judgement), _many(judgement))

    def adopt(self, outlook: Outlook, progress: Progress = SILENT) -> Adopted:
        """Do it."""
        judgement = outlook.judgement
        self._require_ready()
        aliases = [t.alias for t in judgement.takeovers if t.alias is not None]
        progress.begin("recording what is kept")
        new = record(self._engine, cluster=self._cluster.name, aliases=aliases, held=judgement.held)
        logger.info("recorded aliases=%d new=%d held=%d", len(aliases), new, len(judgement.held))
        removed = self._remove(outlook, progress)
        return Adopted(new, tuple(removed), self._moved(judgement, progress))

    def _require_ready(self) -> None:
        with store_errors("look whether Kubernetes is listed", self._engine), self._engine.connect() as connection:
            if why := unready(connection, self._cluster.name):
                raise StoreUnavailable(f"{why}. Nothing was changed.")

    def _busy(self, cluster: Cluster, judgement: Judgement) -> str:
        own = {wanted.uuid for wanted in cluster.wanted}
        made = [(j.live.made_at, j.live) for j in judgement.judged if j.live.uuid not in own]
        newest = max((each for each in made if each[0] != float("inf")), key=lambda each: each[0], default=None)
        if newest is None or self._clock() - newest[0] >= self._quiet:
            return ""
        age = self._clock() - newest[0]
        return (
            f"{newest[1].label} was made {age:.0f} seconds ago, and not by this store: is contrail-kube-manager still "
            f"running? Stop it, and try again when nothing was made for {self._quiet:.0f} seconds (--quiet)"
        )

    def _remove(self, outlook: Outlook, progress: Progress) -> list[Removed]:
        going = outlook.judgement.of(Verdict.REMOVED, Verdict.REPLACED)
        remover = Remover(self._client, self._engine, mark=(self._cluster.owner, self._cluster.name))
        machines = machines_of(outlook.survey.objects)
        progress.begin("removing what is left over", len(going))
        failed: dict[str, Removed] = {}
        for judged in going:
            routers = outlook.survey.routers.get(judged.live.uuid, ()) if judged.live.type == MACHINE else ()
            if routers and (unlinked := remover.unlink(judged, routers)).failure:
                failed[judged.live.uuid] = unlinked
        done = list(failed.values())
        for type_ in (*ORDER, *sorted({j.live.type for j in going} - set(ORDER))):
            for judged in going:
                if judged.live.type == type_ and judged.live.uuid not in failed:
                    if machines.get(judged.live.uuid) in failed:
                        continue  # its node has not let go
                    done.append(removed := remover.remove(judged, machines))
                    progress.advance()
                    logger.info("removed %s uuid=%s %s", removed.live.label, removed.live.uuid, removed.failure)
        return done

    def _moved(self, judgement: Judgement, progress: Progress) -> tuple[str, ...]:
        """Addresses of what is kept are read once more: none may have changed."""
        before = {
            t.pair.live.uuid: (t.pair.live.label, t.pair.live.fields.get("instance_ip_address") or "")
            for t in judgement.takeovers
            if t.pair.live.type == INSTANCE_IP
        }
        progress.begin("looking at the addresses again", len(before))
        now = addresses(self._client, before)
        return tuple(
            f"{label}: had address {address}, has {now.get(uuid, 'none, as it is gone')}"
            for uuid, (label, address) in before.items()
            if now.get(uuid) != address
        )
