"""Which dead letters of a resource are open does not depend on how its records fell into batches."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import pytest

from schemas.events import ChangeEvent
from tests.translator.facts import gone, namespace, pod, uid
from tests.translator.rows import MemoryBackend
from tests.translator.world import World

BAD = "not/a/name"
FIRST, LEAVES = pod("web-0", 1, of="first"), gone("web-0", 3, of="first")
MENDED = pod("web-0", 2, of="first")
SPOILT = pod("web-0", 2, node=BAD, of="first")
SUCCESSOR = pod("web-0", 4, node=BAD, of="second")


def batches(events: Sequence[ChangeEvent]) -> Iterator[list[list[ChangeEvent]]]:
    """The same events in the same order, in every division into batches."""
    for cuts in itertools.product((False, True), repeat=len(events) - 1):
        groups = [[events[0]]]
        for event, cut in zip(events[1:], cuts, strict=True):
            if cut:
                groups.append([])
            groups[-1].append(event)
        yield groups


def open_letters(groups: Sequence[Sequence[ChangeEvent]]) -> list[str]:
    """Uids of the objects whose letters are open after these batches."""
    backend = MemoryBackend()
    world = World(backend.store, with_settings=True)
    world.tell(namespace())
    for group in groups:
        world.tell(*group)
    return [each.letter.uid for each in backend.store.tables.letters.values() if not each.resolved]


@pytest.mark.parametrize(
    ("events", "owners"),
    [
        pytest.param((FIRST, LEAVES, SUCCESSOR), ["second"], id="a malformed successor"),
        pytest.param((FIRST, SUCCESSOR), ["second"], id="a malformed successor whose predecessor's end was not told"),
        pytest.param((FIRST, SPOILT, LEAVES, SUCCESSOR), ["second"], id="a malformed successor of one that was spoilt"),
        pytest.param(
            (pod("web-0", 1, node=BAD, of="first"), MENDED, LEAVES), [], id="malformed at first, mended, deleted"
        ),
        pytest.param((FIRST, SPOILT, LEAVES), [], id="spoilt and deleted"),
        pytest.param((pod("web-0", 1, node=BAD, of="first"), LEAVES), [], id="never well, and deleted"),
        pytest.param((SUCCESSOR, pod("web-0", 5, of="second")), [], id="mended"),
    ],
)
def test_what_is_wrong_with_an_object_is_said_while_it_is_there(
    events: Sequence[ChangeEvent], owners: list[str]
) -> None:
    for groups in batches(events):
        assert open_letters(groups) == [uid(each) for each in owners], [len(group) for group in groups]
