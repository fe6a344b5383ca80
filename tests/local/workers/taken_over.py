"""A renderer that runs an attack in place of a picture.

A decoder that was taken over would do the same.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping

from local.workers.attacks import Scene, attempt
from renditions.model.original import Original
from renditions.model.pipeline import Accept, Analyze, Limits
from renditions.model.recipe import Rendition
from renditions.model.rendering import Rendered, Rendering


def attack(
    content: bytes, accept: Accept, recipes: Mapping[str, Rendition], analyze: Analyze, *, limits: Limits
) -> Rendering:
    """Run the attack that the content names, and return its result as a rendition."""
    asked = json.loads(content)
    outcome = attempt(asked["kind"], asked["name"], Scene(**asked["scene"], descriptor=_SOCKET))
    made = {name: Rendered(outcome.encode(), recipe.format) for name, recipe in recipes.items()}
    return Rendering(Original(len(content)), made)


def _is_socket(number: int) -> bool:
    try:
        return stat.S_ISSOCK(os.fstat(number).st_mode)
    except OSError:
        return False


_SOCKET = next(number for number in range(3, 100) if _is_socket(number))
"""The worker's socket. Only workers import this module, and they have no other socket then."""
