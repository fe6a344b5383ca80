"""The depth of samples: 8 bits in most of the engine, 16 in some kept colours.

HDR and wide-gamut colours can have 16 bits if a recipe keeps them.
"""

from __future__ import annotations

from typing import Any

_INTERPRETATIONS = {"rgb16": "srgb", "grey16": "b-w"}


def in_8_bits(image: Any) -> Any:
    """Return the image with 8-bit samples, in the same colour space."""
    if image.format != "ushort":
        return image
    shown = (image / 257).rint().cast("uchar")
    return shown.copy(interpretation=_INTERPRETATIONS.get(image.interpretation, image.interpretation))
