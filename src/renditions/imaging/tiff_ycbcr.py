"""Convert a TIFF's YCbCr to RGB, as TIFF 6.0 (sections 20 and 21) says.

libvips converts YCbCr only if it is compressed as JPEG or has fewer samples of colour than of luma. libvips
takes other YCbCr for RGB.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from renditions.errors import Undecodable
from renditions.imaging.tiff_tags import (
    BITS,
    COMPRESSION,
    PHOTOMETRIC,
    REFERENCE_BLACK_WHITE,
    YCBCR_COEFFICIENTS,
    YCBCR_SUBSAMPLING,
    Field,
)

TAGS = (BITS, COMPRESSION, PHOTOMETRIC, REFERENCE_BLACK_WHITE, YCBCR_COEFFICIENTS, YCBCR_SUBSAMPLING)
"""The fields that :func:`find_conversion` needs."""
_YCBCR = 6
"""The value of PhotometricInterpretation for YCbCr."""
_JPEGS = (6, 7)
"""The values of Compression for JPEG, old and new."""
_BITS = 8
_BT_601 = (0.299, 0.587, 0.114)
_FULL_RANGE = (0, 255, 128, 255, 128, 255)
"""The defaults of YCbCrCoefficients, and of ReferenceBlackWhite for YCbCr of a full range."""
_MOST, _MOST_CHROMA = 255, 127


@dataclass(frozen=True, slots=True)
class Conversion:
    """The values that convert a TIFF's YCbCr samples to RGB."""

    luma: tuple[float, float, float]
    """The shares of red, green and blue in luma."""
    references: tuple[float, ...]
    """Black and white of luma and of both chroma samples."""

    def apply(self, image: Any) -> Any:
        """Return the image in RGB. libtiff allows no other samples beside YCbCr."""
        blacks, whites = self.references[::2], self.references[1::2]
        ranges = [white - black or 1 for black, white in zip(blacks, whites, strict=True)]
        scales = [
            most / range_ for most, range_ in zip((_MOST, _MOST_CHROMA, _MOST_CHROMA), ranges, strict=True)
        ]
        offsets = [-black * scale for black, scale in zip(blacks, scales, strict=True)]
        red, green, blue = self.luma
        of_blue, of_red = 2 - 2 * blue, 2 - 2 * red
        matrix = [[1, 0, of_red], [1, -blue * of_blue / green, -red * of_red / green], [1, of_blue, 0]]
        return image.linear(scales, offsets).recomb(matrix).rint().cast("uchar").copy(interpretation="srgb")


def find_conversion(fields: Mapping[int, Field]) -> Conversion | None:
    """Return how YCbCr of a page becomes RGB.

    The result is None if libvips converts it, or if the page isn't YCbCr.

    Raises:
        Undecodable: The samples don't have 8 bits.

    """
    found = {tag: field.first for tag, field in fields.items()}
    # Without the field, chroma has half of the samples in both directions.
    subsampling = tuple(fields[YCBCR_SUBSAMPLING].values) if YCBCR_SUBSAMPLING in fields else (2, 2)
    is_ours = found.get(PHOTOMETRIC) == _YCBCR and found.get(COMPRESSION) not in _JPEGS
    if not is_ours or subsampling != (1, 1):
        return None
    if found.get(BITS) != _BITS:
        raise Undecodable("YCbCr in a TIFF is supported only with 8 bits", "Save the picture as RGB")
    luma = _rationals(fields.get(YCBCR_COEFFICIENTS)) or _BT_601
    references = _rationals(fields.get(REFERENCE_BLACK_WHITE)) or _FULL_RANGE
    is_usable = len(luma) == len(_BT_601) and luma[1] > 0
    return Conversion(
        luma=(luma[0], luma[1], luma[2]) if is_usable else _BT_601,
        references=tuple(references) if len(references) == len(_FULL_RANGE) else _FULL_RANGE,
    )


def _rationals(field: Field | None) -> Sequence[float]:
    """Return the numbers of a field; empty if one of them is impossible."""
    values = field.values if field else ()
    if not values or len(values) % 2 or 0 in values[1::2]:
        return ()
    return [above / below for above, below in zip(values[::2], values[1::2], strict=True)]
