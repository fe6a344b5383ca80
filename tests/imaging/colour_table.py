"""Write the table of ``docs/colour.md``: ``make colours``.

Each row is a file that shows six colours. They are compared with what Chromium draws, or in HDR with the true
colours, since Chromium darkens HDR.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.report import replace_section
from PIL import Image

from imaging.drawn import Drawn
from imaging.encoders import by_avifenc
from imaging.pictures import encoded, shown
from imaging.test_colour import SRGB, WIDE_GAMUT, matrix_profile
from imaging.test_declared_colours import (
    COLOURS,
    P3_CHROMATICITIES,
    SIDE,
    SPACES,
    SRGB_CHROMATICITIES,
    TO_P3,
    cicp,
    coded,
    found,
    gamma,
    heic,
    light,
    png,
    squares,
)
from imaging.tiffs import tiff
from renditions.model.recipe import Rendition
from web.browser import open_browser

PAGE = Path(__file__).parents[2] / "docs" / "colour.md"
POINTS = [(SIDE // 2 + SIDE * number, SIDE // 2) for number in range(len(COLOURS))]
TOLERANCE = 4
HDR = ("pq", "pq in p3", "hlg")
_LEAST_LINEAR = 48
"""The darkest sRGB value that is compared in files of linear light.

In 8 bits, Chromium draws darker ones only roughly.
"""
_NAMES = {
    "p3": "Display P3",
    "rec2020": "Rec. 2020",
    "rec2020 with sRGB's curve": "Rec. 2020, curve of sRGB",
    "linear": "linear sRGB",
    "gamma 2.2": "gamma 2.2",
    "television": "Rec. 709",
    "pq": "PQ, Rec. 2020",
    "pq in p3": "PQ, P3",
    "hlg": "HLG, Rec. 2020",
}
_LINEAR_PROFILE = matrix_profile(
    (0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7139), 1.0
)
"""The primaries of sRGB, adapted to D50, with a gamma of 1."""
_REC_2020_PROFILE = matrix_profile(
    (0.6735, 0.2790, -0.0019), (0.1657, 0.6754, 0.0300), (0.1251, 0.0456, 0.7969), 2.4
)
_PNG = Rendition(format="png")


@dataclass(frozen=True)
class Case:
    """A file, and its twin: a file with the same colours that Chromium can draw.

    Most files are their own twin.
    """

    colours: str
    carrier: str
    content: bytes
    twin: bytes
    twin_type: str
    twin_name: str
    is_hdr: bool = False
    is_linear: bool = False


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Each array of colours has the shape (6, 3): red, green and blue of the six colours.
    """

    case: Case
    ours: Any
    chromium: Any

    @property
    def reference(self) -> Any:
        return COLOURS if self.case.is_hdr else self.chromium

    @property
    def difference(self) -> int:
        off = np.abs(self.ours - self.reference)
        return int((off[COLOURS >= _LEAST_LINEAR] if self.case.is_linear else off).max())

    def cells(self) -> tuple[str, ...]:
        source = "BT.2408: 203 cd/m² is white" if self.case.is_hdr else f"Chromium, {self.case.twin_name}"
        first = (_written(values[0]) for values in (self.reference, self.ours))
        drawn = _written(self.chromium[0])
        return (self.case.colours, self.case.carrier, source, *first, f"{self.difference}", drawn)


def _written(colour: Any) -> str:
    return ", ".join(f"{value:.0f}" for value in colour)


def cases() -> Iterator[Case]:
    """Yield the files that can be compared."""
    for space, name in _NAMES.items():
        primaries, transfer, *_ = SPACES[space]
        marks: Any = {"is_hdr": space in HDR, "is_linear": space == "linear"}
        deep = by_avifenc(png(coded(space)), cicp=f"{primaries}/{transfer}/6", options=("--depth", "10"))
        avif = (deep, "image/avif")
        yield Case(name, "AVIF, `nclx`", deep, *avif, "the file", **marks)
        bare = deep.replace(b"colrnclx", b"freenclx")
        yield Case(name, "AVIF, the bitstream alone", bare, bare, "image/avif", "the file", **marks)
        yield Case(name, "HEIC, `nclx`", heic(coded(space), primaries, transfer), *avif, "AVIF", **marks)
        declared = png(coded(space, "png"), cicp(primaries, transfer))
        yield Case(name, "PNG, `cICP`", declared, declared, "image/png", "the file", **marks)
    yield from _gammas()
    yield from _profiles()
    yield from _samples()


def _gammas() -> Iterator[Case]:
    plain = squares(COLOURS / 255)
    for name, value in (("gamma 1.0", 100_000), ("gamma 1.8", 55_556), ("gamma 2.2", 45_455)):
        content = png(plain, gamma(value))
        yield Case(name, "PNG, `gAMA`", content, content, "image/png", "the file")
    content = png(plain, gamma(45_455), SRGB_CHROMATICITIES)
    yield Case("gamma 2.2", "PNG, `gAMA` and `cHRM`", content, content, "image/png", "the file")
    p3 = np.maximum(light(COLOURS) @ TO_P3.T, 0)
    content = png(squares(p3), gamma(100_000), P3_CHROMATICITIES)
    name = "linear Display P3"
    yield Case(name, "PNG, `gAMA` and `cHRM`", content, content, "image/png", "the file", is_linear=True)


def _profiles() -> Iterator[Case]:
    values = Image.fromarray(np.rint(squares(COLOURS)).astype("u1"))
    for name, profile in (
        ("sRGB", SRGB),
        ("Adobe RGB", WIDE_GAMUT),
        ("Rec. 2020, gamma 2.4", _REC_2020_PROFILE),
        ("linear sRGB", _LINEAR_PROFILE),
    ):
        twin = encoded(values, "png", icc_profile=profile)
        for kind, options in _BEST.items():
            content = twin if kind == "png" else encoded(values, kind, icc_profile=profile, **options)
            own = (twin, "image/png", "PNG") if kind == "tiff" else (content, f"image/{kind}", "the file")
            yield Case(name, f"{_WRITTEN.get(kind, kind.upper())}, ICC profile", content, *own)


_WRITTEN = {"webp": "WebP"}
_BEST: dict[str, dict[str, Any]] = {
    "png": {},
    "jpeg": {"quality": 100, "subsampling": 0},
    "webp": {"lossless": True},
    "avif": {"quality": 100, "subsampling": "4:4:4"},
    "tiff": {},
}


def _samples() -> Iterator[Case]:
    """Yield TIFFs with samples of other types than bytes.

    Chromium draws no TIFF, so a PNG has their colours.
    """
    values = squares(COLOURS / 255)
    twin = encoded(Image.fromarray(np.rint(255 * values).astype("u1")), "png")
    kinds: dict[str, Callable[[Any], Any]] = {
        "half float": lambda values: values.astype("f2"),
        "float": lambda values: values.astype("f4"),
        "double": lambda values: values.astype("f8"),
        "float from 0 to 255": lambda values: (255 * values).astype("f4"),
        "16 bits": lambda values: np.rint(65_535 * values).astype("u2"),
        "32 bits": lambda values: np.rint((2**32 - 1) * values).astype("u4"),
        "signed 16 bits": lambda values: np.rint(32_767 * values).astype("i2"),
        "signed 32 bits": lambda values: np.rint((2**31 - 1) * values).astype("i4"),
    }
    for name, convert in kinds.items():
        yield Case("sRGB", f"TIFF, {name}", tiff(convert(values)), twin, "image/png", "PNG")


def rows() -> tuple[str, list[Row]]:
    """Return Chromium's version, and the rows of the table."""
    with open_browser() as browser:
        drawn = Drawn(browser)
        found_rows = [
            Row(case, found(shown(case.content, _PNG)), drawn.colours(case.twin, case.twin_type, POINTS))
            for case in cases()
        ]
        return browser.version, found_rows


def written(version: str, table: list[Row]) -> str:
    """Return the table for the page."""
    drawn = f"Chromium {version.partition('.')[0]} draws"
    titles = ("colours", "in", "reference", "its colour", "Renditions", "difference", drawn)
    lines = [titles, ("---",) * len(titles), *(row.cells() for row in table)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def main() -> int:
    """Write the measured table into ``docs/colour.md``."""
    replace_section("colours", written(*rows()), PAGE)
    print(f"wrote {PAGE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
