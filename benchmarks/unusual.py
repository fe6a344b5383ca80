"""Unusual and damaged files, with the result that each must give.

These are files of the tests, files that the tests make, and files that are damaged here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from imaging.test_cases import CASES, MADE, REJECTED, Colour, Point, Right
from imaging.test_declared_colours import COLOURS, SIDE, avif, coded, gamma, heic, png
from imaging.test_other_encoders import CHART, OTHERS

_NO_PICTURES = (
    "animated.png", "cjk.jpg", "download.jfif", "line.png", "rich.jpg", "scan_a4_300dpi.tif", "README.md",
)  # fmt: skip
"""Files that are unusual in their frames, metadata, names, limits or paper, not in their picture."""
_SMALL_WIDTHS = {"lossless_sof3.jpg": 80, "liblj92_lossless.jpg": 16}
_QUARTERS = ((16, 12), (48, 12), (16, 36), (48, 36))
_SHOWN = Right((64, 48), dict(zip(_QUARTERS, CHART, strict=True)))
_GREENS: dict[Point, Colour] = {at: (colour[1],) * 3 for at, colour in _SHOWN.colours.items()}
_OTHERS: dict[str, tuple[str, Right | None]] = {
    "ffmpeg_pq.avif": ("PQ declared in an `nclx` box, in a limited range", _SHOWN),
    "ffmpeg_p3.avif": ("Display P3 declared in an `nclx` box", _SHOWN),
    "ffmpeg_linear.png": ("linear BT.2020 declared in `cICP`", _SHOWN),
    "tifffile_half.tif": ("samples of half precision", _SHOWN),
    "tifffile_signed.tif": ("signed samples", _SHOWN),
    "tifffile_32_bits.tif": ("samples of 32 bits", _SHOWN),
    "tifffile_complex.tif": ("complex samples", None),
    "tifffile_preview_first.tif": ("a preview before the picture", _SHOWN),
    "tifffile_pyramid.tif": ("a smaller picture in a SubIFD", _SHOWN),
    "tifffile_raw.tif": ("a sensor's data under another suffix", None),
    "tifffile_wide_pixels.tif": (
        "pixels that aren't square",
        Right((128, 96), {(2 * x, 2 * y): colour for (x, y), colour in _SHOWN.colours.items()}),
    ),
    "gifsicle_offset.gif": (
        "a frame that doesn't cover the canvas",
        Right((40, 30), {(2, 2): (0, 0, 0, 0), (38, 28): (0, 0, 0, 0)}),
    ),
    "liblj92_lossless.jpg": ("a lossless JPEG, grey", replace(_SHOWN, colours=_GREENS)),
    "ffmpeg_lossless.jpg": ("a lossless JPEG of nine bits", _SHOWN),
    "cjpeg_97_scans.jpg": ("97 scans", _SHOWN),
}
_DRAWN = Right(
    (SIDE * len(COLOURS), SIDE),
    {(SIDE * at + SIDE // 2, SIDE // 2): tuple(map(int, each)) for at, each in enumerate(COLOURS)},
)
_MADE: dict[str, tuple[str, Callable[[], bytes]]] = {
    "gamma_1.png": ("linear light declared in `gAMA`", lambda: png(coded("linear"), gamma(100_000))),
    "hlg.avif": ("HLG declared in an `nclx` box", lambda: avif(coded("hlg"), 9, 18, 10)),
    "pq.heic": ("PQ declared in an `nclx` box", lambda: heic(coded("pq"), 9, 16)),
}
"""Files that the tests make. They have six colours."""
_SPOILED: tuple[tuple[Path, str, Callable[[bytes], bytes], Right | None], ...] = (
    (OTHERS / "cjpeg_progressive.jpg", "stray bytes after its last scan", lambda it: _insert(it, -2), _SHOWN),
    (OTHERS / "cjpeg.jpg", "cut off in its last rows", lambda it: it[:-20], None),
    (OTHERS / "cjpeg_progressive.jpg", "cut off in its last scan", lambda it: it[:-20], None),
    (OTHERS / "chart.png", "a wrong byte in its pixels", lambda it: _change(it, b"IDAT"), None),
    (CASES / "no_trailer.gif", "cut off in its last frame", lambda it: it[:-9], None),
)


@dataclass(frozen=True, slots=True)
class Sample:
    """One unusual file, and the result that it must give."""

    name: str
    what: str
    """What is unusual about the file."""
    content: bytes
    right: Right | None
    """The picture that it must give; None if it must be refused."""
    width: int = 0
    """The width that programs must make, in pixels; 0 for the file's own."""
    check: Callable[[Image.Image], str] | None = None
    """Returns what else is wrong with a picture; an empty text if nothing is."""


def samples() -> Iterator[Sample]:
    """Yield the files of the cases, then those of the other groups.

    The cases come in the order of the table in their README.md, without those in ``_NO_PICTURES``.
    """
    table = (CASES / "README.md").read_text("utf-8")
    for name, what in re.findall(r"^\| `(.+?)` \| (.+?) \|$", table, re.MULTILINE):
        if name not in _NO_PICTURES:
            said = re.sub(r" \(`test_\w+\.py`\)", "", what)
            yield _sample(CASES / name, said, None if name in REJECTED else MADE[name])
    for name, (what, right) in _OTHERS.items():
        yield _sample(OTHERS / name, what, right)
    for name, (what, make) in _MADE.items():
        yield Sample(name, what, make(), _DRAWN)
    for path, what, spoil, right in _SPOILED:
        yield Sample(path.name, what, spoil(path.read_bytes()), right)


def _sample(path: Path, what: str, right: Right | None) -> Sample:
    width = _SMALL_WIDTHS.get(path.name, 0)
    if right and width:
        what += f", {width} pixels wide"
        right = _reduced(right, width)
    return Sample(path.name, what, path.read_bytes(), right, width, _CHECKS.get(path.name))


def _reduced(right: Right, width: int) -> Right:
    scale = width / right.size[0]
    colours = {(int(x * scale), int(y * scale)): colour for (x, y), colour in right.colours.items()}
    return replace(right, size=(width, round(right.size[1] * scale)), colours=colours)


def _insert(content: bytes, at: int) -> bytes:
    return content[:at] + bytes(range(1, 25)) + content[at:]


def _change(content: bytes, after: bytes) -> bytes:
    at = content.index(after) + 20
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def _find_letters(picture: Image.Image) -> str:
    # An empty box in place of a letter has two strokes in each of its inner rows. Letters have other numbers.
    dark = np.asarray(picture.convert("L")) < 128
    strokes = {int(np.diff(row.astype(int)).clip(0).sum()) for row in dark}
    return "" if len(strokes) > 4 else "no letters"


def _find_label(picture: Image.Image) -> str:
    middle = np.asarray(picture.convert("L"))[25:55, 60:140]
    return "" if middle.min() < 128 else "no label"


_CHECKS = {"svg_text.svg": _find_letters, "mermaid.svg": _find_label}
