"""Previews of about 30 bytes, to show while a picture loads.

ThumbHash is by Evan Wallace (https://evanw.github.io/thumbhash/), BlurHash is by Wolt (https://blurha.sh,
its ``Algorithm.md``). Both keep the lowest frequencies of a small picture, with a few bits for each.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from renditions.imaging.analysis.cosines import sum_cosines

BASE83 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~"
_NOTHING = 1e-9
"""The largest rounding error of frequencies that should be zero."""
_LONG, _SHORT = 4, 3
"""BlurHash's numbers of frequencies along the longer and the shorter side, as its authors recommend."""


@dataclass(frozen=True, slots=True)
class SmallPicture:
    """A picture of at most 100 pixels on a side."""

    width: int
    height: int
    rgba: bytes
    """Red, green, blue and alpha of each pixel, row by row, not premultiplied."""

    def bands(self) -> list[bytes]:
        """Return the values of each band."""
        return [self.rgba[band::4] for band in range(4)]


@dataclass(frozen=True, slots=True)
class _Channel:
    """One of ThumbHash's channels: its mean, its other frequencies, and their scale.

    The other frequencies are from -1 to 1.
    """

    mean: float
    others: tuple[float, ...]
    scale: float


def make_thumbhash(picture: SmallPicture) -> str:
    """Return the picture's ThumbHash in Base64."""
    lightness, yellow_blue, red_green, alphas = _split(picture)
    has_alpha = sum(alphas) < len(alphas)
    most, longer = 5 if has_alpha else 7, max(picture.width, picture.height)
    across = max(1, _round(most * picture.width / longer))
    down = max(1, _round(most * picture.height / longer))
    light = _measure(lightness, picture.width, max(3, across), max(3, down))
    first = _measure(yellow_blue, picture.width, 3, 3)
    second = _measure(red_green, picture.width, 3, 3)
    is_wide = picture.width > picture.height
    head = (
        _round(63 * light.mean)
        | _round(31.5 + 31.5 * first.mean) << 6
        | _round(31.5 + 31.5 * second.mean) << 12
        | _round(31 * light.scale) << 18
        | has_alpha << 23
        | (down if is_wide else across) << 24
        | _round(63 * first.scale) << 27
        | _round(63 * second.scale) << 33
        | is_wide << 39
    )
    told = head.to_bytes(5, "little")
    channels = [light, first, second]
    if has_alpha:
        alpha = _measure(alphas, picture.width, 5, 5)
        told += bytes([_round(15 * alpha.mean) | _round(15 * alpha.scale) << 4])
        channels.append(alpha)
    nibbles = [_round(7.5 + 7.5 * value) for channel in channels for value in channel.others]
    nibbles += [0] * (len(nibbles) % 2)
    told += bytes(low | high << 4 for low, high in zip(nibbles[::2], nibbles[1::2], strict=True))
    return base64.b64encode(told).decode()


def _split(picture: SmallPicture) -> list[list[float]]:
    """Return four lists: each pixel's lightness, yellow-blue, red-green and alpha.

    Lightness and alpha are from 0 to 1. Yellow-blue is from -1 (blue) to 1 (yellow), and red-green from -1
    (green) to 1 (red). Transparent parts get the average colour.
    """
    *bands, alphas = ([value / 255 for value in band] for band in picture.bands())
    total = sum(alphas)
    seen = []
    for band in bands:
        weighted = [value * alpha for value, alpha in zip(band, alphas, strict=True)]
        mean = sum(weighted) / total if total else 0
        seen.append([value + mean * (1 - alpha) for value, alpha in zip(weighted, alphas, strict=True)])
    pixels = list(zip(*seen, strict=True))
    return [
        [(red + green + blue) / 3 for red, green, blue in pixels],
        [(red + green) / 2 - blue for red, green, blue in pixels],
        [red - green for red, green, _ in pixels],
        alphas,
    ]


def _measure(values: Sequence[float], width: int, across: int, down: int) -> _Channel:
    """Return a channel's frequencies in the upper left half of a table, row by row.

    The table has ``across`` columns and ``down`` rows. The lowest frequency is at its upper left.
    """
    sums = sum_cosines(values, width, max(across, down))
    kept = [
        sums[v][u] / len(values) for v in range(down) for u in range(across) if u * down < across * (down - v)
    ]
    mean, *others = kept
    scale = max(map(abs, others))
    if scale < _NOTHING:
        return _Channel(mean, (0,) * len(others), 0)
    return _Channel(mean, tuple(round(value / scale, 9) for value in others), scale)


def _round(value: float) -> int:
    """Return the nearest whole number; halves are rounded up."""
    return math.floor(value + 0.5)


def make_blurhash(picture: SmallPicture) -> str:
    """Return the BlurHash of an opaque picture; alpha is ignored."""
    is_tall = picture.height > picture.width
    across, down = (_SHORT, _LONG) if is_tall else (_LONG, _SHORT)
    bands = [
        sum_cosines([_LINEAR[value] for value in band], picture.width, _LONG, phase=0)
        for band in picture.bands()[:3]
    ]
    pixels = picture.width * picture.height
    factors = [
        [band[v][u] * (2 if u or v else 1) / pixels for band in bands]
        for v in range(down)
        for u in range(across)
    ]
    mean, *others = factors
    largest = max(map(abs, chain.from_iterable(others)))
    step = max(0, min(82, math.floor(largest * 166 - 0.5)))
    colour = 0
    for value in mean:
        colour = colour << 8 | to_srgb(value)
    parts = [_base83((across - 1) + (down - 1) * 9, 1), _base83(step, 1), _base83(colour, 4)]
    for factor in others:
        packed = 0
        for value in factor:
            packed = packed * 19 + _quantise(value * 166 / (step + 1))
        parts.append(_base83(packed, 2))
    return "".join(parts)


def to_light(value: int) -> float:
    """Return the linear light of an sRGB value (IEC 61966-2-1), 0 to 1."""
    share = value / 255
    return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4


_LINEAR = [to_light(value) for value in range(256)]


def to_srgb(light: float) -> int:
    """Return the sRGB value of linear light (IEC 61966-2-1), 0 to 255."""
    light = max(0.0, min(1.0, light))
    share = light * 12.92 if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055
    return _round(share * 255)


def _quantise(value: float) -> int:
    """Return the number, 0 to 18, of the step nearest to a value from -1 to 1.

    Steps are closer together around 0.
    """
    return max(0, min(18, math.floor(math.copysign(math.sqrt(abs(value)), value) * 9 + 9.5)))


def _base83(number: int, digits: int) -> str:
    return "".join(BASE83[number // 83**place % 83] for place in reversed(range(digits)))
