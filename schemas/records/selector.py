"""Label selectors, as policies and service chains hold them (pure)."""

from __future__ import annotations

import msgspec


class LabelRequirement(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of `matchExpressions`: operator is In, NotIn, Exists or DoesNotExist; values are sorted."""

    key: str
    operator: str
    values: tuple[str, ...] = ()


class LabelSelector(msgspec.Struct, frozen=True, kw_only=True):
    """All labels and all requirements must hold; without any it selects everything.

    A selector that is absent is None where it is used, and means something else there.
    """

    match_labels: dict[str, str] = {}
    match_expressions: tuple[LabelRequirement, ...] = ()
