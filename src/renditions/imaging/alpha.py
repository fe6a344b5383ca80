"""Colours weighted by their alpha, for operations that mix neighbouring pixels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_LOST_STEPS = 2
"""By how many steps a resize can lower the values of an image of one colour. The integer weights of the
resize don't always add up to one."""


def weighted(image: Any, mix: Callable[[Any], Any]) -> Any:
    """Return what ``mix`` returns for the image, with pixels weighted by their alpha.

    Without weights, the hidden colours of transparent pixels would show at the edges of opaque parts.
    """
    if not image.hasalpha():
        return mix(image)
    multiplied, is_whole = image.premultiply(), image.format in ("uchar", "ushort")
    if is_whole:
        # Whole numbers take a quarter of the time of floating point.
        multiplied = multiplied.rint().cast(image.format)
    mixed = mix(multiplied).unpremultiply()
    return _restore_opaque(mixed.rint().cast(image.format)) if is_whole else mixed


def _restore_opaque(image: Any) -> Any:
    """Return the image with nearly opaque pixels made opaque again.

    The integer weights of a resize lose some alpha.
    """
    most, last = (255 if image.format == "uchar" else 65_535), image.bands - 1
    opaque = image[last] >= most - _LOST_STEPS
    return image.extract_band(0, n=last).bandjoin(opaque.ifthenelse(most, image[last]))
