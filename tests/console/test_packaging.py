"""What is installed is what is in the tree, and every dependency has its reason."""

from __future__ import annotations

import ast
import configparser
import importlib.metadata
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE = frozenset({".py", ".pyc"})
NOT_SHIPPED = frozenset({"README.md"})


@pytest.fixture(scope="module")
def setup() -> configparser.ConfigParser:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    return config


def _packages(setup: configparser.ConfigParser) -> list[str]:
    return [line.rstrip("*") for line in setup["options.packages.find"]["include"].split()]


def _names(requirements: str) -> list[str]:
    return [re.split(r"[ \[<>=;]", line)[0] for line in requirements.splitlines() if line.strip()]


def _imports(path: Path) -> set[str]:
    """Top-level names that a module imports absolutely."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add((node.module or "").partition(".")[0])
    return found


def test_every_package_of_the_tree_is_installed(setup: configparser.ConfigParser) -> None:
    top = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "benchmarks"}
    assert set(_packages(setup)) == top


def test_every_folder_with_code_is_a_package(setup: configparser.ConfigParser) -> None:
    # `packages = find:` leaves out a folder without __init__.py, and everything below it, silently.
    for package in _packages(setup):
        folders = {path.parent for path in (ROOT / package).rglob("*.py")}
        assert not [str(folder) for folder in folders if not (folder / "__init__.py").exists()]


def test_every_data_file_is_installed(setup: configparser.ConfigParser) -> None:
    listed = {package: patterns.split() for package, patterns in setup["options.package_data"].items()}
    for package in _packages(setup):
        files = {p for p in (ROOT / package).rglob("*") if p.is_file() and p.suffix not in CODE}
        matched = {p for pattern in listed.get(package, []) for p in (ROOT / package).glob(pattern) if p.is_file()}
        left_out = {str(p.relative_to(ROOT)) for p in files - matched if p.name not in NOT_SHIPPED}
        assert not left_out


def test_every_dependency_has_its_reason(setup: configparser.ConfigParser) -> None:
    names = _names(setup["options"]["install_requires"])
    for extra in setup["options.extras_require"].values():
        names += _names(extra)
    table = (ROOT / "docs" / "decisions.md").read_text().partition("## Dependencies")[2]
    explained = {
        name for line in re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE) for name in _names(line.replace(", ", "\n"))
    }
    assert set(names) <= explained
    assert explained - {"dependency", "---"} <= set(names), "an explanation for what is not needed any more"


def test_every_import_from_outside_is_a_dependency(setup: configparser.ConfigParser) -> None:
    names = _names(setup["options"]["install_requires"]) + _names(setup["options.extras_require"]["embedded"])
    declared = {name.lower().replace("_", "-") for name in names}
    distributions = importlib.metadata.packages_distributions()
    ours = set(_packages(setup))
    undeclared = set()
    for package in _packages(setup):
        for path in (ROOT / package).rglob("*.py"):
            for name in _imports(path) - sys.stdlib_module_names - ours:
                if not {d.lower().replace("_", "-") for d in distributions.get(name, [])} & declared:
                    undeclared.add(f"{path.relative_to(ROOT)}: {name}")
    assert undeclared <= {"schemas/bus/log_format.py: compression"}, "it is the standard library's from 3.14 on"


def test_the_commands_exist(setup: configparser.ConfigParser) -> None:
    scripts = setup["options.entry_points"]["console_scripts"].split("\n")
    assert {s.partition(" = ")[2] for s in scripts if s} == {"console.__main__:main"}
