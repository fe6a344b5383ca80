"""Convert the colours of images with a :class:`ColourCode` to sRGB.

In pictures in HDR (ITU-R BT.2100: PQ and HLG), the reference white of ITU-R BT.2408, 203 cd/m², becomes
white. If a picture has brighter parts, its brightest value becomes white instead: the EETF of ITU-R BT.2390
compresses the highlights, and darker values keep their tone. The largest of red, green and blue sets the
factor for all three, so that hues don't change.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, get_args

from renditions.imaging.colour_code import ColourCode, Curve, luminance, to_srgb
from renditions.imaging.vips import GValue, Image

_CODE = "declared-colours"
"""The name of the libvips field with an image's colour code.

Its values: primaries, curve, power, the brightest value, and the two numbers of CICP, or zeros.
"""
_CURVES = get_args(Curve)
_WHITE = 203.0
"""The reference white in cd/m² (BT.2408, table 1)."""
_PQ_PEAK = 10_000.0
_HLG_PEAK = 1000.0
"""The nominal peak of an HLG display in cd/m². With this peak, the system gamma is 1.2 (BT.2100, table 5)."""
_HLG_GAMMA = 1.2
_M1, _M2 = 2610 / 16_384, 2523 / 4096 * 128
_C1, _C2, _C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
"""The constants of PQ in BT.2100, table 4."""
_STEPS, _RATIO_STEPS = 65_536, 4096
"""The number of entries in a table for 16-bit values, and in a table of ratios."""
_GREYS = ("b-w", "grey16")


def declare(image: Any, code: ColourCode | None, load_again: Callable[[], Any]) -> Any:
    """Return the image with its colour code.

    Without a code, and with a code that means sRGB, return the image unchanged. ``load_again`` returns the
    image for another pass over its pixels, which finds the brightest value of HDR.
    """
    if code is None or code.is_srgb:
        return image
    peak = 1.0
    if code.is_hdr:
        measured = load_again()
        peak = measured.extract_band(0, n=_count_colours(measured)).max() / _most(measured)
    image = image.copy()
    values = [*code.primaries, float(_CURVES.index(code.curve)), code.power, peak, *(code.cicp or (0, 0))]
    image.set_type(GValue.array_double_type, _CODE, values)
    return image


def is_declared(image: Any) -> bool:
    """Return whether the image has a colour code."""
    return bool(image.get_typeof(_CODE))


def cicp_of(image: Any) -> tuple[int, int] | None:
    """Return CICP's numbers for the image's primaries and curve; None without them."""
    if not is_declared(image):
        return None
    primaries, transfer = (int(number) for number in image.get(_CODE)[-2:])
    return (primaries, transfer) if primaries else None


def undeclared(image: Any) -> Any:
    """Return the image without its colour code."""
    if not is_declared(image):
        return image
    image = image.copy()
    image.remove(_CODE)
    return image


def follow(image: Any) -> Any:
    """Convert an image with a colour code to 8-bit sRGB or grey; keep its alpha."""
    *primaries, curve, power, peak, _, _ = image.get(_CODE)
    code = ColourCode(tuple(primaries), _CURVES[int(curve)], power)
    count = _count_colours(image)
    is_grey = count == 1
    colours = image.extract_band(0, n=count)
    light = colours.maplut(_table(code.curve, power, image.format))
    if is_grey:
        light = light.bandjoin([light, light])
    if code.curve == "hlg":
        # BT.2100, table 5: the OOTF for a display of 1,000 cd/m².
        bright = light.recomb([list(luminance(code.primaries))]) ** (_HLG_GAMMA - 1)
        light = light * bright * (_HLG_PEAK / _WHITE)
    light = light.recomb([list(row) for row in to_srgb(code.primaries)])
    if code.is_hdr:
        light = _compressed(light, _brightest(code, peak))
    shown = light.copy(interpretation="scrgb").colourspace("srgb")
    shown = shown[0].copy(interpretation="b-w") if is_grey else shown
    if image.bands > count:
        shown = shown.bandjoin((image[count] * (255 / _most(image))).rint().cast("uchar"))
    return undeclared(shown)


def _count_colours(image: Any) -> int:
    return 1 if image.interpretation in _GREYS else 3


def _most(image: Any) -> int:
    return 255 if image.format == "uchar" else 65_535


def _compressed(light: Any, brightest: float) -> Any:
    """Compress light from at most ``brightest`` to at most 1, which is white."""
    if brightest <= 1:
        return light
    largest = light[0].maxpair(light[1]).maxpair(light[2])
    # The fourth root spreads the dark values over the table.
    steps = (largest.maxpair(largest * 0) / (_PQ_PEAK / _WHITE)) ** 0.25 * (_RATIO_STEPS - 1)
    return light * steps.rint().cast("ushort").maplut(_ratios(brightest))


@lru_cache(maxsize=16)
def _ratios(brightest: float) -> Any:
    """Return the factors that compress light, as a table.

    The table has one factor for each step of the largest of red, green and blue.
    """
    last = _RATIO_STEPS - 1
    lights = ((step / last) ** 4 * _PQ_PEAK / _WHITE for step in range(_RATIO_STEPS))
    return _to_table(eetf(light, brightest) / light if light else 1.0 for light in lights)


def eetf(light: float, brightest: float) -> float:
    """Return light after the EETF of BT.2390, with 1 as white.

    Light of ``brightest`` becomes white.
    """
    top = pq_of(brightest * _WHITE)
    value, most = min(pq_of(light * _WHITE) / top, 1), pq_of(_WHITE) / top
    knee = 1.5 * most - 0.5
    if value > knee:
        at = (value - knee) / (1 - knee)
        value = (
            (2 * at**3 - 3 * at**2 + 1) * knee
            + (at**3 - 2 * at**2 + at) * (1 - knee)
            + (-2 * at**3 + 3 * at**2) * most
        )
    return light_of_pq(value * top) / _WHITE


def _brightest(code: ColourCode, peak: float) -> float:
    """Return the light of the picture's brightest value, ``peak``; 1 is white."""
    if code.curve == "pq":
        return light_of_pq(peak) / _WHITE
    return float(_light_of_hlg(peak) ** _HLG_GAMMA) * _HLG_PEAK / _WHITE


@lru_cache(maxsize=16)
def _table(curve: str, power: float, kind: str) -> Any:
    """Return the light of each value that pixels of this type can have."""
    count = 256 if kind == "uchar" else _STEPS
    to_light: dict[str, Callable[[float], float]] = {
        "srgb": _light_of_srgb,
        "power": lambda value: value**power,
        "pq": lambda value: light_of_pq(value) / _WHITE,
        "hlg": _light_of_hlg,
        "smpte240": _light_of_smpte_240,
        # SMPTE ST 428-1: the light of 52.37 cd/m², with white at 48 cd/m².
        "cinema": lambda value: 52.37 / 48 * value**2.6,
    }
    return _to_table(to_light[curve](value / (count - 1)) for value in range(count))


def _to_table(values: Iterable[float]) -> Any:
    numbers = array("f", values)
    return Image.new_from_memory(numbers.tobytes(), len(numbers), 1, 1, "float")


def _light_of_srgb(value: float) -> float:
    """Return the light of a value (IEC 61966-2-1)."""
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)


def _light_of_smpte_240(value: float) -> float:
    """Return the light of a value (SMPTE 240M)."""
    return value / 4 if value < 0.0913 else float(((value + 0.1115) / 1.1115) ** (1 / 0.45))


def light_of_pq(value: float) -> float:
    """Return the light of a PQ value, in cd/m² (BT.2100, table 4)."""
    root = value ** (1 / _M2)
    return _PQ_PEAK * float((max(root - _C1, 0) / (_C2 - _C3 * root)) ** (1 / _M1))


def pq_of(light: float) -> float:
    """Return the PQ value of light in cd/m² (BT.2100, table 4)."""
    root = (light / _PQ_PEAK) ** _M1
    return float(((_C1 + _C2 * root) / (1 + _C3 * root)) ** _M2)


def _light_of_hlg(value: float) -> float:
    """Return the light of the scene, 0 to 1 (BT.2100, table 5)."""
    if value <= 0.5:
        return value**2 / 3
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return (math.exp((value - c) / a) + b) / 12
