"""The yardstick of the applier: the same requests from as many threads, and nothing else.

No store, no order between pods, no record. Client, bodies and the number of address reads are the applier's.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from applier.client import ContrailClient
from applier.observe import ADDRESS_FIELDS, CHUNK
from benchmarks.contrail_site import NODE, Site
from schemas.contrail import wire
from schemas.contrail.objects import ContrailObject, Link
from schemas.settings import ContrailSettings
from tests.applier.objects import Pod


def bare_loop(site: Site, pods: Sequence[Pod], *, reads: int) -> float:
    """Seconds that the requests of these pods take, with so many reads of addresses among them."""
    client = ContrailClient(ContrailSettings(urls=(site.api,)), pool_size=site.concurrency)
    router = client.fqname_to_id("virtual-router", ("default-global-system-config", NODE)).json["uuid"]
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
    return seconds


def _send(client: ContrailClient, one: ContrailObject | Link, router: str) -> None:
    if isinstance(one, Link):
        answer = client.ref_update(wire.ref_update(one, router, wire.ADD))
    else:
        answer = client.create(one.type, wire.create_fields(one))
    assert answer.ok, answer
