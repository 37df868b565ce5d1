"""What a sub-command of `python -m applier` is: its name, its options, and what it does."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO

from sqlalchemy import Engine

from applier.service import Settings
from schemas.settings import ProcessSettings


@dataclass(frozen=True, slots=True)
class Invocation:
    """What every command works with: the settings as read, the store, and where it writes."""

    settings: Settings
    process: ProcessSettings
    engine: Engine
    out: TextIO
    err: TextIO


def count(text: str) -> int:
    """An option's value that is a number of things."""
    if not (text.isascii() and text.isdigit()):
        raise ArgumentTypeError(f"{text!r} is no number")
    return int(text)


def no_options(parser: ArgumentParser) -> None:
    """Of a command that has none."""


@dataclass(frozen=True, slots=True)
class Command:
    """One sub-command; `run` returns the exit code, and raises ContrailKubeError for what ends with 1 and one line."""

    name: str
    help: str
    run: Callable[[Namespace, Invocation], int]
    options: Callable[[ArgumentParser], None] = no_options
