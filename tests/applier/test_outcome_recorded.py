"""What every answer that the real API was recorded to give means: one row of the table for each kind of text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from applier.answer import Answer
from applier.outcome import Call, Verdict, classify
from tests.simulators.recording import load

UUID = "0c2b5d0e-5a3b-4a25-8f61-2f6a1c1a0001"
ANY = tuple(Call)
WRITES = (Call.CREATE, Call.UPDATE)
MAKE = (Call.CREATE,)


@dataclass(frozen=True)
class Rule:
    """Answers to these calls with this status, whose text has this pattern, mean this.

    `wrong`: the request itself was wrong in a way that we never send, because it is checked before; what the rest
    means must be known, and not be a guess from the status.
    """

    calls: tuple[Call, ...]
    status: int
    pattern: str
    verdict: Verdict
    wrong: bool = False

    def fits(self, call: Call, answer: Answer) -> bool:
        """Whether it is about this answer."""
        return call in self.calls and answer.status == self.status and bool(re.search(self.pattern, answer.text))


RULES = [
    Rule(ANY, 200, r"^\{", Verdict.DONE),
    Rule((Call.DELETE, Call.ENTRY), 200, r"^$", Verdict.DONE),
    Rule((Call.UPDATE,), 200, r"^$", Verdict.RETRY, wrong=True),  # the answer to an empty body
    Rule((Call.READ,), 304, r"^$", Verdict.RETRY, wrong=True),  # we never ask If-None-Match
    Rule(MAKE, 400, r"^Parent \[.*\] type \S+ does not exist$", Verdict.WAIT),
    Rule(WRITES, 400, r"^Unknown reference in resource (create|update) ", Verdict.WAIT),
    Rule(MAKE, 400, r"has exhausted subnet\(", Verdict.FULL),
    Rule(WRITES, 400, r"^Bad (property|reference) in (create|http_put): ", Verdict.REFUSED),
    Rule((Call.LINK,), 400, r"^Bad (Request: |reference in ref-update: )", Verdict.REFUSED, wrong=True),
    Rule((Call.ENTRY,), 400, r"neither \"ListProperty\" nor|^Unsupported operation ", Verdict.REFUSED, wrong=True),
    Rule((Call.ENTRY,), 404, r"^Object Not Found: [0-9a-f-]{36}$", Verdict.GONE),
    Rule((Call.LOOKUP,), 400, r"^Invalid (filter|page_marker|page_limit) ", Verdict.REFUSED, wrong=True),
    Rule(
        (Call.CREATE,), 400, r"^(Invalid parent type|Missing parent type|Invalid fq-name)", Verdict.REFUSED, wrong=True
    ),
    Rule(MAKE, 400, r"^(Bad Request, (name|no fq_name)|Invalid UUID format)", Verdict.REFUSED, wrong=True),
    Rule(MAKE, 400, r"^(ipam-subnets are|flat-subnet is|with flat-subnet)", Verdict.REFUSED),
    Rule(MAKE, 400, r"^Overlapping addresses: ", Verdict.REFUSED),
    Rule(MAKE, 400, r"has invalid subnet\(|^Subnet \S+ was not found in virtual-network", Verdict.REFUSED),
    Rule(MAKE, 400, r"[Ss]ub.interface", Verdict.REFUSED),
    Rule(MAKE, 400, r"^(can only join an iterable|'.*')$", Verdict.REFUSED, wrong=True),  # of no network
    Rule(
        (Call.CREATE,), 400, r"^(At least one of source|Rule (with invalid protocol|subnet)|Action is)", Verdict.REFUSED
    ),
    Rule(MAKE, 400, r"^(Tag must be created|Tag id can be set)", Verdict.REFUSED, wrong=True),
    Rule(
        (Call.CREATE,), 400, r"^(Invalid protocol|Firewall Rule|Endpoint is limited|Cannot directly)", Verdict.REFUSED
    ),
    Rule(WRITES, 400, r"^Application policy set 'all-applications' flag is read-only", Verdict.REFUSED),
    Rule(MAKE, 400, r"^Logical router interface and gateway cannot be in", Verdict.REFUSED),
    Rule(MAKE, 400, r"^Route target must be of the format", Verdict.REFUSED),
    Rule(MAKE, 400, r"^Gateway IP cannot be used by VM port", Verdict.REFUSED),
    Rule((Call.UPDATE,), 400, r"^(Instance IP Address can not be changed|Tag name, type, value)", Verdict.REFUSED),
    Rule((Call.UPDATE,), 403, r"^Cannot update the ", Verdict.REFUSED),
    Rule((Call.READ, Call.UPDATE), 404, r"^Unknown id: [0-9a-f-]{36}$", Verdict.GONE),
    Rule((Call.READ,), 404, r"^No \S+ object found for id ", Verdict.GONE),
    Rule((Call.READ,), 404, r"^Unknown id: ", Verdict.RETRY, wrong=True),  # of what is no uuid
    Rule((Call.DELETE,), 404, r"^ID [0-9a-f-]{36} does not exist$", Verdict.GONE),
    Rule((Call.LINK,), 404, r"^Unknown id: [0-9a-f-]{36}$", Verdict.GONE),
    Rule((Call.LINK,), 404, r"^Name \[.*\] not found$", Verdict.WAIT),
    Rule((Call.LOOKUP,), 404, r"^Name \[.*\] not found$", Verdict.GONE),
    Rule((Call.LINK, Call.LOOKUP), 404, r"^Resource type .* not found$", Verdict.REFUSED, wrong=True),
    Rule(MAKE, 404, r"^Unknown id: |^Name\[.*\] not found$", Verdict.WAIT),
    Rule(MAKE, 404, r"^Invalid tag name ", Verdict.REFUSED),
    Rule((Call.LOOKUP,), 404, r"^Not found: ", Verdict.RETRY, wrong=True),  # no path of a Contrail API
    Rule(MAKE, 409, r"already exists with (uuid|fq_name): ", Verdict.EXISTS),
    Rule(MAKE, 409, r"^IP address already in use|already in use by virtual-machine", Verdict.FULL),
    Rule(MAKE, 409, r"out of cidr|^Invalid gateway Ip|^Rule already exists", Verdict.REFUSED),
    Rule((Call.DELETE,), 409, r"^Delete when (resource still referred|children still present): ", Verdict.HELD),
    Rule((Call.LINK, Call.UPDATE), 409, r"^Cannot Delete IP Block, IP\(.*\) is in use$", Verdict.FULL),
    Rule(MAKE, 412, r"<pre>quota limit \(\d+\) exceeded for resource \S+</pre>", Verdict.FULL),
    Rule(MAKE, 500, r"has exhausted subnet\(", Verdict.FULL),
    Rule(MAKE, 500, r"NoIdError: Unknown id: ", Verdict.WAIT),
    # Whether it is our request or its own trouble, a 500 does not tell: tried again, and given up.
    Rule(ANY, 500, r"", Verdict.RETRY, wrong=True),
]


@dataclass(frozen=True)
class Recorded:
    """One recorded exchange, as one of our calls."""

    number: int
    call: Call
    answer: Answer


def call_of(method: str, path: str) -> Call | None:
    """Which of our calls a request is; None for what we never ask."""
    parts = path.partition("?")[0].strip("/").split("/")
    if method == "POST" and parts == ["ref-update"]:
        return Call.LINK
    if method == "POST" and parts == ["prop-collection-update"]:
        return Call.ENTRY
    if method == "POST" and parts[0] in ("fqname-to-id", "list-bulk-collection"):
        return Call.LOOKUP
    if len(parts) == 1 and parts[0].endswith("s"):
        return {"POST": Call.CREATE, "GET": Call.LOOKUP}.get(method)
    if len(parts) == 2 and parts[0] != "documentation":
        return {"GET": Call.READ, "PUT": Call.UPDATE, "DELETE": Call.DELETE}.get(method)
    return None


def recorded() -> Iterator[Recorded]:
    """All recorded exchanges that are calls of ours."""
    for exchange in load():
        call = call_of(exchange["method"], exchange["path"])
        if call is not None:
            said: Any = exchange["response"]
            value = said if exchange["json"] and not isinstance(said, str) else None
            text = json.dumps(said) if value is not None else said or ""
            yield Recorded(exchange["seq"], call, Answer(status=exchange["status"], text=text, json=value))


def rule_of(call: Call, answer: Answer) -> Rule | None:
    """The first rule that fits."""
    return next((rule for rule in RULES if rule.fits(call, answer)), None)


def test_every_recorded_answer_means_what_the_table_says() -> None:
    seen = 0
    used = set()
    for each in recorded():
        seen += 1
        rule = rule_of(each.call, each.answer)
        what = f"#{each.number} {each.call} {each.answer.status} {each.answer.text[:120]!r}"
        assert rule is not None, f"no row for {what}"
        used.add(rule)
        assert classify(each.call, each.answer).verdict is rule.verdict, what
    assert seen > 600
    assert [rule for rule in RULES if rule not in used] == []


def test_only_what_we_never_send_is_judged_by_its_status_alone() -> None:
    guesses = [rule for rule in RULES if rule.verdict is Verdict.RETRY and not rule.wrong]
    assert guesses == []


# Known from the documentation of the API, from a recording with a real ZooKeeper, or from what stands before it.
@pytest.mark.parametrize(
    ("call", "status", "text", "verdict"),
    [
        (Call.CREATE, 202, "", Verdict.FULL),  # a security draft: a person commits it
        (Call.UPDATE, 202, "{}", Verdict.FULL),
        (Call.READ, 304, "", Verdict.RETRY),
        (Call.CREATE, 400, f"FQ Name: /x exists already with ID: {UUID} at zookeeper", Verdict.FULL),
        (Call.READ, 401, "<html>Unauthorized</html>", Verdict.DENIED),
        (Call.CREATE, 403, "Permission Denied", Verdict.DENIED),
        (Call.DELETE, 403, "Permission Denied", Verdict.DENIED),
        (Call.DELETE, 404, "<html>nothing here</html>", Verdict.RETRY),  # a wrong URL must not pass for gone
        (Call.DELETE, 404, "Not found: '/virtual-machine/x'", Verdict.RETRY),
        (Call.CREATE, 409, f"FQ Name: /x exists already with ID: {UUID} at zookeeper", Verdict.EXISTS),
        (Call.CREATE, 413, "Request entity too large", Verdict.REFUSED),
        (Call.UPDATE, 413, "Request entity too large", Verdict.REFUSED),
        (Call.CREATE, 429, "slow down", Verdict.BUSY),
        (Call.CREATE, 502, "Bad Gateway", Verdict.BUSY),
        (Call.READ, 503, "Service Unavailable", Verdict.BUSY),
        (Call.DELETE, 504, "Gateway Timeout", Verdict.BUSY),
        (Call.READ, 301, "moved", Verdict.RETRY),
        (Call.READ, 418, "a teapot", Verdict.REFUSED),
        (Call.READ, 599, "?", Verdict.RETRY),
    ],
)
def test_answers_that_were_not_recorded(call: Call, status: int, text: str, verdict: Verdict) -> None:
    value = json.loads(text) if text.startswith("{") else None
    assert classify(call, Answer(status=status, text=text, json=value)).verdict is verdict
