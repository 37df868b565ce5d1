"""Settings of the translator service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from schemas.errors import SettingsError


@dataclass(frozen=True, slots=True)
class TranslatorSettings:
    """How records become transactions."""

    PREFIX: ClassVar[str] = "TRANSLATOR"

    consumer: str = "translator"
    """Name under which offsets are kept; translators that share the work share it."""
    batch_records: int = 8000
    """Most records of one transaction, a second or two of work; batches begin with 500, and double in a backlog."""
    linger: float = 0.01
    """Seconds to wait for more records right after a batch: a lone record is stored at once, a stream in batches."""
    migrate: bool = False
    """Bring the database's schema to this version at start."""
    migration_wait: float = 60.0
    """Seconds given to whoever else migrates it, before the service gives up."""
    lag_interval: float = 10.0
    """Seconds between two looks at how far the bus is ahead (metric only)."""

    def __post_init__(self) -> None:
        if not self.consumer:
            raise SettingsError("CONTRAIL_KUBE_TRANSLATOR_CONSUMER is empty: offsets need a name to be kept under")
        if not 1 <= self.batch_records <= 10_000:
            raise SettingsError(f"CONTRAIL_KUBE_TRANSLATOR_BATCH_RECORDS={self.batch_records}: accepted are 1 to 10000")
        if not 0 <= self.linger <= 1:
            raise SettingsError(f"CONTRAIL_KUBE_TRANSLATOR_LINGER={self.linger}: accepted are 0 to 1 seconds")
