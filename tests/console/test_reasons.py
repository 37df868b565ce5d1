"""Every reason that a notice or an Event can have is in the README, so that whoever meets one finds it."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

from watchers.feedback.problems import reasons

ROOT = Path(__file__).parents[2]
_REASON = re.compile(r"[A-Z][A-Za-z]+")


def of_notices() -> Iterator[str]:
    """First arguments of all notices in the translator, where they are constants."""
    for path in (ROOT / "translator").rglob("*.py"):
        text = path.read_text()
        if "Notice(" not in text or path.name == "notice.py":
            continue
        module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Notice":
                found = _value(node.args[0], module)
                if isinstance(found, str):
                    yield found
        constants = vars(module).values()  # of those that are chosen at run time
        yield from (each for each in constants if isinstance(each, str) and each.startswith("BackEnds"))


def _value(node: ast.expr, module: object) -> object:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return getattr(module, node.id, None)
    if isinstance(node, ast.Attribute):
        return getattr(_value(node.value, module), node.attr, None)
    return None


def test_every_reason_is_in_the_readme() -> None:
    section = (ROOT / "README.md").read_text().partition("## What users see in kubectl")[2].partition("\n## ")[0]
    told = set(re.findall(r"`([A-Z][A-Za-z]+)`", section)) - {"LAST"}
    emitted = {each for each in {*of_notices(), *reasons()} if _REASON.fullmatch(each)}
    assert len(emitted) > 20
    assert emitted - told == set(), "not explained"
    assert told - emitted - {"Recovered"} == set(), "explained, and never said"
