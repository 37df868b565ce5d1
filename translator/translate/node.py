"""Node: nothing of its own yet (pure).

The virtual-router of a node belongs to whoever provisions it; pods read the node's address through the view.
"""

from __future__ import annotations

from schemas.contrail.objects import Desired
from translator.resource import Resource
from translator.view import View


def translate(node: Resource, view: View) -> tuple[Desired, ...]:
    """No objects."""
    return ()
