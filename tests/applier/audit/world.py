"""A cluster in a store and in a simulated Contrail, audited as a person would do it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, text

from applier.audit.auditor import Auditor, Orders
from applier.audit.report import Report
from applier.audit.settings import AuditSettings
from applier.client import ContrailClient
from applier.service import AppliedInBackground, Settings
from applier.settings import ApplierSettings
from applier.writer import OwnerMark
from schemas.contrail.objects import ContrailObject, Desired
from schemas.settings import ClusterSettings, ContrailSettings, DatabaseSettings
from simulators.contrail.server import ContrailSimulator
from tests.applier.kubernetes import KubernetesInStore
from tests.applier.running import QUICK, until, until_applied

QUICK_AUDIT: dict[str, Any] = {"api_share": 1.0, "page_size": 7, "observation_distance": 60.0}


class World:
    """One cluster: `store` is what Kubernetes wants of it."""

    def __init__(
        self,
        engine: Engine,
        contrail: ContrailSimulator,
        *,
        cluster: str = "k8s",
        owner: str = "k8s",
        pods: str = "10.32.0.0/12",
    ) -> None:
        self.engine = engine
        self.contrail = contrail
        self.mark = OwnerMark(owner, cluster)
        self.store = KubernetesInStore(engine, cluster=cluster, owner=owner, pods=pods)

    def pods(self, *names: str, namespace: str = "shop") -> list[tuple[Desired, ...]]:
        """These pods, in a cluster with that namespace, applied."""
        self.store.start(namespace)
        made = [self.store.pod(namespace, name) for name in names]
        self.apply()
        return made

    @contextmanager
    def applying(self, **audit: Any) -> Iterator[AppliedInBackground]:
        """An applier that runs while the `with` block lasts, without audits unless told otherwise."""
        settings = Settings(
            cluster=ClusterSettings(name=self.mark.cluster, owner=self.mark.owner),
            database=DatabaseSettings(url=self.engine.url.render_as_string(hide_password=False)),
            contrail=ContrailSettings(urls=(self.contrail.url,), connect_timeout=2.0, read_timeout=2.0),
            applier=ApplierSettings(**QUICK),
            audit=AuditSettings(**{**QUICK_AUDIT, "interval": 0.0, **audit}),
        )
        with AppliedInBackground(settings) as running:
            yield running

    def apply(self) -> None:
        """Let the applier finish all there is to do."""
        with self.applying():
            until_applied(self.store.desired)

    def audit(self, *, repair: bool = False, prune: bool = False, limit: int | None = None, **settings: Any) -> Report:
        """One audit now."""
        client = ContrailClient(
            ContrailSettings(urls=(self.contrail.url,), connect_timeout=2.0, read_timeout=2.0), pool_size=1
        )
        auditor = Auditor(
            self.engine,
            client,
            mark=self.mark,
            settings=AuditSettings(**{**QUICK_AUDIT, **settings}),
            stop=threading.Event(),
        )
        try:
            # The database needs a moment to notice that the session of an audit that was killed has ended.
            report: Report = until(lambda: auditor.audit(Orders(repair=repair, prune=prune, limit=limit)))
        finally:
            client.close()
        return report

    def forget(self, *objects: Desired) -> None:
        """Let the store lose objects that it wanted: what was deleted while nobody looked, or never came back."""
        with self.engine.begin() as connection:
            for each in objects:
                connection.execute(text("DELETE FROM desired_object WHERE uuid = :uuid"), {"uuid": each.uuid})
                connection.execute(text("DELETE FROM k8s_resource WHERE uid = :uuid"), {"uuid": each.uuid})

    def age(self, seconds: float) -> None:
        """Let everything that audits saw be so much longer ago."""
        with self.engine.begin() as connection:
            connection.execute(
                text("UPDATE audit_finding SET first_seen = first_seen - :s * interval '1 second'"), {"s": seconds}
            )

    def execute(self, statement: str) -> None:
        """Change the store."""
        with self.engine.begin() as connection:
            connection.execute(text(statement))

    def findings(self) -> dict[str, str]:
        """Problem by 'type fq_name' of what is open."""
        return {f"{row.type} {row.fq_name}": row.problem for row in self.drift()}

    def drift(self) -> list[Any]:
        """The view `drift`."""
        return self.rows("SELECT * FROM drift WHERE cluster = :cluster ORDER BY type, fq_name")

    def reasons(self) -> set[str]:
        """Reasons of what is open."""
        return {row.reason for row in self.drift()}

    def rows(self, query: str, **parameters: Any) -> list[Any]:
        """What the store says."""
        with self.engine.connect() as connection:
            return list(connection.execute(text(query), {"cluster": self.mark.cluster, **parameters}))

    def has(self, *objects: Desired) -> list[bool]:
        """Whether Contrail has each of these objects, links left out."""
        made = [each for each in objects if isinstance(each, ContrailObject)]
        return self.contrail.ask(lambda state: [each.uuid in state for each in made])

    def routed(self, node: str = "node-1") -> set[str]:
        """Machines that a node is to have."""
        router = self.contrail.find("virtual-router", "default-global-system-config", node)
        assert router is not None
        return {ref["uuid"] for ref in router.get("virtual_machine_refs") or ()}
