"""Whether the fields of a request fit the model, with the texts in which the original says that they do not (pure).

Laxer than our own rules: unknown fields of the object itself pass, numbers may be text, falsy values are not looked at.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping

from schemas.contrail.shapes import Kind, Many, ObjectType, Scalar, Shape, Struct
from simulators.contrail.answers import Json, Refusal

_INTERFACES = "management|left|right|other[0-9]*"
_INTERFACE = re.compile(_INTERFACES)


def check_properties(known: ObjectType, fields: Mapping[str, Json], operation: str) -> None:
    """Refusal 400 for a property that does not fit; `operation` is 'create' or 'http_put'."""
    for name, value in fields.items():
        rule = known.properties.get(name)
        if rule is not None and value and (wrong := _property(name, rule.shape, value)):
            raise Refusal(400, f"Bad property in {operation}: {wrong}")
    if operation == "create":
        for name, rule in known.properties.items():
            if rule.mandatory and not fields.get(name):
                raise Refusal(400, f"Bad property in create: {name} property is missing")


def check_references(known: ObjectType, fields: Mapping[str, Json], operation: str) -> None:
    """Refusal 400 for a reference whose attribute is missing or does not fit."""
    for name, value in fields.items():
        rule = known.references.get(name)
        if rule is None or rule.attr is None:
            continue
        for reference in value or ():
            if wrong := reference_fault(rule.attr, reference):
                text = f"Error validating reference {name} value {reference} {wrong}"
                raise Refusal(400, f"Bad reference in {operation}: {text}")


def reference_fault(attr: Struct, reference: Json) -> str:
    """What is wrong with one reference that has an attribute; '' if nothing is."""
    if isinstance(reference, str):
        return "string indices must be integers"  # a dict was given where a list of dicts belongs
    for needed in ("to", "attr"):
        if needed not in reference:
            # Without its name the reference fails later, and differently.
            return "" if needed == "to" else f"{needed!r}"
    return _struct(attr, reference["attr"]) if reference["attr"] else ""


def _property(name: str, shape: Scalar | Struct, value: Json) -> str:
    if isinstance(shape, Scalar):
        wrong = _scalar(name, shape, value)
        return f"Error validating property {wrong}" if wrong else ""
    if not isinstance(value, dict):
        return f"Error in property {name} type {_class(shape)} value of {value} "
    wrong = _struct(shape, value)
    return f"Error validating property {name} value {value} {wrong}" if wrong else ""


def _struct(shape: Struct, value: Json) -> str:
    if value is None:
        return ""
    if not isinstance(value, dict):
        return f"{type(value).__name__!r} object has no attribute 'items'"
    for name, held in value.items():
        if name not in shape.fields:
            return f"class {_class(shape)} does not have field {name}"
        if held is not None and (wrong := _field(name, shape.fields[name], held)):
            return wrong
    return _subnet(value) if shape.name == "SubnetType" else ""


def _field(name: str, shape: Shape, value: Json) -> str:
    if isinstance(shape, Many):
        if not isinstance(value, list):
            return f"field {name} must be a list"
        return next((wrong for item in value if (wrong := _field(name, shape.of, item))), "")
    return _scalar(name, shape, value) if isinstance(shape, Scalar) else _struct(shape, value)


def _scalar(name: str, shape: Scalar, value: Json) -> str:
    if value is None:
        return ""
    if shape.kind is Kind.FLAG:
        return "" if isinstance(value, bool) else f"{name}: true/false expected instead of {value}"
    if shape.kind is Kind.NUMBER:
        return _number(name, shape, value)
    if shape.kind is Kind.SERVICE_INTERFACE:
        if isinstance(value, str) and _INTERFACE.fullmatch(value):
            return ""
        return f"Invalid service interface type {value}. Valid values are: {_INTERFACES}"
    if not isinstance(value, str):
        return f"{name}: string value expected instead of {value}"
    if shape.choices and value not in shape.choices:
        return f"{name}: value must be one of {list(shape.choices)}"
    return ""


def _number(name: str, shape: Scalar, value: Json) -> str:
    try:
        number = int(value)
    except (TypeError, ValueError):
        return f"{name}: integer value expected instead of {value}"
    if shape.low is not None and shape.high is not None and not shape.low <= number <= shape.high:
        return f"{name}: value must be between {shape.low} and {shape.high}"
    return ""


def _subnet(value: Mapping[str, Json]) -> str:
    prefix, length = value.get("ip_prefix"), value.get("ip_prefix_len")
    if prefix is None or length is None:
        return ""
    try:
        ipaddress.ip_network(f"{prefix}/{length}", strict=False)
    except ValueError:
        return f"Subnet type '{prefix}/{length}' is invalid"
    return ""


def _class(shape: Struct) -> str:
    return f"<class 'vnc_api.gen.resource_xsd.{shape.name}'>"
