"""The two references share no code with the compiler, nor with each other: only how ends and addresses are named."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KUBERNETES, CONTRAIL = "tests.policy.kubernetes_rules", "tests.policy.contrail_firewall"
OURS = ("translator", "watchers", "applier", "console", "simulators", "cni")


def reached(module: str, known: frozenset[str] = frozenset()) -> frozenset[str]:
    """The module, and all of ours that it imports, and so on."""
    path = ROOT.joinpath(*module.split(".")).with_suffix(".py")
    if module in known or not path.exists():
        return known | {module}
    known |= {module}
    for each in imported(ast.parse(path.read_text())):
        if each.partition(".")[0] in ("tests", *OURS):
            known = reached(each, known)
    return known


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize(("reference", "other"), [(KUBERNETES, CONTRAIL), (CONTRAIL, KUBERNETES)])
def test_a_reference_knows_neither_the_compiler_nor_the_other(reference: str, other: str) -> None:
    found = reached(reference)
    assert "tests.policy.cluster" in found and other not in found
    assert [each for each in found if each.partition(".")[0] in OURS] == []


def test_a_way_to_the_compiler_would_be_seen() -> None:
    assert "translator.memory" in reached("tests.policy.truth")
