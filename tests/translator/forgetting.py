"""Empties whatever the translator keeps of earlier answers, as a new process would find it."""

from __future__ import annotations

import sys

from translator import outcomes


def forget() -> None:
    """Empty every cache of the translator."""
    outcomes.KEPT.clear()
    for name, module in list(sys.modules.items()):
        if name.startswith("translator."):
            for each in list(vars(module).values()):
                if callable(clear := getattr(each, "cache_clear", None)):
                    clear()
