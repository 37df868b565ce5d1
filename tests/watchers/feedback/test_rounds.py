"""One term: parts do not stop each other, and who is away is named, waited for, and not asked in a hurry."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from schemas.errors import KubernetesForbidden, KubernetesUnavailable, StoreUnavailable
from schemas.health import Health
from watchers.feedback.rounds import Rounds


class Part:
    """Does what it is told to at each round, then ends the term."""

    def __init__(self, name: str, *acts: BaseException | bool, ended: threading.Event) -> None:
        self.name = name
        self.rounds = 0
        self._acts = acts
        self._ended = ended

    def round(self) -> bool:
        act = self._acts[self.rounds] if self.rounds < len(self._acts) else False
        self.rounds += 1
        if self.rounds >= len(self._acts):
            self._ended.set()
        if isinstance(act, BaseException):
            raise act
        return act


class Waits(threading.Event):
    """Says how long it was asked to wait, and does not."""

    def __init__(self, seen: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self._seen = seen

    def wait(self, timeout: float | None = None) -> bool:
        self.seconds.append(timeout or 0.0)
        self._seen()
        return self.is_set()


def test_a_part_without_rights_is_named_and_the_others_go_on() -> None:
    health = Health()
    denied = Part("events", KubernetesForbidden("cannot create events"), ended=threading.Event())  # type: ignore[arg-type]
    said: list[dict[str, str]] = []
    ended = Waits(lambda: said.append(health.why_not_ready()))
    other = Part("addresses", False, False, False, ended=ended)
    Rounds([denied, other], interval=1.0, health=health).run(ended)
    assert (denied.rounds, other.rounds) == (1, 3), "one that is denied is not tried every time"
    assert said == [{"events": "cannot create events"}] * 3
    assert health.why_not_ready() == {}, "one that stands by is well"


@pytest.mark.parametrize(
    ("error", "part"), [(KubernetesUnavailable("no answer"), "kubernetes"), (StoreUnavailable("refused"), "store")]
)
def test_who_is_away_is_named_and_asked_less_and_less_until_it_is_back(error: Exception, part: str) -> None:
    said: list[dict[str, str]] = []
    health = Health()
    ended = Waits(lambda: said.append(health.why_not_ready()))
    Rounds([Part("addresses", *[error] * 6, False, ended=ended)], interval=1.0, health=health).run(ended)
    assert said[:6] == [{part: str(error)}] * 6 and said[6] == {}
    assert all(later > earlier for earlier, later in zip(ended.seconds[:5], ended.seconds[1:6], strict=True))
    assert health.why_not_alive() == {}


def test_what_was_left_over_is_looked_at_soon() -> None:
    ended = Waits()
    Rounds([Part("pods", True, False, ended=ended)], interval=5.0, health=Health()).run(ended)
    assert ended.seconds[0] < 0.5 and ended.seconds[1] > 4.0


def test_a_fault_of_ours_ends_the_process() -> None:
    ended = Waits()
    with pytest.raises(KeyError):
        Rounds([Part("pods", KeyError("defect"), ended=ended)], interval=5.0, health=Health()).run(ended)
