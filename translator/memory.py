"""The store in memory: for replays that only ask for a digest, for tests and benchmarks. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TypeVar

from translator.memory_session import MemorySession, Tables
from translator.store import Progress, Session

T = TypeVar("T")


class MemoryStore:
    """Store port in memory; `tables` is open to whoever plays the applier."""

    def __init__(self) -> None:
        self.tables = Tables()

    def progress(self, consumer: str, topic: str, partitions: Collection[int], version: str) -> dict[int, Progress]:
        """How far the consumer is in each partition; one seen for the first time begins at 0 with `version`."""
        offsets = self.tables.offsets
        return {each: offsets.setdefault((consumer, topic, each), Progress(0, version)) for each in sorted(partitions)}

    def run(self, work: Callable[[Session], T]) -> T:
        """Run the work; undo what it wrote if it raises."""
        session = MemorySession(self.tables)
        try:
            return work(session)
        except BaseException:
            session.undo()
            raise

    def is_empty(self) -> bool:
        """Whether nothing was ever stored."""
        tables = self.tables
        return not (tables.offsets or tables.resources or tables.diffs or tables.letters)

    def desired_rows(self) -> Iterator[tuple[str, str, str, bytes]]:
        """(uuid, type, fq_name, digest) of every desired object that is not absent, ordered by uuid."""
        for uuid in sorted(self.tables.objects):
            row = self.tables.objects[uuid]
            if not row.absent:
                yield row.uuid, row.type, row.fq_name, row.digest

    def counts(self) -> Mapping[str, int]:
        """Rows by what a summary shows."""
        absent = sum(row.absent for row in self.tables.objects.values())
        return {
            "resources": len(self.tables.resources),
            "objects": len(self.tables.objects) - absent,
            "absent": absent,
            "diffs": len(self.tables.diffs),
            "dead_letters": sum(not letter.resolved for letter in self.tables.letters.values()),
        }

    def close(self) -> None:
        """Nothing to let go of."""
