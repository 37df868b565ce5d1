"""What is wrong, in a user's words: reasons for what the applier and the translator say."""

from __future__ import annotations

import pytest

from watchers.feedback.problems import (
    LONGEST_NOTE,
    Problem,
    Stuck,
    about_services,
    held,
    note_of,
    noticed,
    unapplied,
    unread,
)

POD = "Pod/shop/web-0"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Contrail answered 400: Virtual-Network(['a', 'b']) has exhausted subnet(10.0.0.0/24)", "AddressesExhausted"),
        ("floating-ip a:b has no address yet: its pool has none to give", "AddressesExhausted"),
        ("Contrail answered 409: IP address already in use", "AddressInUse"),
        ("Contrail answered 400: instance-ip 10.0.0.9 exists already with ID: 1-2", "AddressInUse"),
        ("Contrail answered 412: quota limit (10) exceeded for resource virtual-machine-interface", "QuotaExceeded"),
        ("Contrail answered 202: security draft", "WaitsForCommit"),
        ("virtual-router of node n1 is not registered in Contrail", "NodeNotInContrail"),
        ("Contrail answered 400: Unknown reference in resource create", "NotInContrail"),
        ("floating-ip-pool a:b:c is not in Contrail", "NotInContrail"),
        ("project a:b exists already: uuid 1 holds the name, and is not ours; it is left alone", "NameTaken"),
        ("not adopted: two objects could be meant", "NotAdopted"),
        ("Contrail answered 400: Invalid value", "Refused"),
    ],
)
def test_what_contrail_says_has_a_reason(text: str, reason: str) -> None:
    problem = unapplied(POD, [Stuck("failed", "instance-ip", "x", text)])
    assert problem.reason == reason
    assert text in problem.message and "instance-ip x" in problem.message
    assert not problem.waits


def test_of_all_that_a_resource_lacks_the_root_is_told() -> None:
    waiting = Stuck(
        "blocked", "instance-ip", "a", "waits for virtual-machine-interface b: Contrail answered 412: quota"
    )
    refused = Stuck("blocked", "virtual-machine-interface", "b", "Contrail answered 412: quota")
    dead = Stuck("dead", "virtual-machine", "c", "Contrail answered 400: bad")
    assert "virtual-machine-interface b" in unapplied(POD, [waiting, refused]).message
    assert unapplied(POD, [waiting, refused]).reason == "QuotaExceeded"
    assert "not tried again" in unapplied(POD, [waiting, refused, dead]).message
    alone = unapplied(POD, [waiting])
    assert (alone.reason, alone.waits) == ("QuotaExceeded", True), "what it waits for says why"
    assert unapplied(POD, [Stuck("blocked", "link", "l", "waits for virtual-machine m")]).reason == "Waiting"


def test_a_dead_letter_says_whether_it_was_read() -> None:
    assert unread(POD, "u", "TranslationError", "text").reason == "CannotBeServed"
    assert unread(POD, "u", "MalformedObject", "text").reason == "CannotBeRead"
    assert unread(POD, "u", "TranslationError", "text").message == "text; what was there before stays"


def test_a_slices_problems_are_its_services_and_told_once() -> None:
    found = [
        noticed("EndpointSlice/shop/web-1", "NotAPod", ["192.0.2.9 is no pod"], normal=False),
        noticed("EndpointSlice/shop/web-2", "NotAPod", ["192.0.2.8 is no pod"], normal=False),
        noticed("EndpointSlice/shop/other-1", "NotAPod", ["x"], normal=False),
    ]
    services = {"EndpointSlice/shop/web-1": "Service/shop/web", "EndpointSlice/shop/web-2": "Service/shop/web"}
    told = about_services(found, services)
    assert set(told) == {("Service/shop/web", "NotAPod"), ("EndpointSlice/shop/other-1", "NotAPod")}
    assert about_services(reversed(found), services) == told, "whatever the order"


def test_messages_of_one_notice_are_in_one_order() -> None:
    assert noticed(POD, "R", ["b", "a", "b"], normal=True) == Problem(POD, "R", "a; b", "Serve", normal=True)


def test_a_note_is_cut_to_its_bytes_between_characters() -> None:
    assert note_of("x" * LONGEST_NOTE) == "x" * LONGEST_NOTE
    cut = note_of("ü" * LONGEST_NOTE)
    assert len(cut.encode()) <= LONGEST_NOTE and cut.endswith("ü…")
    assert "metallb" in held("Service/shop/web", "u", "metallb").message
