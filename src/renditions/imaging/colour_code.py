"""The meaning of colours without an ICC profile.

The declarations are CICP (ITU-T H.273), and PNG's gamma and chromaticities.

This module treats the curves of television (BT.709, BT.601, BT.2020 and the like) as Chromium does: in AVIF
and HEIC as the curve of sRGB, and in PNG as the curve of a screen (BT.1886).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Curve = Literal["srgb", "power", "pq", "hlg", "smpte240", "cinema"]
Matrix = tuple[tuple[float, float, float], ...]
Chromaticities = tuple[float, float, float, float, float, float, float, float]
"""x and y of white, red, green and blue."""

_D65 = (0.3127, 0.3290)
_C = (0.310, 0.316)
_DCI_WHITE = (0.314, 0.351)
BT_709: Chromaticities = (*_D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
_PRIMARIES: dict[int, Chromaticities] = {
    4: (*_C, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08),
    5: (*_D65, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
    6: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    7: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    8: (*_C, 0.681, 0.319, 0.243, 0.692, 0.145, 0.049),
    9: (*_D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    10: (1 / 3, 1 / 3, 1, 0, 0, 1, 0, 0),
    11: (*_DCI_WHITE, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    12: (*_D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    22: (*_D65, 0.630, 0.340, 0.295, 0.605, 0.155, 0.077),
}
"""The primaries of the numbers in H.273, table 2, apart from BT.709's number 1."""
_POWERS = {4: 2.2, 5: 2.8, 8: 1.0}
_CURVES: dict[int, Curve] = {7: "smpte240", 13: "srgb", 16: "pq", 17: "cinema", 18: "hlg"}
_TELEVISION = (1, 6, 11, 14, 15)
"""The numbers in H.273, table 3, of the curves that :func:`of_cicp` treats as television's."""
_BT_709, _SRGB = 1, 13
_SAME = 0.002
"""Chromaticities that differ by less count as the same, because files contain rounded ones."""
_BRADFORD: Matrix = ((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296))


@dataclass(frozen=True, slots=True)
class ColourCode:
    """The primaries and the curve of a picture's values."""

    primaries: Chromaticities = BT_709
    curve: Curve = "srgb"
    power: float = 1.0
    """The exponent of the curve ``power``, which turns values into light."""
    cicp: tuple[int, int] | None = None
    """The H.273 numbers of the primaries and the curve.

    None if other formats can't declare this code by numbers.
    """

    @property
    def is_hdr(self) -> bool:
        """Return whether values of this code can be brighter than white."""
        return self.curve in ("pq", "hlg")

    @property
    def can_be_kept(self) -> bool:
        """Return whether other formats can declare the same colours.

        The result is false for a code that means sRGB.
        """
        return self.cicp is not None and not self.is_srgb

    @property
    def is_srgb(self) -> bool:
        """Return whether the code means the same colours as sRGB."""
        return self.curve == "srgb" and is_same(self.primaries, BT_709)


def of_cicp(primaries: int, transfer: int, *, television_power: float | None = None) -> ColourCode:
    """Return the code for these numbers of H.273.

    Unspecified numbers, and numbers that this module doesn't support, mean sRGB.

    ``television_power`` is the exponent of television's curves. Without this exponent, these curves count as
    the curve of sRGB. With the exponent, the code of such a curve has no ``cicp``, because other formats
    would read the same numbers as another curve.
    """
    primaries = primaries if primaries in _PRIMARIES else _BT_709
    found = _PRIMARIES.get(primaries, BT_709)
    if transfer in _TELEVISION and television_power is not None:
        return ColourCode(found, "power", television_power)
    if transfer in _POWERS:
        return ColourCode(found, "power", _POWERS[transfer], (primaries, transfer))
    transfer = transfer if transfer in _CURVES else _SRGB
    return ColourCode(found, _CURVES[transfer], cicp=(primaries, transfer))


def is_same(one: Chromaticities, other: Chromaticities) -> bool:
    """Return whether the chromaticities are the same, apart from rounding."""
    return all(abs(mine - yours) < _SAME for mine, yours in zip(one, other, strict=True))


def is_possible(primaries: Chromaticities) -> bool:
    """Return whether light can be converted from these primaries.

    The primaries must be between 0 and 1 and span a triangle, and white must have a luminance.
    """
    if not (all(0 <= value <= 1 for value in primaries) and primaries[1]):
        return False
    try:
        to_srgb(primaries)
    except ZeroDivisionError:
        return False
    return True


def to_srgb(primaries: Chromaticities) -> Matrix:
    """Return the matrix from light in these primaries to light in sRGB's primaries.

    White stays white.

    Raises:
        ZeroDivisionError: The primaries span no triangle, or white is impossible.

    """
    return _product(_inverted(_to_xyz(BT_709)), _product(_adapted(primaries), _to_xyz(primaries)))


def luminance(primaries: Chromaticities) -> tuple[float, ...]:
    """Return the shares of red, green and blue in the luminance.

    Raises:
        ZeroDivisionError: The primaries span no triangle.

    """
    return _to_xyz(primaries)[1]


def _to_xyz(primaries: Chromaticities) -> Matrix:
    """Return the matrix from light in these primaries to CIE XYZ (SMPTE RP 177)."""
    white, red, green, blue = (_xyz(*primaries[at : at + 2]) for at in (0, 2, 4, 6))
    columns = _transposed((red, green, blue))
    shares = _applied(_inverted(columns), white)
    return tuple((row[0] * shares[0], row[1] * shares[1], row[2] * shares[2]) for row in columns)


def _adapted(primaries: Chromaticities) -> Matrix:
    """Return the matrix that moves XYZ from the primaries' white to D65 (Bradford)."""
    ours, theirs = (_applied(_BRADFORD, _xyz(*white)) for white in (_D65, primaries[:2]))
    scaled = tuple(
        (row[0] * our / their, row[1] * our / their, row[2] * our / their)
        for row, our, their in zip(_BRADFORD, ours, theirs, strict=True)
    )
    return _product(_inverted(_BRADFORD), scaled)


def _xyz(x: float, y: float) -> tuple[float, float, float]:
    """Return the chromaticity as XYZ with a luminance of 1.

    If ``y`` is 0, the result has a sum of 1 instead.
    """
    scale = y or 1
    return x / scale, y / scale, (1 - x - y) / scale


def _transposed(matrix: Matrix) -> Matrix:
    return tuple((matrix[0][at], matrix[1][at], matrix[2][at]) for at in range(3))


def _applied(matrix: Matrix, vector: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix)


def _product(left: Matrix, right: Matrix) -> Matrix:
    return _transposed(tuple(_three(_applied(left, column)) for column in _transposed(right)))


def _three(values: tuple[float, ...]) -> tuple[float, float, float]:
    return values[0], values[1], values[2]


def _inverted(matrix: Matrix) -> Matrix:
    """Return the inverse; raise ``ZeroDivisionError`` if there is none."""
    (a, b, c), (d, e, f), (g, h, i) = matrix
    determinant = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    rows = (
        (e * i - f * h, c * h - b * i, b * f - c * e),
        (f * g - d * i, a * i - c * g, c * d - a * f),
        (d * h - e * g, b * g - a * h, a * e - b * d),
    )
    return tuple((row[0] / determinant, row[1] / determinant, row[2] / determinant) for row in rows)
