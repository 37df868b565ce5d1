"""Whether a JSON value has the shape that the model wants, strictly (pure).

Stricter than the API, which also takes the text '80' for the number 80.
"""

from __future__ import annotations

import ipaddress
import re

from schemas.contrail.objects import Json
from schemas.contrail.shapes import TEXT, Kind, Many, Scalar, Shape, Struct
from schemas.contrail.types import suggestion

SUBNET_TYPE = "SubnetType"
SERVICE_INTERFACE = re.compile(r"management|left|right|other[0-9]*")


def mismatch(shape: Shape, value: Json) -> str:
    """What is wrong, beginning with the path to it (`.subnets[0].subnet: …`); '' if nothing is.

    None stands for an absent field everywhere.
    """
    if isinstance(shape, Scalar):
        return _scalar(shape, value)
    if isinstance(shape, Many):
        return _list(shape, value)
    return _struct(shape, value)


def _scalar(shape: Scalar, value: Json) -> str:
    if shape.kind is Kind.FLAG:
        return "" if isinstance(value, bool) else f": true or false expected, not {value!r}"
    if shape.kind is Kind.NUMBER:
        if not isinstance(value, int) or isinstance(value, bool):
            return f": an integer expected, not {value!r}"
        if shape.low is not None and shape.high is not None and not shape.low <= value <= shape.high:
            return f": {value} is not in {shape.low}..{shape.high}"
        return ""
    if not isinstance(value, str):
        return f": text expected, not {value!r}"
    if shape.kind is Kind.SERVICE_INTERFACE and not SERVICE_INTERFACE.fullmatch(value):
        return f": {value!r} is none of management, left, right, other<n>"
    if shape.choices and value not in shape.choices:
        return f": {value!r} is none of {', '.join(shape.choices)}"
    return ""


def _list(shape: Many, value: Json) -> str:
    if not isinstance(value, list | tuple):
        return f": a list expected, not {value!r}"
    of = shape.of
    for index, element in enumerate(value):
        if wrong := _struct(of, element) if isinstance(of, Struct) else mismatch(of, element):
            return f"[{index}]{wrong}"
    return ""


def _struct(shape: Struct, value: Json) -> str:
    if not isinstance(value, dict):
        return f": a {shape.name} ({', '.join(shape.fields)}) expected, not {value!r}"
    fields = shape.fields
    for name, held in value.items():
        field = fields.get(name)
        if field is None:
            return f": {shape.name} has no field {name!r}{suggestion(name, fields)}"
        if field is TEXT and type(held) is str:
            continue  # most of what is checked; a call each would cost a tenth of the translation
        if held is not None and (wrong := mismatch(field, held)):
            return f".{name}{wrong}"
    if shape.name == SUBNET_TYPE:
        return _subnet(value)
    return ""


def _subnet(value: Json) -> str:
    cidr = f"{value.get('ip_prefix')}/{value.get('ip_prefix_len')}"
    try:
        ipaddress.ip_network(cidr, strict=False)
    except ValueError as error:
        return f": {cidr!r} is no subnet: {error}"
    return ""
