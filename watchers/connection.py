"""The way to one Kubernetes API server: the official client's configuration, credentials and urllib3 pool.

Requests are raw: no models, no retry, a deadline on everything. Every failure is KubernetesUnavailable or one of
its kinds. Credentials are read again when the server refuses them or its certificate, so that rotated tokens and
certificates need no restart.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from urllib.parse import urlencode

import urllib3
from kubernetes import config
from kubernetes.client import Configuration
from kubernetes.client.rest import RESTClientObject
from urllib3.exceptions import HTTPError, SSLError

from schemas.errors import KubernetesUnavailable, SettingsError
from watchers.refusals import refused, unreachable

logger = logging.getLogger(__name__)

Load = Callable[[], Configuration]
"""Reads address and credentials, anew at each call; raises SettingsError when there are none."""
USER_AGENT = "contrail-kube-watchers"
ERROR_BODY_BYTES = 4096
POOL = 100
"""Connections that may stay open when idle: each kind lists and watches, all at once at the start."""


def from_kubeconfig(path: str = "", context: str = "") -> Load:
    """From a kubeconfig file; '' is $KUBECONFIG or ~/.kube/config, and the file's current context."""

    def load() -> Configuration:
        configuration = Configuration()
        try:
            config.load_kube_config(
                config_file=path or None,
                context=context or None,
                client_configuration=configuration,
                persist_config=False,
            )
        except Exception as error:  # the loader raises whatever YAML, base64 or files trip it up with
            where = path or "$KUBECONFIG or ~/.kube/config"
            raise SettingsError(
                f"kubeconfig {where} cannot be used: {error}; set CONTRAIL_KUBE_WATCHERS_KUBECONFIG to one that can"
            ) from error
        return configuration

    return load


def in_cluster() -> Configuration:
    """From the service account that Kubernetes mounts into every pod."""
    configuration = Configuration()
    try:
        config.load_incluster_config(client_configuration=configuration)
    except (config.ConfigException, OSError) as error:
        raise SettingsError(f"the pod's service account cannot be used: {error}; is its token mounted?") from error
    return configuration


def discovered(kubeconfig: str, context: str, environ: Mapping[str, str]) -> Load:
    """The kubeconfig if one is named, else the pod's service account if this is a pod, else the default kubeconfig."""
    if not kubeconfig and environ.get("KUBERNETES_SERVICE_HOST"):
        return in_cluster
    return from_kubeconfig(kubeconfig, context)


class Connection:
    """Sends requests to the API server; thread-safe. Raises SettingsError at once when nothing can be loaded."""

    def __init__(self, load: Load, *, connect_timeout: float = 5.0) -> None:
        self._load = load
        self._connect_timeout = connect_timeout
        self._lock = threading.Lock()
        self._renewing = threading.Lock()
        self._generation = 0
        self._open: set[urllib3.BaseHTTPResponse] = set()
        self._configuration, self._pool = self._loaded()

    @property
    def server(self) -> str:
        """Address of the API server."""
        return str(self._configuration.host)

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        accept: str = "application/json",
        content_type: str = "application/json",
        read_timeout: float,
        answers: frozenset[int] = frozenset(),
        interruptible: bool = False,
    ) -> urllib3.BaseHTTPResponse:
        """An unread answer with a 2xx status, or one of `answers`, to be given to `read` or `release`.

        `read_timeout` bounds each wait for bytes, also while the caller reads; `interrupt` ends the reading of an
        `interruptible` one. Raises KubernetesUnavailable, KubernetesForbidden or VersionExpired.
        """
        with self._lock:
            generation, configuration, pool = self._generation, self._configuration, self._pool
        doing = f"{method} {configuration.host}{path}"
        url = f"{configuration.host}{path}" + (f"?{urlencode(query)}" if query else "")
        timeout = urllib3.Timeout(connect=self._connect_timeout, read=read_timeout)
        try:
            # The hook of the official client reads the token again when it is old: it can fail like any file.
            headers = _headers(configuration, body, accept, content_type)
            response = pool.request(
                method, url, headers=headers, body=body, timeout=timeout, retries=False, preload_content=False
            )
        except config.ConfigException as error:
            raise KubernetesUnavailable(f"{doing}: the token cannot be read again: {error}") from error
        except (HTTPError, OSError) as error:
            if isinstance(error, SSLError):
                self._renew(generation)
            raise unreachable(error, doing=doing) from error
        if response.status // 100 != 2 and response.status not in answers:
            raise self._refusal(response, doing, generation)
        if interruptible:
            with self._lock:
                self._open.add(response)
        return response

    def read(self, response: urllib3.BaseHTTPResponse, *, doing: str) -> bytes:
        """The whole body of an answer, which is released."""
        try:
            return response.data
        except (HTTPError, OSError) as error:
            raise unreachable(error, doing=doing) from error
        finally:
            self.release(response)

    def release(self, response: urllib3.BaseHTTPResponse) -> None:
        """Give the answer's connection back, or close it when bytes are left."""
        with self._lock:
            self._open.discard(response)
        response.close()
        response.release_conn()

    def interrupt(self) -> None:
        """Make every interruptible read that is under way end now, with an error: for a thread that wants to stop."""
        with self._lock:
            responses = list(self._open)
        for response in responses:
            try:
                response.shutdown()
            except (OSError, ValueError, RuntimeError):  # it has just ended by itself
                logger.debug("an answer ended before it could be interrupted", exc_info=True)

    def close(self) -> None:
        """Interrupt what is under way and close idle connections."""
        self.interrupt()
        self._pool.clear()

    def _loaded(self) -> tuple[Configuration, urllib3.PoolManager]:
        configuration = self._load()
        configuration.connection_pool_maxsize = POOL
        return configuration, RESTClientObject(configuration).pool_manager

    def _refusal(self, response: urllib3.BaseHTTPResponse, doing: str, generation: int) -> Exception:
        try:
            body = response.read(ERROR_BODY_BYTES)
        except (HTTPError, OSError):
            body = b""
        response.close()
        if response.status == 401:
            self._renew(generation)
        return refused(response.status, response.headers, body, doing=doing)

    def _renew(self, generation: int) -> None:
        """Read address and credentials again, once for all threads that found the same ones refused."""
        with self._renewing:
            if generation != self._generation:
                return
            try:
                loaded = self._loaded()  # may run a command that takes its time, so not under the other lock
            except SettingsError as error:
                logger.warning("credentials could not be read again: %s", error)
                return
            with self._lock:
                self._configuration, self._pool = loaded
                self._generation += 1
        # Not worth a line at every try: what refuses them is said by whoever asked.
        logger.debug("credentials were refused and have been read again server=%s", self.server)


def _headers(configuration: Configuration, body: bytes | None, accept: str, content_type: str) -> dict[str, str]:
    headers = {"Accept": accept, "User-Agent": USER_AGENT}
    if body is not None:
        headers["Content-Type"] = content_type
    for setting in configuration.auth_settings().values():
        if setting["value"]:
            headers[setting["key"]] = setting["value"]
    return headers
