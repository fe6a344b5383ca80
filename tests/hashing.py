"""A renderer that only hashes the picture, and its results."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Never

from renditions.model.families import widths_of
from renditions.model.original import Analysis, Original
from renditions.model.pipeline import Accept, Analyze
from renditions.model.reason import Reason
from renditions.model.recipe import Rendition
from renditions.model.rendering import Rendered, Rendering

TOO_WIDE = 900


def hash_render(
    content: bytes, accept: Accept, recipes: Mapping[str, Rendition], analyze: Analyze
) -> Rendering:
    """Render by hashing.

    Content that starts with ``bad`` is rejected. Content that starts with ``half`` fails in recipes of
    ``TOO_WIDE`` pixels or more. If the recipe doesn't enlarge, two widths of a family share one file if
    the picture isn't wider than the narrower one.
    """
    analysis = Analysis(transparency=False) if analyze.transparency else None
    original = Original(len(content), "jpeg", 4, 3, 1, analysis)
    if content.startswith(b"bad"):
        return Rendering(original, rejected=Reason("it is bad", "source-unreadable"))
    stand_ins = find_stand_ins(content, recipes)
    made = {
        name: Rendered(expected_output(content, recipe), "jpeg", 2, 1)
        for name, recipe in recipes.items()
        if stand_ins.get(name, name) == name
    }
    errors = {
        name: Reason("too half", "unrenderable") for name in made if is_too_wide(content, recipes[name])
    }
    made = {name: made[name] for name in made if name not in errors}
    return Rendering(original, made, errors, stand_ins=stand_ins)


def never_render(*_: Any) -> Never:
    """Fail the test, because the core must keep or copy the outputs."""
    raise AssertionError("rendered a picture whose outputs could be kept or copied")


def is_too_wide(content: bytes, recipe: Rendition) -> bool:
    """Return whether :func:`hash_render` fails for this content and recipe."""
    return content.startswith(b"half") and (recipe.width or 0) >= TOO_WIDE


def find_stand_ins(content: bytes, recipes: Mapping[str, Rendition]) -> dict[str, str]:
    """Return the narrowest width with the same file, for each width of a family.

    The families are those of the recipes.
    """
    picture_width = width_of(content)
    stand_ins: dict[str, str] = {}
    for name, recipe in recipes.items():
        narrowest: dict[int, str] = {}
        for member, sized in widths_of(name, recipe).items():
            declared = sized.width or 0
            made_width = declared if sized.enlarge else min(declared, picture_width)
            stand_ins[member] = narrowest.setdefault(made_width, member)
    return stand_ins


def width_of(content: bytes) -> int:
    """Return the width of a picture in pixels.

    It is the number at the picture's start, or 100 for each byte.
    """
    first = content.split(maxsplit=1)[:1]
    return int(first[0]) if first and first[0].isdigit() else 100 * len(content)


def expected_output(content: bytes, recipe: Rendition) -> bytes:
    """Return the output of :func:`hash_render` for this content and recipe."""
    return output_of(content, recipe.fingerprint())


def output_of(content: bytes, fingerprint: str) -> bytes:
    """Return the output of :func:`hash_render` for a recipe with this fingerprint."""
    return hashlib.sha256(content + fingerprint.encode()).digest()
