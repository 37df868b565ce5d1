"""One request line in, one answer line out: parsing, dispatch, and the mapping of errors to answers (shell)."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from typing import Any

from cni.answers import IO_FAILURE, NOT_OF_THIS_NODE, code_of, error_answer, result_answer
from cni.attach import Attacher
from cni.check import Checker
from cni.detach import Detacher
from cni.metrics import CniMetrics
from cni.patience import Caller
from cni.requests import Request, parse
from cni.sweep import Sweeper
from schemas.errors import ContrailKubeError, RequestRefused

logger = logging.getLogger(__name__)

Json = Any


class Commands:
    """Serves every command of the specification; thread-safe."""

    def __init__(
        self,
        *,
        attacher: Attacher,
        detacher: Detacher,
        checker: Checker,
        sweeper: Sweeper,
        metrics: CniMetrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._attacher = attacher
        self._detacher = detacher
        self._checker = checker
        self._sweeper = sweeper
        self._metrics = metrics
        self._clock = clock

    def answer(self, line: bytes, caller: Caller) -> bytes:
        """Serve one request; whatever happens, the answer is one line of JSON."""
        began = self._clock()
        command, code = "unknown", 0
        try:
            request = parse(line)
            command = request.command
            said = result_answer(self._serve(request, caller))
            self._log(request, said["result"], self._clock() - began)
        except ContrailKubeError as error:
            code, said = code_of(error), error_answer(error)
            self._log_refusal(command, error, self._clock() - began)
        except OSError as error:
            code, said = IO_FAILURE, _failed(f"{error.strerror or error} ({error.filename})")
            logger.error("request failed command=%s error=%s", command, error)
        except Exception as error:
            # The top of a request's loop: one that trips over a defect of ours must not take others with it.
            code, said = IO_FAILURE, _failed(f"defect in the CNI agent: {type(error).__name__}; its log has more")
            logger.exception("request failed command=%s", command)
        self._metrics.requests.labels(command, str(code)).inc()
        self._metrics.seconds.labels(command).observe(self._clock() - began)
        return json.dumps(said).encode() + b"\n"

    def _serve(self, request: Request, caller: Caller) -> dict[str, Json] | None:
        if request.command == "ADD":
            return self._attacher.attach(request, caller)
        if request.command == "DEL":
            self._detacher.detach(request, request.timeout * 0.9)
        elif request.command == "CHECK":
            self._checker.check(request)
        elif request.command == "GC":
            self._sweeper.collect(request)
        else:
            self._checker.status()
        return None

    def _log(self, request: Request, result: dict[str, Json] | None, seconds: float) -> None:
        level = logging.INFO if request.command in ("ADD", "DEL") else logging.DEBUG
        addresses = ",".join(ip["address"] for ip in result["ips"]) if result else ""
        logger.log(
            level,
            "served command=%s attachment=%s pod=%s addresses=%s ms=%.0f",
            request.command,
            request.attachment,
            request.pod,
            addresses,
            seconds * 1000,
        )

    def _log_refusal(self, command: str, error: ContrailKubeError, seconds: float) -> None:
        foreign = isinstance(error, RequestRefused) and error.code == NOT_OF_THIS_NODE
        # A node that asks for another's pod is either misconfigured or in foreign hands.
        logger.log(
            logging.ERROR if foreign else logging.WARNING,
            "refused command=%s code=%d ms=%.0f error=%s",
            command,
            code_of(error),
            seconds * 1000,
            error,
        )


def _failed(message: str) -> dict[str, Json]:
    return {"error": {"code": IO_FAILURE, "msg": message}}
