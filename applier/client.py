"""Client of the Contrail config API (shell): one method per kind of call, every answer a value.

It puts a deadline on every call and never raises for what the API says. A request is sent again in two cases only,
because nothing was done: no connection came about, and another endpoint is there; or the credentials were refused
(401), and new ones are to be had. What an answer means is decided in `applier/outcome.py`. Thread-safe.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import msgspec
from prometheus_client import Counter

from applier import metrics
from applier.answer import Answer
from applier.connection import AnswerLost, NotConnected, Reply, Server
from applier.credentials import credentials_of
from applier.endpoints import Endpoint, Endpoints
from applier.tls import Tls
from schemas.contrail.objects import Json
from schemas.errors import ContrailUnavailable
from schemas.settings import ContrailSettings

MaySend = Callable[[], bool]
"""Whether a write may still be sent: asked when there is a connection, which may have taken a while."""
_HEADERS = b"Accept: application/json\r\nAccept-Encoding: identity\r\nX-Contrail-Useragent: contrail-kube:applier\r\n"
_NOT_WELL = (502, 503, 504)
"""Answers of an API server, or of a proxy before it, that another server may not give."""


class ContrailClient:
    """Calls to one Contrail; `pool_size` is the number of threads that call at one time.

    Every method raises ContrailUnavailable when no answer came: the work may or may not have been done; and
    ContrailDenied when Keystone gives no token, which is never so after the request was sent. Those that write raise
    Fenced, with nothing sent, if `may_send` says no at the last moment. The constructor raises SettingsError for
    files that cannot be used.
    """

    def __init__(self, settings: ContrailSettings, *, pool_size: int = 8) -> None:
        secure = any(url.startswith("https://") for url in (*settings.urls, settings.keystone_url))
        tls = Tls(settings) if secure else None
        self._endpoints = Endpoints(
            [
                Server(
                    url,
                    tls=tls,
                    connect_timeout=settings.connect_timeout,
                    read_timeout=settings.read_timeout,
                    pool_size=pool_size,
                )
                for url in settings.urls
            ]
        )
        self._credentials = credentials_of(settings, tls=tls)
        self._counters: dict[tuple[str, int, str], Counter] = {}

    @property
    def url(self) -> str:
        """The API's addresses, as set."""
        return str(self._endpoints)

    def create(self, type_: str, fields: Mapping[str, Json], *, may_send: MaySend | None = None) -> Answer:
        """`POST /<type>s`; the answer holds uuid, fq_name and parent, but nothing that was allocated."""
        return self._call("create", "POST", f"/{type_}s", {type_: fields}, may_send=may_send)

    def read(self, type_: str, uuid: str, fields: Iterable[str] = ()) -> Answer:
        """`GET /<type>/<uuid>` with these fields only (and what the API always adds), never back references."""
        query = {"exclude_children": "true", "exclude_back_refs": "true", "exclude_hrefs": "true"}
        if wanted := ",".join(fields):
            query["fields"] = wanted
        return self._call("read", "GET", f"/{type_}/{uuid}?{urlencode(query, safe=',')}")

    def update(self, type_: str, uuid: str, fields: Mapping[str, Json], *, may_send: MaySend | None = None) -> Answer:
        """`PUT /<type>/<uuid>` of these fields; a reference list replaces the whole list."""
        return self._call("update", "PUT", f"/{type_}/{uuid}", {type_: fields}, may_send=may_send)

    def delete(self, type_: str, uuid: str, *, may_send: MaySend | None = None) -> Answer:
        """`DELETE /<type>/<uuid>`."""
        return self._call("delete", "DELETE", f"/{type_}/{uuid}", may_send=may_send)

    def ref_update(self, body: Mapping[str, Json], *, may_send: MaySend | None = None) -> Answer:
        """`POST /ref-update`: add or delete one reference; repeating it is harmless."""
        return self._call("ref_update", "POST", "/ref-update", body, may_send=may_send)

    def prop_collection_update(self, body: Mapping[str, Json], *, may_send: MaySend | None = None) -> Answer:
        """`POST /prop-collection-update`: put or take away entries of a collection; the answer is empty."""
        path = "/prop-collection-update"
        return self._call("prop_collection_update", "POST", path, body, may_send=may_send)

    def fqname_to_id(self, type_: str, fq_name: Sequence[str]) -> Answer:
        """`POST /fqname-to-id`: {'uuid'} or 404."""
        return self._call("fqname_to_id", "POST", "/fqname-to-id", {"type": type_, "fq_name": list(fq_name)})

    def read_many(
        self,
        type_: str,
        *,
        fields: Iterable[str],
        uuids: Iterable[str] | None = None,
        referring_to: str = "",
        filters: str = "",
    ) -> Answer:
        """`POST /list-bulk-collection`: {'<type>s': [{uuid, fq_name, the fields}]}; unknown uuids are left out.

        Without `uuids` all objects of the type: those with a reference to the uuid `referring_to` if that is given, and
        those of `filters` (`field=="text"`).
        """
        # Comma strings: a JSON list of fields makes the API answer 500.
        body: dict[str, Json] = {"type": type_, "fields": ",".join(fields)}
        if uuids is not None:
            body["obj_uuids"] = ",".join(uuids)
        if referring_to:
            body["back_ref_id"] = referring_to
        if filters:
            body["filters"] = filters
        return self._call("read_many", "POST", "/list-bulk-collection", body)

    def read_page(self, type_: str, *, fields: Iterable[str], marker: str = "None", size: int = 500) -> Answer:
        """One page of all objects of a type: {'<type>s': [as of read_many], 'marker': of the next page, or None}."""
        body: dict[str, Json] = {"type": type_, "fields": ",".join(fields), "page_limit": size, "page_marker": marker}
        return self._call("read_page", "POST", "/list-bulk-collection", body)

    def close(self) -> None:
        """Close the connections."""
        self._endpoints.close()
        self._credentials.close()

    def _call(
        self, operation: str, method: str, path: str, body: Json = None, *, may_send: MaySend | None = None
    ) -> Answer:
        headers, content = _HEADERS, b""
        if body is not None:
            content = msgspec.json.encode(body)
            headers += b"Content-Type: application/json\r\nContent-Length: %d\r\n" % len(content)
        began = time.monotonic()
        try:
            credentials = self._credentials.header()
            endpoint, reply = self._reached(operation, method, path, headers + credentials, content, may_send)
            if reply.status == 401 and (renewed := self._credentials.renewed(credentials)) != credentials:
                endpoint, reply = self._reached(operation, method, path, headers + renewed, content, may_send)
        finally:
            now = time.monotonic()
            _SECONDS[operation].observe(now - began)
        if reply.status in _NOT_WELL:
            said = f"it answered {reply.status}"
            elsewhere = self._endpoints.failed(endpoint, began=began, now=now, reason=said, answered=True)
        else:
            self._endpoints.answered(endpoint, now)
            elsewhere = False
        return self._answer(reply, elsewhere=elsewhere)

    def _reached(
        self, operation: str, method: str, path: str, headers: bytes, content: bytes, may_send: MaySend | None
    ) -> tuple[Endpoint, Reply]:
        """The answer of the first endpoint to which a connection comes about."""
        tried: dict[Endpoint, str] = {}
        endpoint: Endpoint | None = self._endpoints.current
        while endpoint is not None:
            began = time.monotonic()
            try:
                reply = endpoint.server.exchange(method, path, headers, content, may_send=may_send)
            except (NotConnected, AnswerLost) as error:
                self._count(operation, 0, endpoint)
                now = time.monotonic()
                elsewhere = self._endpoints.failed(endpoint, began=began, now=now, reason=str(error))
                tried[endpoint] = f"{endpoint.url} gave no answer to {method} {path.partition('?')[0]}: {error}"
                if isinstance(error, AnswerLost):
                    raise _unavailable(tried, elsewhere=elsewhere) from error
                endpoint = self._endpoints.untried(tried, now)
            else:
                self._count(operation, reply.status, endpoint)
                return endpoint, reply
        raise _unavailable(tried, elsewhere=False)

    def _answer(self, reply: Reply, *, elsewhere: bool) -> Answer:
        value = _json(reply.content)
        text = "" if value is not None and reply.status == 200 else reply.content.decode("utf-8", "replace")
        if reply.status == 200:
            return Answer(200, text, value)
        return Answer(
            status=reply.status,
            text=text,
            json=value,
            retry_after=_seconds(reply.headers.get("Retry-After")),
            elsewhere=elsewhere,
            asked=self._credentials.identity if reply.status in (401, 403) else "",
        )

    def _count(self, operation: str, status: int, endpoint: Endpoint) -> None:
        key = (operation, status, endpoint.url)
        counter = self._counters.get(key)
        if counter is None:  # finding a metric by its labels costs more than counting
            counter = self._counters[key] = metrics.CALLS.labels(operation, status or "none", endpoint.url)
        counter.inc()


_OPERATIONS = (
    "create",
    "read",
    "update",
    "delete",
    "ref_update",
    "prop_collection_update",
    "fqname_to_id",
    "read_many",
    "read_page",
)
_SECONDS = {operation: metrics.CALL_SECONDS.labels(operation) for operation in _OPERATIONS}


def _unavailable(tried: Mapping[Endpoint, str], *, elsewhere: bool) -> ContrailUnavailable:
    return ContrailUnavailable(
        f"Contrail API {'; '.join(tried.values())}; check that the config API runs there "
        "(CONTRAIL_KUBE_CONTRAIL_URLS) and can be reached from here",
        elsewhere=elsewhere,
    )


def _json(content: bytes) -> Any:
    if content[:1] in (b"{", b"["):
        try:
            return msgspec.json.decode(content)
        except msgspec.DecodeError:
            return None  # many error texts begin with a bracket
    return None


def _seconds(header: str | None) -> float | None:
    try:
        return max(0.0, float(header)) if header is not None else None
    except ValueError:
        return None  # an HTTP date: our own back-off does as well
