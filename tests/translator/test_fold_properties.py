"""Whatever leaders do, the fold ends at the truth, and the desired state with it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events import ChangeEvent
from tests.translator.facts import namespace, uid
from tests.translator.histories import Cluster, Telling, nodes, strategy
from tests.translator.rows import MemoryBackend
from tests.translator.world import World
from translator.replay import state_digest


def truth(cluster: Cluster) -> str:
    """Digest of the desired state that a translator has which was told the present only."""
    world = World(MemoryBackend().store, with_settings=True)
    world.tell(namespace(), *nodes())
    world.tell(*cluster.listing(1))
    return state_digest(world.store)


def tell(log: list[ChangeEvent], cuts: list[int]) -> MemoryBackend:
    backend = MemoryBackend()
    world = World(backend.store, with_settings=True)
    world.tell(namespace(), *nodes())
    rest, turn = list(log), 0
    while rest:
        size = cuts[turn % len(cuts)]
        world.take(world.publisher.record(each, 0) for each in rest[:size])
        rest, turn = rest[size:], turn + 1
    return backend


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(strategy, st.lists(st.integers(1, 9), min_size=1, max_size=4))
def test_leaders_that_crash_come_back_late_and_repeat_themselves_end_at_the_truth(
    commands: list[tuple[str, int]], cuts: list[int]
) -> None:
    cluster = Cluster()
    backend = tell(Telling(cluster).run(commands), cuts)
    pods = {key: row[:2] for key, row in backend.dump()["resources"].items() if key.startswith("Pod/")}
    assert pods == {f"Pod/shop/{name}": (uid(of), str(version)) for name, (of, version, _) in cluster.pods.items()}
    assert state_digest(backend.store) == truth(cluster)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(strategy)
def test_the_size_of_the_batches_changes_nothing_but_what_was_in_between(commands: list[tuple[str, int]]) -> None:
    log = Telling(Cluster()).run(commands)
    one, many = tell(log, [1]).dump(), tell(log, [1000]).dump()
    for table in ("resources", "epochs", "reads", "sources"):
        assert one[table] == many[table], table
    alive = [{uuid: row[:6] for uuid, row in dump["objects"].items() if not row[-1]} for dump in (one, many)]
    assert alive[0] == alive[1]
