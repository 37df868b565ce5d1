"""The import table, sizes and names of the tree, checked on the source text alone."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ALLOWED: dict[str, frozenset[str]] = {
    "schemas": frozenset(),
    "watchers": frozenset({"schemas"}),
    "translator": frozenset({"schemas"}),
    "applier": frozenset({"schemas"}),
    "cni": frozenset({"schemas"}),
    "simulators": frozenset({"schemas"}),
    "console": frozenset({"schemas", "watchers", "translator", "applier", "cni", "simulators"}),
}
PACKAGES = frozenset(ALLOWED)
PLUGIN = "cni/plugin.py"
"""The file that kubelet executes: the standard library only."""
FORBIDDEN_NAMES = frozenset({"utils", "util", "helpers", "helper", "common", "manager", "base"})
FILE_LINES = 400
FUNCTION_LINES = 50
GENERATED = ("schemas/store/migrations/",)


def _sources() -> list[str]:
    return sorted(str(path.relative_to(ROOT)) for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


@cache
def _tree(source: str) -> ast.Module:
    return ast.parse((ROOT / source).read_text(), filename=source)


def _imported(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, top-level package) of every import, wherever in the file it stands; relative ones are ours."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.partition(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, (node.module or "").partition(".")[0] if node.level == 0 else "."


def _breaches(source: str, tree: ast.Module) -> list[str]:
    package = source.partition("/")[0]
    allowed = ALLOWED[package] | {package}
    found = []
    for line, name in _imported(tree):
        if name == ".":
            found.append(f"{source}:{line}: relative import; write the package's name")
        elif name == "tests" or (name in PACKAGES and name not in allowed):
            found.append(f"{source}:{line}: {package} must not import {name}")
        elif source == PLUGIN and name not in sys.stdlib_module_names:
            found.append(f"{source}:{line}: the plugin must import the standard library only, not {name}")
    return found


@pytest.mark.parametrize("source", _sources())
def test_imports_keep_to_the_table(source: str) -> None:
    assert not _breaches(source, _tree(source))


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("schemas/errors.py", "from watchers import reflector"),
        ("watchers/kinds.py", "def f():\n    import translator.fold"),
        ("cni/agent/server.py", "from console.postgres import EmbeddedPostgres"),
        ("cni/plugin.py", "import schemas"),
        ("cni/plugin.py", "import requests"),
        ("cni/plugin.py", "import cni.records"),  # kubelet executes a lone file: no package is around it then
        ("applier/plan.py", "from . import outcome"),
        ("console/up.py", "import tests.rigs"),
    ],
)
def test_the_check_sees_a_breach(source: str, text: str) -> None:
    assert _breaches(source, ast.parse(text))


def test_no_module_has_a_name_that_says_nothing() -> None:
    named = {source for source in _sources() if FORBIDDEN_NAMES & set(source.removesuffix(".py").split("/"))}
    assert not named


def test_every_module_says_what_it_promises() -> None:
    silent = [s for s in _sources() if not s.startswith(GENERATED) and (ROOT / s).stat().st_size]
    silent = [s for s in silent if not ast.get_docstring(_tree(s))]
    assert not silent


def test_no_file_is_longer_than_a_person_reads() -> None:
    lengths = {source: len((ROOT / source).read_text().splitlines()) for source in _sources()}
    assert not {source: n for source, n in lengths.items() if n > FILE_LINES and not source.startswith(GENERATED)}


def test_no_function_is_longer_than_a_screen() -> None:
    long = [
        f"{source}:{node.lineno}: {node.name} has {node.end_lineno - node.lineno + 1} lines"
        for source in _sources()
        if not source.startswith(GENERATED)
        for node in ast.walk(_tree(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno + 1 > FUNCTION_LINES
    ]
    assert not long
