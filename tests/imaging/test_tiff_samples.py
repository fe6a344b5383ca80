"""TIFF samples of many types, which give the same picture.

The expected values are computed here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imaging.pictures import encoded, photo, shown
from imaging.tiffs import tiff
from renditions.imaging.render import render
from renditions.model.pipeline import Accept
from renditions.model.recipe import Rendition

PNG = Rendition(format="png")
CASES = Path(__file__).parent / "cases"
FROM, TO = np.mgrid[0:48, 0:64]
GREY = (FROM + TO) / 110
COLOUR = np.stack([GREY, GREY / 2, 1 - GREY], -1)
INT32 = 2**31 - 1
SCALES: tuple[Any, ...] = (
    ("f2", 0, 1), ("f4", 0, 1), ("f8", 0, 1), ("f4", 0, 255), ("f8", 0, 65_535),
    ("u4", 0, 2**32 - 1), ("u4", 0, 65_535),
    ("i1", -128, 127), ("i1", 0, 127),
    ("i2", -32_768, 32_767), ("i2", 0, 32_767), ("i2", 0, 255),
    ("i4", -INT32 - 1, INT32), ("i4", 0, INT32), ("i4", 0, 255),
)  # fmt: skip


def scaled(values: Any, kind: str, black: float, white: float) -> Any:
    """Return values of 0 to 1 as samples of this type and scale."""
    numbers = black + values * (white - black)
    return (numbers if kind.startswith("f") else np.rint(numbers)).astype(kind)


def worst(picture: Image.Image, values: Any) -> float:
    """Return the largest difference from values of 0 to 1, in steps of 8 bits."""
    return float(np.abs(np.asarray(picture).astype(float) - np.rint(255 * values)).max())


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(("kind", "black", "white"), SCALES)
def test_samples_of_many_types_give_the_same_tones_in_grey_and_colour(
    kind: str, black: int, white: int, order: str
) -> None:
    for values, mode in ((GREY, "L"), (COLOUR, "RGB")):
        made = shown(tiff(scaled(values, kind, black, white), order=order), PNG)
        assert made.mode == mode
        # 7 bits are all that a signed byte has above 0.
        assert worst(made, values) <= (1 if white > 127 else 2)


def test_a_floating_point_picture_of_another_encoder_keeps_many_tones() -> None:
    made = np.asarray(shown((CASES / "float01_grey.tif").read_bytes(), PNG))
    assert made.mean() == pytest.approx(118.2, abs=0.5)
    assert len(np.unique(made)) > 100


def test_32_bit_and_floating_point_tiffs_written_by_pillow_keep_their_greys() -> None:
    grey = photo().convert("L")
    for mode in ("I", "F"):
        assert worst(shown(encoded(grey.convert(mode), "tiff"), PNG), np.asarray(grey) / 255) <= 1


def test_samples_in_an_unusual_range_are_shown_from_the_lowest_value_to_the_highest() -> None:
    for kind in ("i2", "f4"):
        assert worst(shown(tiff(scaled(GREY, kind, -1000, 3000)), PNG), GREY) <= 1


@pytest.mark.parametrize(
    ("kind", "white"), [("f4", 1), ("f8", 1), ("i2", 32_767), ("u4", 2**32 - 1)]
)  # fmt: skip
def test_a_sample_of_zero_is_white_if_the_tiff_declares_it(kind: str, white: int) -> None:
    source = tiff(scaled(GREY, kind, 0, white), tags={262: (3, [0])})
    assert worst(shown(source, PNG), 1 - GREY) <= 1


def test_floating_point_values_above_1_are_white_and_missing_values_are_black() -> None:
    values = GREY.astype("f4")
    values[0, :5] = (np.nan, np.inf, -np.inf, -3.4e38, 4)
    wanted = GREY.copy()
    wanted[0, :5] = (0, 0, 0, 0, 1)
    assert worst(shown(tiff(values), PNG), wanted) <= 1


@pytest.mark.parametrize("kind", ["f4", "f8"])
def test_the_alpha_of_a_floating_point_tiff_is_read(kind: str) -> None:
    alpha = (1 + GREY[..., None]) / 2
    straight = np.concatenate([COLOUR, alpha], -1)
    weighted = np.concatenate([COLOUR * alpha, alpha], -1)
    for values, meaning in ((straight, 2), (weighted, 1)):
        made = shown(tiff(values.astype(kind), tags={338: (3, [meaning])}), PNG)
        assert made.mode == "RGBA"
        assert worst(made, straight) <= 1


def test_cmyk_in_floating_point_gives_the_same_colours_as_in_8_bits() -> None:
    inks = np.stack([GREY, GREY / 2, 1 - GREY, GREY * 0], -1)
    cmyk = {262: (3, [5])}
    whole = shown(tiff(np.rint(255 * inks).astype("u1"), tags=cmyk), PNG)
    exact = shown(tiff(inks.astype("f4"), tags=cmyk), PNG)
    assert worst(exact, np.asarray(whole) / 255) <= 4


def test_a_small_rendition_of_doubles_shows_the_whole_picture() -> None:
    source = tiff(scaled(COLOUR, "f8", 0, 1), deflated=True)
    small = np.asarray(shown(source, Rendition(format="png", width=16))).astype(float)
    assert np.abs(small[6] - np.rint(255 * COLOUR[24:28, :].reshape(4, 16, 4, 3).mean((0, 2)))).max() < 6


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (tiff((255 * GREY).astype("i8")), "whole numbers of 64 bits"),
        (tiff(COLOUR, deflated=True, tags={317: (3, [3])}), "64-bit samples are supported only"),
        # RowsPerStrip becomes a second, contradictory SamplesPerPixel.
        (
            tiff(COLOUR, order=">").replace(b"\x01\x16\0\x04", b"\x01\x15\0\x04"),
            "as many samples as the file declares",
        ),
        (tiff(COLOUR, tags={277: (3, [40_000])}), "64-bit samples are supported only"),
        (tiff(GREY.astype("f4"))[:-900], "damaged"),
        (tiff(GREY)[:-900], "damaged"),
    ],
    ids=[
        "64-bit whole numbers",
        "doubles with a predictor",
        "two numbers of samples",
        "more samples than can be counted",
        "cut off floats",
        "cut off doubles",
    ],
)
def test_a_tiff_with_samples_that_can_not_be_read_is_rejected(source: bytes, why: str) -> None:
    rendering = render(source, Accept(), {"it": PNG})
    assert rendering.made == {}
    assert why in str(rendering.rejected)
