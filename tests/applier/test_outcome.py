"""What the answers of the real server mean, by the texts that it gave when recorded."""

from __future__ import annotations

import pytest

from applier.answer import Answer
from applier.outcome import Call, Verdict, classify, said

U = "068c8286-227d-424e-aac9-7ed71545b2e6"
V = "df08312f-7245-4bf8-8f4d-68f33f29c988"
QUOTA_PAGE = """
    <!DOCTYPE HTML PUBLIC "-//IETF//DTD HTML 2.0//EN">
    <html>
        <head><title>Error: 412 Precondition Failed</title></head>
        <body>
            <h1>Error: 412 Precondition Failed</h1>
            <p>Sorry, the requested URL <tt>&#039;http://127.0.0.1:8082/virtual-machine-interfaces&#039;</tt></p>
            <pre>quota limit (1) exceeded for resource virtual_machine_interface</pre>
        </body>
    </html>
"""

TABLE = [
    # what came first was asked for too early, or by name already there
    (Call.CREATE, 409, f"['default-domain', 'p1'] already exists with uuid: {U}", Verdict.EXISTS, U),
    (Call.CREATE, 409, f"{U} already exists with fq_name: ['default-domain', 'p1']", Verdict.EXISTS, U),
    (
        Call.CREATE,
        409,
        f"FQ Name: real/fq-name-to-uuid/virtual_machine:race-vm exists already with ID: {U} at zookeeper",
        Verdict.EXISTS,
        U,
    ),
    (Call.CREATE, 400, "Parent ['nodomain'] type domain does not exist", Verdict.WAIT, None),
    (Call.CREATE, 400, "Unknown reference in resource create {'fq_name': ['vn4']}", Verdict.WAIT, None),
    (Call.UPDATE, 400, "Unknown reference in resource update virtual_machine_interface {}.", Verdict.WAIT, None),
    (Call.CREATE, 500, "vnc_api.exceptions.NoIdError: Unknown id: virtual_machine vm-none", Verdict.WAIT, None),
    (Call.CREATE, 404, "Unknown id: tag default-domain:p1:application=nope", Verdict.WAIT, None),
    (Call.CREATE, 404, "Name['default-domain', 'p1', 'zz'] not found", Verdict.WAIT, None),
    (Call.LINK, 404, "Name ['nope'] not found", Verdict.WAIT, None),
    # addresses and quota
    (Call.CREATE, 409, "IP address already in use", Verdict.FULL, None),
    (
        Call.CREATE,
        400,
        f"FQ Name: real/api-server/subnets/d:p1:vn1:10.32.0.0/12/0169869389 exists already with ID: {U} at zookeeper",
        Verdict.FULL,
        None,
    ),
    (
        Call.CREATE,
        400,
        "Virtual-Network(['default-domain', 'p1', 'vn1']) has exhausted subnet([])",
        Verdict.FULL,
        None,
    ),
    (
        Call.CREATE,
        500,
        "Virtual-Network(['default-domain', 'p1', 'vnext']) has exhausted subnet([])",
        Verdict.FULL,
        None,
    ),
    (Call.CREATE, 412, QUOTA_PAGE, Verdict.FULL, None),
    (Call.UPDATE, 409, "Cannot Delete IP Block, IP(10.32.0.5) is in use", Verdict.FULL, None),
    # gone
    (Call.READ, 404, f"Unknown id: {U}", Verdict.GONE, U),
    (Call.READ, 404, f"No virtual-network object found for id {U}", Verdict.GONE, U),
    (Call.UPDATE, 404, f"Unknown id: {U}", Verdict.GONE, U),
    (Call.DELETE, 404, f"ID {U} does not exist", Verdict.GONE, U),
    (Call.LINK, 404, f"Unknown id: {U}", Verdict.GONE, U),
    (Call.LOOKUP, 404, "Name ['default-domain', 'nope'] not found", Verdict.GONE, None),
    # a 404 that does not say that the object is gone
    (Call.DELETE, 404, f"Not found: '/virtual-machine/{U}'", Verdict.RETRY, None),
    (Call.DELETE, 404, "<html>nginx</html>", Verdict.RETRY, None),
    (Call.UPDATE, 404, "Unknown id: tag default-domain:p1:application=nope", Verdict.WAIT, None),
    (Call.LINK, 404, "Resource type 'foo' not found", Verdict.REFUSED, None),
    # refused
    (Call.CREATE, 400, "Bad property in create: Error validating property quota", Verdict.REFUSED, None),
    (Call.CREATE, 400, "Bad Request, name has one of invalid chars {':'}", Verdict.REFUSED, None),
    (Call.CREATE, 409, "Rule already exists : None", Verdict.REFUSED, None),
    (Call.CREATE, 409, "gateway Ip 10.93.0.1 out of cidr: 10.92.0.0/24", Verdict.REFUSED, None),
    (Call.UPDATE, 400, "Instance IP Address can not be changed", Verdict.REFUSED, None),
    (Call.UPDATE, 403, "Cannot update the virtual network ID", Verdict.REFUSED, None),
    (Call.CREATE, 405, "Method not allowed.", Verdict.REFUSED, None),
    (Call.CREATE, 413, "", Verdict.REFUSED, None),
    # perhaps a hiccup
    (Call.CREATE, 500, "Internal Server Error", Verdict.RETRY, None),
    (Call.CREATE, 500, "KeyError: 'to'", Verdict.RETRY, None),
    (Call.DELETE, 409, "something new", Verdict.RETRY, None),
    # the API as a whole
    (Call.CREATE, 401, "Unauthorized", Verdict.DENIED, None),
    (Call.CREATE, 403, "Permission Denied", Verdict.DENIED, None),
    (Call.CREATE, 429, "", Verdict.BUSY, None),
    (Call.CREATE, 502, "", Verdict.BUSY, None),
    (Call.CREATE, 503, "", Verdict.BUSY, None),
    (Call.CREATE, 504, "", Verdict.BUSY, None),
    (Call.CREATE, 202, "", Verdict.FULL, None),
    (Call.CREATE, 200, "<html>Welcome</html>", Verdict.RETRY, None),
    (Call.DELETE, 200, "<html>Welcome</html>", Verdict.RETRY, None),
    (Call.DELETE, 200, "", Verdict.DONE, None),
]


@pytest.mark.parametrize(("call", "status", "text", "verdict", "uuid"), TABLE)
def test_answer_means(call: Call, status: int, text: str, verdict: Verdict, uuid: str | None) -> None:
    outcome = classify(call, Answer(status, text))
    assert (outcome.verdict, outcome.uuid) == (verdict, uuid)


def test_an_unknown_reference_names_what_may_be_missing_and_not_the_whole_object() -> None:
    text = (
        "Unknown reference in resource create {'fq_name': ['d', 'p', 'web__1'], 'annotations': {'key_value_pair': "
        f"[{'x' * 400!r}]}}, 'security_group_refs': [{{'to': ['d', 'p', 'sg'], 'uuid': None}}], 'tag_refs': [{{'to': "
        "['label=a'], 'uuid': None}, {'to': ['label=b']}], "
        "'virtual_network_refs': [{'attr': None, 'to': ['d', 'q', 'vn']}]}."
    )
    names = "virtual-network d:q:vn, security-group d:p:sg, tag label=a, tag label=b"
    said = f"Unknown reference in resource create: one of these is not there: {names}"
    assert classify(Call.CREATE, Answer(400, text)).reason == f"Contrail answered 400: {said}"


def test_an_unknown_reference_that_names_nothing_is_told_as_it_is() -> None:
    text = "Unknown reference in resource update virtual_machine_interface {}."
    assert classify(Call.UPDATE, Answer(400, text)).reason == f"Contrail answered 400: {text}"


def test_an_object_is_success() -> None:
    answer = Answer(200, '{"uuid": "x"}', {"uuid": "x"})
    assert classify(Call.LINK, answer).verdict is Verdict.DONE


def test_refused_delete_names_its_holders() -> None:
    text = (
        "Delete when resource still referred: "
        f"['http://127.0.0.1:8082/instance-ip/{U}', 'http://127.0.0.1:8082/virtual-machine-interface/{V}']"
    )
    outcome = classify(Call.DELETE, Answer(409, text))
    assert outcome.verdict is Verdict.HELD
    assert outcome.holders == (("instance-ip", U), ("virtual-machine-interface", V))


def test_children_hold_as_references_do() -> None:
    text = f"Delete when children still present: ['http://127.0.0.1:8082/virtual-network/{U}']"
    outcome = classify(Call.DELETE, Answer(409, text))
    assert (outcome.verdict, outcome.holders) == (Verdict.HELD, (("virtual-network", U),))


def test_retry_after_is_handed_on() -> None:
    assert classify(Call.CREATE, Answer(503, "", retry_after=7.0)).retry_after == 7.0


def test_reason_is_one_readable_line() -> None:
    assert said(QUOTA_PAGE) == "quota limit (1) exceeded for resource virtual_machine_interface"
    assert said("a\x00b\x1b[2J\nc") == "a?b?[2J c"
    assert len(said("x" * 5000)) == 300
