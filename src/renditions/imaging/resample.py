"""Enlarge pictures without a shift.

libvips' own resize moves a picture by half a pixel of the result.
"""

from __future__ import annotations

from typing import Any

from renditions.imaging.geometry import Size
from renditions.imaging.vips import Interpolate


def enlarge(image: Any, across: float, down: float, size: Size, interpolation: str) -> Any:
    """Return the image enlarged by both factors and cut to the size.

    The colours of the image must be premultiplied by its alpha. ``interpolation`` is ``"bilinear"`` or
    ``"bicubic"``. The middle of the image's first pixel becomes the middle of the pixels that it is enlarged
    to.
    """
    return image.affine(
        [across, 0, 0, down],
        interpolate=Interpolate.new(interpolation),
        odx=(across - 1) / 2,
        ody=(down - 1) / 2,
        oarea=[0, 0, size.width, size.height],
        extend="copy",
        premultiplied=True,
    )
