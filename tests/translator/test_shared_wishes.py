"""Objects that several resources want, while one of these cannot be translated, or is not translated anew yet."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from schemas.events import ChangeEvent
from schemas.records import SettingsRecord
from tests.translator.facts import SETTINGS, namespace, pod
from tests.translator.states import LASTING, History, rows
from translator import batch

APP, IPS = "opencontrail.org/name", "opencontrail.org/ips"
OPEN, FORWARDING = namespace(), namespace(ip_fabric_forwarding="true")


def plain(name: str) -> ChangeEvent:
    """A pod of app web, which any pod network suits; nobody has scheduled it."""
    return pod(name, node="", labels={APP: "web"})


def fixed(name: str) -> ChangeEvent:
    """One whose address no network gives that is reached through the underlay."""
    return pod(name, node="", labels={APP: "web"}, annotations={IPS: "10.40.0.5"})


def require_as_if_alone(history: History, *state: ChangeEvent, settings: SettingsRecord = SETTINGS) -> None:
    found, alone = history.dump(), rows(state, settings=settings)
    for table in LASTING:
        assert found[table] == alone[table], table


@pytest.mark.parametrize(("leaver", "stays"), [("a", "b"), ("b", "a")])
def test_what_a_leaver_made_is_put_right_once_the_others_can_be_translated_again(leaver: str, stays: str) -> None:
    """The app's network follows its namespace back, though its last pod wants just what it wanted before."""
    history = History()
    history.become((OPEN, plain(leaver), fixed(stays)))
    history.become((FORWARDING, plain(leaver), fixed(stays)))
    assert len(history.errors()) == 1
    history.become((FORWARDING, fixed(stays)))
    history.become((OPEN, fixed(stays)))
    assert history.errors() == []
    require_as_if_alone(history, OPEN, fixed(stays))


@pytest.mark.parametrize(("first", "second"), [("a", "b"), ("b", "a")])
def test_a_renewal_comes_to_an_end_where_who_is_asked_next_wants_nothing_either(
    first: str, second: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pods that wait for a node have nothing in nested mode; here each is translated anew in a page of its own."""
    monkeypatch.setattr(batch, "PAGE", 1)
    history, nested = History(), replace(SETTINGS, nested=True)
    history.become((OPEN, plain(first), fixed(second)))
    history.become((FORWARDING, plain(first), fixed(second)))
    history.switch(nested)
    assert history.errors() == []
    require_as_if_alone(history, FORWARDING, plain(first), fixed(second), settings=nested)
