"""Each construct of a NetworkPolicy, and the rules that come of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.translator.golden import case_of, given
from tests.translator.policy.lists import FOLDER, outcome

LISTS = sorted(FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.stem)
def test_golden(path: Path) -> None:
    case = case_of(path)
    assert outcome(case) == {name: case[name] for name in ("rules", "members", "reads")}


def test_policies_of_labels_read_no_pods() -> None:
    for path in LISTS:
        case = case_of(path)
        if not any("sel." in rule or "addresses of pods" in rule for rule in case["rules"]):
            asks = [read for read in case["reads"] if read.startswith("Pod/")]
            assert asks == [] or "port" in path.stem or "block" in path.stem, path.stem


def test_every_list_ends_with_a_pass_and_begins_with_nothing_that_denies_nodes() -> None:
    for path in LISTS:
        case = case_of(path)
        assert case["rules"] == [] or case["rules"][-1] == "pass any: everything > everything"
        subject, _ = given(case)
        nodes = next((n for n, rule in enumerate(case["rules"]) if rule.startswith("pass any: nodes")), None)
        denials = [
            n
            for n, rule in enumerate(case["rules"])
            if rule.startswith(f"deny any: everything > k8s.namespace={subject.name}")
        ]
        assert not denials or (nodes is not None and nodes < denials[0])
