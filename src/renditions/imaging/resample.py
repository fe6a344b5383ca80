"""Enlarging without a shift: libvips' own resize would move the picture by half a pixel of the result."""

from __future__ import annotations

from typing import Any

from renditions.imaging.geometry import Size
from renditions.imaging.vips import Interpolate


def enlarge(image: Any, across: float, down: float, size: Size, interpolation: str) -> Any:
    """Return the image, weighted by its alpha, with its sides multiplied and cut to the size.

    ``interpolation`` is ``"bilinear"`` or ``"bicubic"``. A pixel's middle is half a pixel from its edges,
    so the first one's lands in the middle of its enlarged pixels.
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
