"""The mass-delete guard's judgement."""

from __future__ import annotations

import pytest

from watchers.guard import Guard
from watchers.kinds import namespace, pod

GUARD = Guard(share=0.5, floor=20)


@pytest.mark.parametrize(
    ("known", "listed", "believed"),
    [
        (0, 0, True),
        (0, 100, True),
        (100, 100, True),
        (100, 50, True),
        (100, 49, False),
        (100, 0, False),
        (19, 0, True),
        (20, 0, False),
        (20, 9, False),
        (100, 1000, True),
    ],
)
def test_case_20_a_listing_that_lacks_too_much_is_not_believed(known: int, listed: int, believed: bool) -> None:
    objection = GUARD.objection(pod.KIND, known=known, listed=listed)
    assert (objection is None) is believed


def test_the_objection_says_what_is_missing() -> None:
    assert GUARD.objection(pod.KIND, known=100, listed=3) == (
        "the listing of pods has 3 objects, 100 were known: deletions are held back"
    )


def test_case_20_no_namespaces_at_all_are_never_believed() -> None:
    assert "no cluster is without" in (GUARD.objection(namespace.KIND, known=0, listed=0) or "")
    assert GUARD.objection(namespace.KIND, known=0, listed=1) is None
