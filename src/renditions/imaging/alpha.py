"""Colours weighted by their alpha, for whatever mixes neighbouring pixels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def weighted(image: Any, mix: Callable[[Any], Any]) -> Any:
    """Return what ``mix`` makes of the image, in which a pixel counts as much as it is opaque.

    Otherwise the colour that a transparent pixel happens to have would show at the edges.
    """
    if not image.hasalpha():
        return mix(image)
    multiplied, is_whole = image.premultiply(), image.format in ("uchar", "ushort")
    if is_whole:
        # A quarter of floating point's work, and below what the encoders lose.
        multiplied = multiplied.rint().cast(image.format)
    mixed = mix(multiplied).unpremultiply()
    return mixed.rint().cast(image.format) if is_whole else mixed
