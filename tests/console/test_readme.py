"""The README promises only what is there: commands, options, files."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from console.__main__ import cli

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def test_every_command_and_option_exists() -> None:
    used = re.findall(r"contrail-kube ([a-z]+)((?: +[^ `\n#]+)*)", README)
    assert {command for command, _ in used} <= set(cli.commands)
    for command, rest in used:
        asked = cli.commands[command]
        if isinstance(asked, click.Group):
            asked = asked.commands[rest.split()[0]]
        known = {name for parameter in asked.params for name in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", rest)) <= known, f"{command}{rest}"


def test_every_file_that_is_named_exists() -> None:
    named = re.findall(r"\]\(([^)h][^)]*)\)", README)
    assert len(named) >= 4
    assert not [name for name in named if not (ROOT / name).exists()]


def test_every_target_of_make_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {"run", "test"} <= set(re.findall(r"make ([a-z]+)", README)) & targets


@pytest.mark.process
def test_the_replay_it_shows_is_what_every_replay_prints() -> None:
    """Each process hashes strings differently, so an order that hangs on a set would show."""
    shown = README.partition("$ python -m translator replay --log console/recordings/shop\n")[2].partition("$ ")[0]
    assert "digest=" in shown
    for seed in ("1", "2"):
        environ = {name: value for name, value in os.environ.items() if not name.startswith("CONTRAIL_KUBE_")}
        done = subprocess.run(
            [sys.executable, "-m", "translator", "replay", "--log", "console/recordings/shop"],
            cwd=ROOT,
            env={**environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (done.returncode, done.stdout) == (0, shown), done.stderr


def test_what_it_shows_of_policies_is_what_the_command_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """But for the number of rules: that of the compiler's is not promised."""
    monkeypatch.chdir(ROOT)
    shown = re.findall(r"^\$ contrail-kube policy (.+)\n((?:(?!\$|```).*\n)+)", README, re.MULTILINE)
    assert len(shown) == 3
    for asked, told in shown:
        result = CliRunner().invoke(cli, ["policy", *asked.split()], env={})
        assert _without_numbers(result.stdout) == _without_numbers(told), asked


def _without_numbers(text: str) -> str:
    return re.sub(r"rule \d+ of \d+", "rule", text.strip())
