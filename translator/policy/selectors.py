"""Label selectors: as tags, where a conjunction of equalities says the same, and as a question to labels (pure)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from itertools import product
from math import prod

import msgspec

from schemas.records import LabelSelector
from translator.policy.model import NO_TAGS, Tags
from translator.translate.tags import is_tagged

MOST = 32
"""Conjunctions that a selector is written as: `In` with more values, or several of them, becomes a membership."""
_NAME = r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
_VALUE, _KEY = re.compile(rf"({_NAME})?"), re.compile(rf"([a-z0-9.-]{{1,253}}/)?{_NAME}")


class _Demand(msgspec.Struct):
    """What a selector demands of one key: `values` are the accepted ones (None: any but `refused`)."""

    values: set[str] | None = None
    refused: set[str] = msgspec.field(default_factory=set)
    present: bool = False
    absent: bool = False

    def close(self) -> None:
        """Draw the conclusions: of accepted values those that are refused are none."""
        if self.values is not None:
            self.values -= self.refused

    @property
    def is_impossible(self) -> bool:
        return (self.absent and self.present) or (self.values is not None and not self.values)


def conjunctions(selector: LabelSelector | None, kind: str) -> tuple[Tags, ...] | None:
    """What is selected carries all tags of one of these; none: nothing is selected; None: no conjunction says it.

    `kind` is what the labels are on, 'pod' or 'ns'. An absent selector selects everything.
    """
    return (NO_TAGS,) if selector is None else _conjunctions(_text(selector), kind)


def selects(selector: LabelSelector | None, labels: Mapping[str, str]) -> bool:
    """Whether something with these labels is selected, as Kubernetes defines it."""
    if selector is None:
        return True
    if any(labels.get(key) != value for key, value in selector.match_labels.items()):
        return False
    for each in selector.match_expressions:
        value = labels.get(each.key)
        if each.operator == "In":
            holds = value is not None and value in each.values
        elif each.operator == "NotIn":
            holds = value is None or value not in each.values
        else:
            holds = (value is not None) == (each.operator == "Exists")
        if not holds:
            return False
    return True


_ENCODE = msgspec.json.Encoder(order="sorted").encode
_DECODE = msgspec.json.Decoder(LabelSelector).decode


def _text(selector: LabelSelector) -> bytes:
    return _ENCODE(selector)


@lru_cache(maxsize=16384)
def _conjunctions(text: bytes, kind: str) -> tuple[Tags, ...] | None:
    demands = _demands(_DECODE(text))
    if any(each.is_impossible for each in demands.values()):
        return ()
    keys = sorted(demands)
    if not all(demands[key].values is not None and is_tagged(f"{kind}.{key}") for key in keys):
        return None
    values = [sorted(demands[key].values or ()) for key in keys]
    if prod(map(len, values)) > MOST:
        return None
    return tuple(
        Tags(tuple(sorted((f"{kind}.{key}", value) for key, value in zip(keys, chosen, strict=True))))
        for chosen in product(*values)
    )


def _can_be_label(key: str, value: str) -> bool:
    """Whether anything can have this label: selectors of administrators may say any text, and some of it is no tag."""
    return _KEY.fullmatch(key) is not None and _VALUE.fullmatch(value) is not None


def _demands(selector: LabelSelector) -> dict[str, _Demand]:
    demands: dict[str, _Demand] = {}
    wanted: list[tuple[str, str, tuple[str, ...]]] = [
        (key, "In", (value,)) for key, value in selector.match_labels.items()
    ]
    wanted += [(each.key, each.operator, each.values) for each in selector.match_expressions]
    for key, operator, values in wanted:
        demand = demands.setdefault(key, _Demand())
        if operator == "In":
            possible = {value for value in values if _can_be_label(key, value)}
            demand.present = True
            demand.values = possible if demand.values is None else demand.values & possible
        elif operator == "NotIn":
            demand.refused |= set(values)
        elif operator == "Exists":
            demand.present = True
        else:
            demand.absent = True
    for demand in demands.values():
        demand.close()
    return demands
