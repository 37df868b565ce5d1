"""Label selectors: raw JSON to LabelSelector (pure)."""

from __future__ import annotations

import msgspec

from schemas.errors import MalformedObject
from schemas.records import LabelRequirement, LabelSelector
from watchers.kinds.canonical import in_order, one_of, sorted_texts

WITH_VALUES = ("In", "NotIn")
WITHOUT_VALUES = ("Exists", "DoesNotExist")


class RequirementInput(msgspec.Struct, gc=False):
    """One entry of `matchExpressions`."""

    key: str
    operator: str
    values: list[str] | None = None


class SelectorInput(msgspec.Struct, gc=False, rename="camel"):
    """A selector."""

    match_labels: dict[str, str] | None = None
    match_expressions: list[RequirementInput] | None = None


def selector(raw: SelectorInput, field: str) -> LabelSelector:
    """The selector in canonical order; raises MalformedObject, naming `field` and what is below it."""
    expressions = raw.match_expressions or ()
    return LabelSelector(
        match_labels=raw.match_labels or {},
        match_expressions=in_order(
            _requirement(each, f"{field}.matchExpressions[{i}]") for i, each in enumerate(expressions)
        ),
    )


def optional_selector(raw: SelectorInput | None, field: str) -> LabelSelector | None:
    """As `selector`; None where there is none, which is not an empty one."""
    return None if raw is None else selector(raw, field)


def _requirement(raw: RequirementInput, field: str) -> LabelRequirement:
    operator = one_of(raw.operator, (*WITH_VALUES, *WITHOUT_VALUES), f"{field}.operator")
    values = sorted_texts(raw.values)
    if bool(values) != (operator in WITH_VALUES):
        accepted = "one or more" if operator in WITH_VALUES else "none"
        raise MalformedObject(f"{field}.values has {len(values)} values; accepted with {operator} are {accepted}")
    return LabelRequirement(key=raw.key, operator=operator, values=values)
