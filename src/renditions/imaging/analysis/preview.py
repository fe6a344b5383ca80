"""A small picture from a placeholder, as a data URI for a web page.

This module decodes what :mod:`renditions.imaging.analysis.placeholder` encodes: ThumbHash by Evan Wallace
(https://evanw.github.io/thumbhash/), BlurHash by Wolt (https://blurha.sh, its ``Algorithm.md``). It needs no
imaging library, because the main process, which has the catalog, doesn't load one.
"""

from __future__ import annotations

import base64
import binascii
import math
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from renditions.imaging.analysis.placeholder import BASE83, to_light, to_srgb

_SIDE = 16
"""The longer side in pixels: a little more than twice the number of a ThumbHash's frequencies, 7."""
_Field = list[list[float]]
"""The values of one channel, row by row."""


@dataclass(frozen=True, slots=True)
class Preview:
    """The small picture that a placeholder describes."""

    data_uri: str
    """A PNG of at most 16 pixels on a side."""
    colour: str
    """The average colour as ``#rrggbb``."""
    is_opaque: bool


def read_thumbhash(text: str, width: int, height: int) -> Preview | None:
    """Return the preview of a ThumbHash in Base64; None if it is invalid.

    ``width`` and ``height`` are those of the picture, in any unit.
    """
    try:
        content = base64.b64decode(text, validate=True)
        return _read_thumbhash(content, *_shrink(width, height))
    except (binascii.Error, IndexError, ValueError):
        return None


def _read_thumbhash(content: bytes, width: int, height: int) -> Preview:
    head = int.from_bytes(content[:5], "little")
    if len(content) < 5:
        raise ValueError(f"a ThumbHash has at least five bytes, but this one has {len(content)}")
    has_alpha, is_wide = bool(head >> 23 & 1), bool(head >> 39 & 1)
    most, short = 5 if has_alpha else 7, head >> 24 & 7
    across, down = (most, short) if is_wide else (short, most)
    rest = content[6:] if has_alpha else content[5:]
    nibbles = [part for byte in rest for part in (byte & 15, byte >> 4)]
    taken = 0

    def field(mean: float, scale: float, columns: int, rows: int) -> _Field:
        nonlocal taken
        places = [(v, u) for v in range(rows) for u in range(columns) if u * rows < columns * (rows - v)][1:]
        factors = {(0, 0): mean}
        for place in places:
            factors[place] = 2 * scale * (nibbles[taken] / 7.5 - 1)
            taken += 1
        return _sum(factors, width, height, phase=0.5)

    light = field((head & 63) / 63, (head >> 18 & 31) / 31, max(3, across), max(3, down))
    yellow = field((head >> 6 & 63) / 31.5 - 1, 1.25 * (head >> 27 & 63) / 63, 3, 3)
    red = field((head >> 12 & 63) / 31.5 - 1, 1.25 * (head >> 33 & 63) / 63, 3, 3)
    alpha = field((content[5] & 15) / 15, (content[5] >> 4) / 15, 5, 5) if has_alpha else None
    rows = []
    for y in range(height):
        row = bytearray()
        for x in range(width):
            rgb = _from_lpq(light[y][x], yellow[y][x], red[y][x])
            row += bytes(_to_byte(value) for value in rgb)
            if alpha:
                row.append(_to_byte(alpha[y][x]))
        rows.append(bytes(row))
    mean = _from_lpq((head & 63) / 63, (head >> 6 & 63) / 31.5 - 1, (head >> 12 & 63) / 31.5 - 1)
    return _preview(rows, width, tuple(map(_to_byte, mean)), has_alpha=has_alpha)


def _from_lpq(light: float, yellow: float, red: float) -> tuple[float, float, float]:
    blue = light - 2 / 3 * yellow
    first = (3 * light - blue + red) / 2
    return first, first - red, blue


def read_blurhash(text: str, width: int, height: int) -> Preview | None:
    """Return the preview of a BlurHash; None if it is invalid.

    ``width`` and ``height`` are those of the picture, in any unit.
    """
    try:
        return _read_blurhash(text, *_shrink(width, height))
    except (IndexError, ValueError):
        return None


def _read_blurhash(text: str, width: int, height: int) -> Preview:
    counts, scale, mean = _number(text[0]), (_number(text[1]) + 1) / 166, _number(text[2:6])
    columns, down = counts % 9 + 1, counts // 9 + 1
    if len(text) != (length := 4 + 2 * columns * down):
        raise ValueError(f"the BlurHash must have {length} characters, but it has {len(text)}")
    colour = tuple(mean >> shift & 255 for shift in (16, 8, 0))
    factors = [{(0, 0): to_light(value)} for value in colour]
    for place in range(1, columns * down):
        packed = _number(text[4 + 2 * place : 6 + 2 * place])
        for band, value in enumerate((packed // 361, packed // 19 % 19, packed % 19)):
            part = (value - 9) / 9
            factors[band][divmod(place, columns)] = math.copysign(part * part, part) * scale
    bands = [_sum(each, width, height, phase=0) for each in factors]
    rows = [bytes(to_srgb(band[y][x]) for x in range(width) for band in bands) for y in range(height)]
    return _preview(rows, width, colour, has_alpha=False)


def _number(digits: str) -> int:
    number = 0
    for digit in digits:
        number = number * 83 + BASE83.index(digit)
    return number


def _shrink(width: int, height: int) -> tuple[int, int]:
    longer = max(width, height, 1)
    return max(1, round(_SIDE * width / longer)), max(1, round(_SIDE * height / longer))


def _sum(factors: dict[tuple[int, int], float], width: int, height: int, *, phase: float) -> _Field:
    """Return the sum of cosines at each pixel.

    ``factors`` has the factor of each pair of frequencies: of rows, and of columns.
    """
    down = max(v for v, _ in factors) + 1
    across = max(u for _, u in factors) + 1
    columns, rows = _cosines(width, across, phase), _cosines(height, down, phase)
    lines = [
        [sum(factors.get((v, u), 0.0) * column[u] for u in range(across)) for column in columns]
        for v in range(down)
    ]
    return [[sum(line[x] * row[v] for v, line in enumerate(lines)) for x in range(width)] for row in rows]


@cache
def _cosines(length: int, count: int, phase: float) -> Sequence[Sequence[float]]:
    """Return the cosines at each pixel of a row or column.

    ``result[x][u]`` is cos(π u (x + phase) / length), for ``count`` frequencies u from 0.
    """
    return tuple(
        tuple(math.cos(math.pi / length * (place + phase) * frequency) for frequency in range(count))
        for place in range(length)
    )


def _to_byte(share: float) -> int:
    return round(255 * max(0.0, min(1.0, share)))


def _preview(rows: list[bytes], width: int, colour: tuple[int, ...], *, has_alpha: bool) -> Preview:
    png = _encode_png(rows, width, has_alpha=has_alpha)
    uri = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    return Preview(uri, "#" + bytes(colour).hex(), not has_alpha)


def _encode_png(rows: list[bytes], width: int, *, has_alpha: bool) -> bytes:
    """Return a PNG (ISO/IEC 15948) of 8 bits per sample."""
    header = struct.pack(">IIBBBBB", width, len(rows), 8, 6 if has_alpha else 2, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
    chunks = (_chunk(b"IHDR", header), _chunk(b"IDAT", data), _chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
