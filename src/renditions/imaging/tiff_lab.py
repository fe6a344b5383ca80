"""Convert a TIFF's L*a*b* to sRGB.

The sources are TIFF 6.0 (section 23) and its supplement for ICC L*a*b*. libvips can't read samples of 8 bits,
and takes the white of L*a*b* for that of sRGB. But it is D50, as in profiles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

CIE_LAB, ICC_LAB = 8, 9
"""Values of PhotometricInterpretation."""
_D50 = (96.4212, 100.0, 82.5188)
_TO_D65 = [
    [0.9555766, -0.0230393, 0.0631636],
    [-0.0282895, 1.0099416, 0.0210077],
    [0.0122982, -0.0204830, 1.3299098],
]
"""Bradford's adaptation of XYZ from the white D50 to D65, the white of sRGB (ICC.1, annex E)."""
_MOST, _MOST_LIGHTNESS = 255, 100
_HALF = 128


@dataclass(frozen=True, slots=True)
class Lab:
    """How the samples of L*a*b* are stored."""

    is_whole: bool
    """Whether the samples have 8 bits. The image then has the samples as they are in the file."""
    is_signed: bool = True
    """Whether a* and b* have a sign; otherwise 128 is 0."""

    def apply(self, image: Any) -> Any:
        """Return the image in sRGB, with further samples unchanged."""
        colours = image[:3]
        if self.is_whole:
            chroma = image[1:3] ^ _HALF if self.is_signed else image[1:3]
            lightness = image[0] * (_MOST_LIGHTNESS / _MOST)
            colours = lightness.bandjoin(chroma - _HALF).copy(interpretation="lab")
        adapted = colours.colourspace("lab").Lab2XYZ(temp=_D50).recomb(_TO_D65)
        seen = adapted.copy(interpretation="xyz").colourspace("srgb").cast("uchar")
        if image.bands == len(_D50):
            return seen
        others = image[3:] if self.is_whole else (image[3:] >> 8) & _MOST
        return seen.bandjoin(others.cast("uchar"))


def find_lab(colours: int | None, bits: int | None, samples: int) -> Lab | None:
    """Return how L*a*b* is stored.

    Return None for other colours, and for L*a*b* that this module can't convert.
    """
    if samples < 3 or colours not in (CIE_LAB, ICC_LAB):
        return None
    if bits == 8:
        return Lab(is_whole=True, is_signed=colours == CIE_LAB)
    return Lab(is_whole=False) if bits == 16 and colours == CIE_LAB else None
