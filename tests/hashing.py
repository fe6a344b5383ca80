"""A renderer that only hashes the picture, and its results."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from renditions.model.original import Analysis, Original
from renditions.model.pipeline import Accept, Analyze
from renditions.model.reason import Reason
from renditions.model.recipe import Rendition
from renditions.model.rendering import Rendered, Rendering


def hash_render(
    content: bytes, accept: Accept, recipes: Mapping[str, Rendition], analyze: Analyze
) -> Rendering:
    """Render by hashing.

    Content that starts with ``bad`` is rejected. Content that starts with ``half`` fails in one
    rendition.
    """
    analysis = Analysis(transparency=False) if analyze.transparency else None
    original = Original(len(content), "jpeg", 4, 3, 1, analysis)
    if content.startswith(b"bad"):
        return Rendering(original, rejected=Reason("it is bad", "source-unreadable"))
    made = {
        name: Rendered(expected_output(content, recipe), "jpeg", 2, 1) for name, recipe in recipes.items()
    }
    errors = (
        {"large": Reason("too half", "unrenderable")}
        if content.startswith(b"half") and "large" in made
        else {}
    )
    return Rendering(original, {name: made[name] for name in made if name not in errors}, errors)


def expected_output(content: bytes, recipe: Rendition) -> bytes:
    """Return the result of :func:`hash_render` for this content."""
    return output_of(content, recipe.fingerprint())


def output_of(content: bytes, fingerprint: str) -> bytes:
    """Return the result of :func:`hash_render` for the recipe with this fingerprint."""
    return hashlib.sha256(content + fingerprint.encode()).digest()
