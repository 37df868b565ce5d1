"""Golden lists: policies, and the rules that come of them, one line each, as YAML in the folder beside this file.

`python -m tests.translator.policy.lists` writes rules, members and reads anew; a changed one is read before it is
committed.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec
import yaml

from schemas.contrail.objects import Link
from tests.translator.golden import case_of, given
from translator.policy.compile import compiled
from translator.policy.model import EVERYTHING, Endpoint, Rule, Service

FOLDER = Path(__file__).with_name("lists")


def outcome(case: dict[str, Any]) -> dict[str, list[str]]:
    """Rules in order, members of membership tags, and what was read."""
    subject, view = given(case)
    found = compiled(subject, view.list("NetworkPolicy", subject.name), view)
    rules = [] if found is None else [_rule(each) for each in found.rules]
    links = [] if found is None else [(tag, link) for tag in found.members for link in found.members[tag].values()]
    return {
        "rules": rules,
        "members": sorted(f"{tag}: {_owner(link)}" for tag, link in links),
        "reads": sorted(view.reads),
    }


def _rule(rule: Rule) -> str:
    action = "pass" if rule.passes else "deny"
    return f"{action} {_service(rule.service)}: {_end(rule.source)} > {_end(rule.target)}"


def _service(service: Service) -> str:
    if service == Service(service.protocol):
        return service.protocol
    ports = f"{service.low}" if service.low == service.high else f"{service.low}-{service.high}"
    return f"{service.protocol} {ports}"


def _end(end: Endpoint) -> str:
    if end == EVERYTHING:
        return "everything"
    if end.nodes:
        return "nodes"
    return " ".join(end.tags or (*(["addresses of pods:"] if end.group else []), *end.prefixes))


def _owner(link: Link) -> str:
    return f"{link.owner_type} {link.owner_fq_name[-1]}"


def main() -> None:
    """Write what comes out into every file."""
    for path in sorted(FOLDER.glob("*.yaml")):
        case = case_of(path)
        found = outcome(case)
        asked = msgspec.json.decode(msgspec.json.encode({name: case[name] for name in case.keys() - found.keys()}))
        text = yaml.safe_dump(asked, width=118, default_flow_style=None)
        path.write_text(text + yaml.safe_dump(found, sort_keys=False, width=1000, default_flow_style=False))
        sys.stdout.write(f"{path.name}: {len(found['rules'])} rules\n")


if __name__ == "__main__":
    main()
