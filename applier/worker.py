"""One attempt at one object, as a value whatever happens (shell): what runs in the threads of the pool."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from applier.client import ContrailClient
from applier.observe import AddressReader, Observation, needs_address
from applier.outcome import Call, Outcome, Verdict, classify
from applier.rows import Row
from applier.writer import Writer
from schemas.errors import ContrailDenied, ContrailUnavailable, StoreUnavailable

logger = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Worked:
    """An attempt that ended; `unread`: it succeeded, but the address that Contrail chose must still be read."""

    row: Row
    outcome: Outcome
    observation: Observation | None = None
    unread: bool = False


class Worker:
    """Applies rows and reads addresses; never raises. Thread-safe."""

    def __init__(self, client: ContrailClient, *, writer: Writer, reader: AddressReader) -> None:
        self._client = client
        self._writer = writer
        self._reader = reader

    @property
    def url(self) -> str:
        """Where the API is: all its endpoints."""
        return self._client.url

    def probe(self) -> Outcome:
        """Whether a Contrail API answers, by a question that every one can answer: DONE or GONE say that it does."""
        found = _guarded(
            "the probe",
            lambda: self._client.fqname_to_id("global-system-config", ["default-global-system-config"]),
        )
        return found if isinstance(found, Outcome) else classify(Call.LOOKUP, found)

    def apply(self, row: Row) -> Worked:
        """One attempt at a row."""
        found = _guarded(row.label, lambda: self._apply(row))
        return Worked(row, found) if isinstance(found, Outcome) else found

    def read_addresses(self, rows: Sequence[Row]) -> list[Worked]:
        """The addresses of instance-ips that were created: one call for all, and some for networks not seen before."""
        found = _guarded(f"{len(rows)} addresses", lambda: self._reader.read(rows))
        if isinstance(found, Outcome):
            return [Worked(row, found) for row in rows]
        return [_observed(row, found[row.uuid]) for row in rows]

    def _apply(self, row: Row) -> Worked:
        attempt = self._writer.apply(row)
        if attempt.outcome.verdict is not Verdict.DONE or not needs_address(row):
            return Worked(row, attempt.outcome)
        if attempt.live is None:
            return Worked(row, attempt.outcome, unread=True)
        return _observed(row, self._reader.complete(row, attempt.live))


def _observed(row: Row, found: Observation | Outcome) -> Worked:
    if isinstance(found, Outcome):
        return Worked(row, found)
    return Worked(row, Outcome(Verdict.DONE), found)


def _guarded(what: str, work: Callable[[], T]) -> T | Outcome:
    try:
        return work()
    except ContrailDenied as error:
        return Outcome(Verdict.DENIED, str(error))
    except ContrailUnavailable as error:
        return Outcome(Verdict.SILENT, str(error), elsewhere=error.elsewhere)
    except StoreUnavailable as error:
        return Outcome(Verdict.LATE, f"not sent: {error}")
    except Exception as error:
        # A fault of ours, or an answer in a shape that no Contrail gives: this object's trouble, not the others'.
        logger.exception("attempt failed unexpectedly at %s", what)
        return Outcome(Verdict.RETRY, f"{what}: unexpected {type(error).__name__}: {error}")
