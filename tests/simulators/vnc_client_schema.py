"""Prints, as one JSON object, what Contrail's official client knows about types; run by its interpreter.

{type: {"parents", "properties", "references": {field: [target, attribute structure or null]}}}, and under
"structures" {name: [fields]}.
"""

import json

from vnc_api.gen import resource_common, resource_xsd


def main():
    known = {"structures": {}}
    for held in vars(resource_common).values():
        if not hasattr(held, "resource_type"):
            continue
        known[held.resource_type] = {
            "parents": list(held.parent_types),
            "properties": sorted(held.prop_fields),
            "references": {
                field: [target, None if attr == "None" else attr]
                for field, (target, attr, *_) in held.ref_field_types.items()
            },
        }
    for name, held in vars(resource_xsd).items():
        if hasattr(held, "attr_fields"):
            known["structures"][name] = sorted(held.attr_fields)
    print(json.dumps(known))


if __name__ == "__main__":
    main()
