"""Client of the Contrail config API (shell): one method per kind of call, every answer a value.

It never retries, never raises for what the API says, and puts a deadline on every call. What an answer means is
decided in `applier/outcome.py`. Thread-safe: the threads share one pool of connections.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import msgspec
import requests
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import HTTPError, ReadTimeoutError

from applier import metrics
from applier.answer import Answer
from applier.connection import PromptAdapter
from schemas.contrail.objects import Json
from schemas.errors import ContrailUnavailable
from schemas.settings import ContrailSettings

MAX_ANSWER = 64 * 1024 * 1024
"""Bytes of the longest answer that is read; lists are asked for in chunks that stay far below."""
_CHUNK = 256 * 1024


class ContrailClient:
    """Calls to one config API; `pool_size` is the number of threads that call at one time.

    Every method raises ContrailUnavailable when no answer came: the work may or may not have been done.
    """

    def __init__(self, settings: ContrailSettings, *, pool_size: int = 8) -> None:
        self._url = settings.urls[0].rstrip("/")
        self._connect_timeout = settings.connect_timeout
        self._read_timeout = settings.read_timeout
        # The transport without a Session around it: no cookies, no redirects, no proxies or CA bundles from the
        # environment behind the settings' back, and a third less CPU time per call.
        self._transport = PromptAdapter(pool_size)

    @property
    def url(self) -> str:
        """The API's address, as set."""
        return self._url

    def create(self, type_: str, fields: Mapping[str, Json]) -> Answer:
        """`POST /<type>s`; the answer holds uuid, fq_name and parent, but nothing that was allocated."""
        return self._call("create", "POST", f"/{type_}s", {type_: fields})

    def read(self, type_: str, uuid: str, fields: Iterable[str] = ()) -> Answer:
        """`GET /<type>/<uuid>` with these fields only (and what the API always adds), never back references."""
        query = {"exclude_children": "true", "exclude_back_refs": "true", "exclude_hrefs": "true"}
        if wanted := ",".join(fields):
            query["fields"] = wanted
        return self._call("read", "GET", f"/{type_}/{uuid}?{urlencode(query, safe=',')}")

    def update(self, type_: str, uuid: str, fields: Mapping[str, Json]) -> Answer:
        """`PUT /<type>/<uuid>` of these fields; a reference list replaces the whole list."""
        return self._call("update", "PUT", f"/{type_}/{uuid}", {type_: fields})

    def delete(self, type_: str, uuid: str) -> Answer:
        """`DELETE /<type>/<uuid>`."""
        return self._call("delete", "DELETE", f"/{type_}/{uuid}")

    def ref_update(self, body: Mapping[str, Json]) -> Answer:
        """`POST /ref-update`: add or delete one reference; repeating it is harmless."""
        return self._call("ref_update", "POST", "/ref-update", body)

    def fqname_to_id(self, type_: str, fq_name: Sequence[str]) -> Answer:
        """`POST /fqname-to-id`: {'uuid'} or 404."""
        return self._call("fqname_to_id", "POST", "/fqname-to-id", {"type": type_, "fq_name": list(fq_name)})

    def read_many(self, type_: str, *, fields: Iterable[str], uuids: Iterable[str] | None = None) -> Answer:
        """`POST /list-bulk-collection`: {'<type>s': [{uuid, fq_name, the fields}]}; unknown uuids are left out.

        Without `uuids` all objects of the type.
        """
        # Comma strings: a JSON list of fields makes the API answer 500.
        body: dict[str, Json] = {"type": type_, "fields": ",".join(fields)}
        if uuids is not None:
            body["obj_uuids"] = ",".join(uuids)
        return self._call("read_many", "POST", "/list-bulk-collection", body)

    def read_page(self, type_: str, *, fields: Iterable[str], marker: str = "None", size: int = 500) -> Answer:
        """One page of all objects of a type: {'<type>s': [as of read_many], 'marker': of the next page, or None}."""
        body: dict[str, Json] = {"type": type_, "fields": ",".join(fields), "page_limit": size, "page_marker": marker}
        return self._call("read_page", "POST", "/list-bulk-collection", body)

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def _call(self, operation: str, method: str, path: str, body: Json = None) -> Answer:
        request = requests.PreparedRequest()
        request.method = method
        request.url = self._url + path
        headers = {"Accept": "application/json", "X-Contrail-Useragent": "contrail-kube:applier"}
        request.headers = CaseInsensitiveDict(headers)
        if body is not None:
            request.body = msgspec.json.encode(body)
            request.headers["Content-Type"] = "application/json"
            request.headers["Content-Length"] = str(len(request.body))
        began = time.monotonic()
        status = "none"
        try:
            answer = self._send(request, began)
            status = str(answer.status)
            return answer
        except (requests.RequestException, HTTPError) as error:
            raise self._unavailable(method, path, error) from error
        finally:
            metrics.CALLS.labels(operation, status).inc()
            metrics.CALL_SECONDS.labels(operation).observe(time.monotonic() - began)

    def _send(self, request: requests.PreparedRequest, began: float) -> Answer:
        timeouts = (self._connect_timeout, self._read_timeout)
        with self._transport.send(request, timeout=timeouts, stream=True) as response:
            content = self._content(response, began + self._connect_timeout + self._read_timeout)
            retry_after = _seconds(response.headers.get("Retry-After"))
            return _answer(response.status_code, content, retry_after)

    def _content(self, response: requests.Response, deadline: float) -> bytes:
        parts: list[bytes] = []
        size = 0
        while part := response.raw.read1(_CHUNK, decode_content=True):  # what has come, without waiting for more
            parts.append(part)
            size += len(part)
            if time.monotonic() > deadline:  # the read timeout alone lets a dripping server go on for ever
                raise requests.ReadTimeout(f"the answer did not end within {self._read_timeout:g} s")
            if size > MAX_ANSWER:
                raise requests.RequestException(f"the answer is longer than {MAX_ANSWER} bytes")
        return b"".join(parts)

    def _unavailable(self, method: str, path: str, error: Exception) -> ContrailUnavailable:
        what = f"{method} {path.partition('?')[0]}"
        if isinstance(error, requests.ConnectTimeout):
            said = f"no connection within {self._connect_timeout:g} s"
        elif isinstance(error, (requests.Timeout, ReadTimeoutError)):
            said = f"no answer within {self._read_timeout:g} s"
        else:
            said = _cause(error)
        return ContrailUnavailable(
            f"Contrail API {self._url} gave no answer to {what}: {said}; check that the config API runs there "
            "(CONTRAIL_KUBE_CONTRAIL_URLS) and can be reached from here"
        )


def _answer(status: int, content: bytes, retry_after: float | None) -> Answer:
    text = content.decode("utf-8", "replace")
    value: Any = None
    if content[:1] in (b"{", b"["):
        try:
            value = msgspec.json.decode(content)
        except msgspec.DecodeError:
            value = None  # many error texts begin with a bracket
    return Answer(status=status, text=text, json=value, retry_after=retry_after)


def _seconds(header: str | None) -> float | None:
    try:
        return max(0.0, float(header)) if header is not None else None
    except ValueError:
        return None  # an HTTP date: our own back-off does as well


def _cause(error: BaseException) -> str:
    """Innermost reason in a few words: 'Connection refused' instead of three nested exceptions."""
    seen: BaseException = error
    while True:
        inner = getattr(seen, "reason", None) or seen.__cause__ or seen.__context__
        if not isinstance(inner, BaseException):
            break
        seen = inner
    return getattr(seen, "strerror", None) or str(seen) or type(seen).__name__
