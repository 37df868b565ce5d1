"""A real API server, a real store, and between them what watchers, translator and applier would have done by now."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
from sqlalchemy import Engine, text

from schemas.events import Op, change
from schemas.health import Health
from schemas.identity import ResourceKey
from schemas.records import NetworkAttachmentDefinitionRecord, SettingsRecord
from tests.rigs.kubernetes import Access, ApiError
from tests.translator.facts import SETTINGS, SOURCE
from tests.translator.world import World
from translator.postgres import PostgresStore
from watchers.connection import from_kubeconfig
from watchers.feedback.event import CONTROLLER
from watchers.feedback.service import Feedback
from watchers.feedback.settings import FeedbackSettings
from watchers.feedback.subject import KIND_OF, NETWORK_STATUS
from watchers.kinds import observe

POOL = "default-domain:admin:public:pool"
QUICK: dict[str, Any] = {"interval": 0.05, "settle_seconds": 0.0, "lease_seconds": 2.0, "resync_seconds": 1.0}
_APPLIED = text("UPDATE apply_state SET status = 'applied', applied_generation = desired_generation, reason = ''")
_OBSERVE = text("""
    INSERT INTO observed_object (uuid, type, body, digest)
    SELECT d.uuid, d.type, jsonb_build_object(
        'address', CASE d.type WHEN 'floating-ip' THEN '203.0.113.' ELSE '10.47.0.' END
            || (row_number() OVER (ORDER BY d.fq_name) + :begin)::text,
        'dns', '10.47.255.253', 'prefix_len', 12), ''
    FROM desired_object d LEFT JOIN observed_object o ON o.uuid = d.uuid
    WHERE NOT d.absent AND o.uuid IS NULL AND (
        d.type = 'instance-ip' AND NOT (d.body -> 'properties') ? 'instance_ip_address'
        OR d.type = 'floating-ip' AND d.body ->> 'parent_type' = 'floating-ip-pool'
            AND NOT (d.body -> 'properties') ? 'floating_ip_address')
""")
_STUCK = text("""
    UPDATE apply_state SET status = :status, applied_generation = NULL, reason = :reason, attempts = 3
    WHERE object_uuid IN (SELECT uuid FROM desired_object WHERE type = :type AND NOT absent)
""")


class Scene:
    """One namespace of a cluster, and the store that knows of it."""

    def __init__(self, admin: Access, namespace: str, engine: Engine, folder: Path) -> None:
        self.admin = admin
        self.namespace = namespace
        self.engine = engine
        self._folder = folder
        self._store = PostgresStore(engine, "k8s")
        self._settings: SettingsRecord = msgspec.structs.replace(SETTINGS, public_pool=POOL)
        self.world = World(self._store, settings=self._settings, with_settings=True)
        self._observed = 0
        self.fold("Namespace", namespace, namespace="")

    def path(self, kind: str, name: str, namespace: str | None = None) -> str:
        known, space = KIND_OF[kind], self.namespace if namespace is None else namespace
        place = f"/namespaces/{space}" if space else ""
        return f"{known.discovery_path}{place}/{known.resource}/{name}"

    def make(self, kind: str, name: str, *, annotations: dict[str, str] | None = None, **body: Any) -> dict[str, Any]:
        """Make an object in the API, and fold it."""
        whole = {"metadata": {"name": name, "annotations": annotations or {}}, **body}
        made = self.admin.request("POST", self.path(kind, name).rpartition("/")[0], whole)
        self.fold(kind, name)
        return made

    def service(self, name: str, *, annotations: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
        """A service, by default a load balancer."""
        ports = [{"port": 80, "protocol": "TCP"}]
        whole = {"type": "LoadBalancer", "ports": ports, "selector": {"app": "web"}, **spec}
        return self.make("Service", name, annotations=annotations, spec=whole)

    def pod(self, name: str, **annotations: str) -> dict[str, Any]:
        """A pod; keywords are annotations."""
        spec = {"containers": [{"name": "web", "image": "example.org/web:1"}]}
        return self.make("Pod", name, annotations=annotations, spec=spec)

    def make_slice(self, name: str, service: str, *endpoints: dict[str, Any]) -> None:
        """A slice of a service, with port 80."""
        labels = {"kubernetes.io/service-name": service}
        body = {"addressType": "IPv4", "endpoints": list(endpoints), "ports": [{"port": 80, "protocol": "TCP"}]}
        path = self.path("EndpointSlice", "").rstrip("/")
        self.admin.request("POST", path, {"metadata": {"name": name, "labels": labels}, **body})
        self.fold("EndpointSlice", name)

    def change(self, kind: str, name: str, edit: Callable[[dict[str, Any]], object]) -> None:
        """Change an object as a user does, and fold it."""
        while True:
            body = self.admin.request("GET", self.path(kind, name))
            edit(body)
            try:
                self.admin.request("PUT", self.path(kind, name), body)
            except ApiError as error:
                if error.status != 409:  # else ours came between
                    raise
            else:
                break
        self.fold(kind, name)

    def fold_attachment(self, name: str, config: dict[str, str], **annotations: str) -> None:
        """Tell the store of an attachment; the API server need not serve such."""
        held = {f"opencontrail.org/{key}": value for key, value in annotations.items()}
        record = NetworkAttachmentDefinitionRecord(annotations=held, config=json.dumps(config))
        key = ResourceKey("NetworkAttachmentDefinition", self.namespace, name)
        self.world.tell(
            change(op=Op.UPSERT, epoch=1, key=key, uid=str(uuid4()), resource_version="1", source=SOURCE, body=record)
        )

    def rows(self, query: str) -> list[Any]:
        """Rows of the store."""
        with self.engine.connect() as connection:
            return list(connection.execute(text(query)))

    def fold(self, kind: str, name: str, *, namespace: str | None = None) -> None:
        """Tell the store of the object as it is now, or that it is gone."""
        known = KIND_OF[kind]
        try:
            raw = self.admin.request("GET", self.path(kind, name, namespace))
        except ApiError as error:
            assert error.status == 404
            self.gone(kind, name)
            return
        seen = observe(known, msgspec.convert(raw, known.input))
        assert seen.record is not None
        self.world.tell(
            change(
                op=Op.UPSERT,
                epoch=1,
                key=seen.key,
                uid=seen.uid,
                resource_version=seen.resource_version,
                source=SOURCE,
                body=seen.record,
                api_version=known.api_version,
            )
        )

    def gone(self, kind: str, name: str) -> None:
        """Tell the store that the object is gone."""
        where = {"kind": kind, "namespace": self.namespace, "name": name}
        with self.engine.connect() as connection:
            found = connection.execute(
                text("SELECT uid FROM k8s_resource WHERE kind = :kind AND namespace = :namespace AND name = :name"),
                where,
            ).one()
        key = ResourceKey(kind, self.namespace, name)
        self.world.tell(
            change(op=Op.DELETE, epoch=1, key=key, uid=found.uid, resource_version="99999999", source=SOURCE)
        )

    def remove(self, kind: str, name: str) -> None:
        """Delete the object in the API, and fold that."""
        self.admin.request("DELETE", self.path(kind, name), {"gracePeriodSeconds": 0})
        self.gone(kind, name)

    def apply(self) -> None:
        """Contrail has followed everything, and chosen the addresses that it was left."""
        with self.engine.begin() as connection:
            connection.execute(text("DELETE FROM desired_object WHERE absent"))
            connection.execute(text("DELETE FROM observed_object WHERE uuid NOT IN (SELECT uuid FROM desired_object)"))
            connection.execute(_APPLIED)
            self._observed += connection.execute(_OBSERVE, {"begin": self._observed}).rowcount

    def stuck(self, type_: str, reason: str, status: str = "blocked") -> None:
        """Contrail does not take objects of the type."""
        with self.engine.begin() as connection:
            connection.execute(_STUCK, {"type": type_, "reason": reason, "status": status})

    def status(self, name: str, kind: str = "Service") -> list[str]:
        """Addresses in the status."""
        found = self.admin.request("GET", self.path(kind, name))["status"]["loadBalancer"].get("ingress") or []
        return [each["ip"] for each in found]

    def annotation(self, name: str) -> Any:
        """The pod's network-status; None without one."""
        held = self.admin.request("GET", self.path("Pod", name))["metadata"].get("annotations") or {}
        return json.loads(held[NETWORK_STATUS]) if NETWORK_STATUS in held else None

    def version(self, kind: str, name: str) -> str:
        """The object's resourceVersion."""
        return str(self.admin.request("GET", self.path(kind, name))["metadata"]["resourceVersion"])

    def events(self, namespace: str | None = None) -> list[dict[str, Any]]:
        """Events of the namespace that are ours, oldest first; the API server's own repair of services makes some."""
        path = f"/apis/events.k8s.io/v1/namespaces/{namespace or self.namespace}/events"
        ours = [each for each in self.admin.request("GET", path)["items"] if each["reportingController"] == CONTROLLER]
        return sorted(ours, key=lambda each: each["eventTime"])

    def told(self) -> list[tuple[str, str, str]]:
        """Type, reason and `kind name` of each Event of the namespace."""
        return [(e["type"], e["reason"], f"{e['regarding']['kind']} {e['regarding']['name']}") for e in self.events()]

    @contextmanager
    def running(
        self, access: Access | None = None, *, engine: Engine | None = None, **settings: Any
    ) -> Iterator[Running]:
        """A feedback in a thread."""
        path = (access or self.admin).write_kubeconfig(self._folder / f"kubeconfig-{time.monotonic_ns()}")
        chosen = {**QUICK, "lease_name": f"feedback-{self.namespace}", **settings}
        run = Running(
            Feedback(
                FeedbackSettings(**chosen),
                cluster="k8s",
                load=from_kubeconfig(str(path)),
                engine=engine or self.engine,
                health=(health := Health()),
            ),
            health,
        )
        run.thread.start()
        try:
            yield run
        finally:
            run.feedback.stop()
            run.thread.join(30)
            assert not run.thread.is_alive()


class Running:
    """A feedback and its health."""

    def __init__(self, feedback: Feedback, health: Health) -> None:
        self.feedback = feedback
        self.health = health
        self.thread = threading.Thread(target=feedback.run, name="feedback", daemon=True)

    def ready(self) -> bool:
        return not self.health.why_not_ready()
