"""Locks by name."""

from __future__ import annotations

import threading

import pytest

from cni.locks import NamedLocks
from schemas.errors import AgentUnavailable


def test_a_held_name_is_refused_after_the_timeout_and_free_afterwards() -> None:
    held = NamedLocks()
    with held.hold("a", "b", timeout=1):
        with pytest.raises(AgentUnavailable, match="another request for b"), held.hold("c", "b", timeout=0.01):
            pass
        with held.hold("c", timeout=0.01):
            pass
    with held.hold("a", "b", "c", timeout=0.01):
        pass


def test_locks_are_forgotten_with_their_last_holder() -> None:
    held = NamedLocks()
    with held.hold("a", timeout=1), pytest.raises(AgentUnavailable), held.hold("a", timeout=0):
        pass
    assert held._locks == {}


def test_work_under_one_name_never_overlaps() -> None:
    held, inside, worst = NamedLocks(), [0], [0]

    def work() -> None:
        for _ in range(200):
            with held.hold("a", timeout=10):
                inside[0] += 1
                worst[0] = max(worst[0], inside[0])
                inside[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert worst == [1]
