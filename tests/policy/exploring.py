"""How random tests run: the same examples each time, or others for as long as the environment asks.

POLICY_TEST_SECONDS=600 lets each of them run for ten minutes with new seeds, which are printed; POLICY_TEST_SEED=7
begins with seed 7. A failing example is shrunk either way, and its error says how to see it again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as with_seed
from hypothesis import strategies as st

SECONDS, SEED = "POLICY_TEST_SECONDS", "POLICY_TEST_SEED"
ROUND = 200
"""Examples of one seed in a long run."""
BEFORE_A_ROUND: list[Callable[[int], None]] = []
"""What is told of the seed before its examples; 0 for those that are the same each time."""


def explore(check: Callable[[Any], None], examples: st.SearchStrategy[Any], *, count: int) -> None:
    """Ask `check` of `count` examples, or of as many as the environment gives time for."""
    seconds, first = float(os.environ.get(SECONDS, "0")), int(os.environ.get(SEED, "0"))
    name = getattr(check, "__name__", "check")
    if not seconds and not first:
        print(f"{name}: {count} derandomized examples")
        _run(check, examples, count, None)
        return
    until, number = time.monotonic() + seconds, first or int(time.time())
    while True:
        print(f"{name}: {ROUND} examples of {SEED}={number}", flush=True)
        try:
            _run(check, examples, ROUND, number)
        except BaseException as error:
            error.add_note(f"see it again with {SEED}={number}")
            raise
        number += 1
        if time.monotonic() > until:
            return


def notices(check: Callable[[Any], None], examples: st.SearchStrategy[Any], *, count: int) -> int:
    """How many of these examples it takes until one fails `check`; 0 if none does."""
    asked = 0

    def counted(example: Any) -> None:
        nonlocal asked
        asked += 1
        check(example)

    try:
        _run(counted, examples, count, None, phases=(Phase.generate,))
    except AssertionError:
        return asked
    return 0


def _run(
    check: Callable[[Any], None],
    examples: st.SearchStrategy[Any],
    count: int,
    number: int | None,
    phases: tuple[Phase, ...] = (Phase.generate, Phase.shrink),
) -> None:
    for each in BEFORE_A_ROUND:
        each(number or 0)
    asked = settings(
        max_examples=count,
        derandomize=number is None,
        database=None,
        deadline=None,
        print_blob=False,
        phases=phases,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )(given(examples)(lambda example: check(example)))
    (asked if number is None else with_seed(number)(asked))()
