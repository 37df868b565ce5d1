"""Notices of a translation: gathered by whom they are about, and kept in the store for as long as they hold."""

from __future__ import annotations

import pytest

from tests.translator.golden import resource
from translator.notice import LONGEST_MESSAGE, Notice, Said, noticed, objects_of
from translator.resource import key_of

SERVICE = resource("Service", "shop", "web")
SLICE = resource("EndpointSlice", "shop", "web-1")


def test_a_notice_is_about_the_translated_resource_unless_it_names_another() -> None:
    outcome = (Notice("NoPublicPool", "no pool"), Notice("NotAPod", "b is no pod", about=SLICE.key, normal=True))
    assert noticed(SERVICE, outcome) == {
        (key_of("Service", "shop", "web"), "NoPublicPool"): Said("no pool"),
        (key_of("EndpointSlice", "shop", "web-1"), "NotAPod"): Said("b is no pod", normal=True),
    }
    assert objects_of(outcome) == []


def test_messages_of_one_reason_are_put_together_once_each_in_their_order() -> None:
    outcome = [Notice("NotAPod", text, normal=text != "b") for text in ("a", "b", "a", "ab")]
    assert list(noticed(SERVICE, outcome).values()) == [Said("a; b; ab")]


def test_a_message_is_cut_to_what_an_event_takes_and_holds_no_nul() -> None:
    [said] = noticed(SERVICE, [Notice("TooLong", "x\0" * LONGEST_MESSAGE)]).values()
    assert len(said.message) == LONGEST_MESSAGE
    assert said.message.startswith("x\\0x") and said.message.endswith("…")


@pytest.mark.parametrize(
    "wrong", [Notice("no pool", "text"), Notice("NoPool", ""), Notice("NoPool", "text", about=key_of("a", "b", "c/d"))]
)
def test_what_no_program_could_read_is_a_fault(wrong: Notice) -> None:
    with pytest.raises(ValueError, match="not a notice"):
        noticed(SERVICE, [wrong])
