"""Every golden pair: what is given translates to what is wanted, and reads what it says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.translator.golden import FOLDER, case_of, given, wanted
from translator.diff import wanted as as_wanted
from translator.notice import objects_of
from translator.translate.registry import translate


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_golden(path: Path) -> None:
    case = case_of(path)
    objects, reads, notices = wanted(case)
    assert json.loads(json.dumps(objects)) == case["wanted"], case["says"]
    assert reads == case["reads"]
    assert notices == case.get("notices", [])


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_objects_name_their_owner_and_stand_on_objects_of_ours(path: Path) -> None:
    """The audit knows own objects by these annotations; edges only lead to uuids that we compute."""
    subject, view = given(case_of(path))
    for desired in objects_of(translate(subject, view)):
        if desired.type in ("link", "entry"):
            continue
        pairs = {each["key"]: each["value"] for each in desired.properties["annotations"]["key_value_pair"]}  # type: ignore[union-attr]
        assert (pairs["kind"], pairs["name"]) in (
            (subject.kind, subject.name),
            ("Namespace", subject.namespace),  # what all of its app share
            ("Service", getattr(subject.body, "service", "")),  # a slice's: what all slices of its service share
            *(("Pod", each.pod_name) for each in getattr(subject.body, "endpoints", ())),  # hashed as its service wants
            ("Settings", view.settings.cluster),  # what namespace `default` wants otherwise
        )
        assert pairs["cluster"] == view.settings.cluster
        assert pairs["owner"] == view.settings.owner
        assert as_wanted(desired, subject.home).namespace == pairs.get("namespace", "")
        if desired.parent_type == "project" and not view.settings.project:  # type: ignore[union-attr]
            assert any(relation == "parent" for _, relation in as_wanted(desired, "").edges)
