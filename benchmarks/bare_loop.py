"""The yardstick of the applier: the same requests from as many threads, and nothing else.

No store, no order between pods, no record. Bodies and the number of address reads are the applier's; so is the client,
or else it is a plain `requests.Session` per thread, which is what a script would use.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import requests

from applier.answer import Answer
from applier.client import ContrailClient
from applier.observe import ADDRESS_FIELDS, CHUNK
from benchmarks.contrail_site import NODE, Site
from schemas.contrail import wire
from schemas.contrail.objects import ContrailObject, Desired, Json, Link
from schemas.settings import ContrailSettings
from tests.applier.objects import Pod


class PlainClient:
    """The calls of the loop by `requests`, a session per thread."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._thread = threading.local()

    def create(self, type_: str, fields: Mapping[str, Json]) -> Answer:
        """As ContrailClient.create."""
        return self._post(f"/{type_}s", {type_: fields})

    def ref_update(self, body: Mapping[str, Json]) -> Answer:
        """As ContrailClient.ref_update."""
        return self._post("/ref-update", body)

    def read_many(self, type_: str, *, fields: Iterable[str], uuids: Iterable[str]) -> Answer:
        """As ContrailClient.read_many."""
        body = {"type": type_, "fields": ",".join(fields), "obj_uuids": ",".join(uuids)}
        return self._post("/list-bulk-collection", body)

    def close(self) -> None:
        """Sessions end with their threads."""

    def _post(self, path: str, body: Mapping[str, Json]) -> Answer:
        if not hasattr(self._thread, "session"):
            self._thread.session = requests.Session()
        response = self._thread.session.post(self._url + path, json=body, timeout=30)
        return Answer(status=response.status_code, text=response.text, json=response.json())


def bare_loop(site: Site, pods: Sequence[Pod], *, reads: int, plain: bool = False) -> float:
    """Seconds that the requests of these pods take, with so many reads of addresses among them."""
    own = ContrailClient(ContrailSettings(urls=(site.api,)), pool_size=site.concurrency)
    router = own.fqname_to_id("virtual-router", ("default-global-system-config", NODE)).json["uuid"]
    client = PlainClient(site.api) if plain else own
    chunk = min(CHUNK, max(1, len(pods) // max(1, reads)))

    def send(number: int) -> None:
        for one in pods[number].objects:
            _send(client, one, router)
        if number % chunk == chunk - 1:
            uuids = [p.address.uuid for p in pods[number - chunk + 1 : number + 1]]
            client.read_many("instance-ip", fields=ADDRESS_FIELDS, uuids=uuids)

    began = time.monotonic()
    with ThreadPoolExecutor(site.concurrency) as pool:
        list(pool.map(send, range(len(pods))))
    seconds = time.monotonic() - began
    client.close()
    own.close()
    return seconds


def _send(client: ContrailClient | PlainClient, one: Desired, router: str) -> None:
    if isinstance(one, Link):
        answer = client.ref_update(wire.ref_update(one, router, wire.ADD))
    else:
        assert isinstance(one, ContrailObject)
        answer = client.create(one.type, wire.create_fields(one))
    assert answer.ok, answer
