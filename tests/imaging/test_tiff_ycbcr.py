"""TIFFs in YCbCr, which become RGB."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from imaging.pictures import difference, encoded, opened, photo, shown, why_not
from imaging.tiffs import tiff
from renditions.imaging.render import render
from renditions.imaging.vips import Image as VipsImage
from renditions.model.pipeline import Accept
from renditions.model.recipe import Rendition

PNG = Rendition(format="png")
YCBCR = {262: (3, [6]), 530: (3, [1, 1])}
BT_709 = (0.2126, 0.7152, 0.0722)


def ycbcr(picture: Image.Image, luma: tuple[float, float, float] = (0.299, 0.587, 0.114)) -> Any:
    """Return the picture's values in YCbCr (TIFF 6.0, section 21)."""
    values = np.asarray(picture).astype(float)
    y = values @ np.array(luma)
    blue = (values[..., 2] - y) / (2 - 2 * luma[2])
    red = (values[..., 0] - y) / (2 - 2 * luma[0])
    return np.stack([y, blue + 128, red + 128], axis=-1)


def whole(values: Any) -> Any:
    return values.round().clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("deflated", [False, True])
@pytest.mark.parametrize("order", "<>")
def test_a_tiff_in_ycbcr_becomes_rgb(order: str, deflated: bool) -> None:
    source = tiff(whole(ycbcr(photo())), order=order, deflated=deflated, tags=YCBCR)
    assert difference(opened(source).convert("RGB"), photo()) < 1
    assert difference(shown(source, PNG), photo()) < 1
    small = Rendition(width=80, format="png")
    assert difference(shown(source, small), shown(encoded(photo(), "png"), small)) < 1


def test_a_plain_picture_in_ycbcr_with_fewer_samples_of_colour_keeps_its_colour() -> None:
    flat = Image.new("RGB", (32, 32), (200, 100, 50))
    luma, blue, red = whole(ycbcr(flat))[0, 0]
    blocks = np.tile(np.array([luma] * 4 + [blue, red], np.uint8), 16 * 16)
    tags = {262: (3, [6]), 530: (3, [2, 2]), 279: (4, [blocks.size])}
    padded = np.resize(blocks, (32, 32, 3))
    assert difference(shown(tiff(padded, tags=tags), PNG), flat) < 2


def test_the_coefficients_and_reference_values_of_the_file_are_applied() -> None:
    values = ycbcr(photo(), BT_709)
    luma, chroma = values[..., :1] * 219 / 255 + 16, (values[..., 1:] - 128) * 112 / 127 + 128
    coefficients = [number for share in BT_709 for number in (round(share * 10_000), 10_000)]
    references = [number for value in (16, 235, 128, 240, 128, 240) for number in (value, 1)]
    tags = {**YCBCR, 529: (5, coefficients), 532: (5, references)}
    assert difference(shown(tiff(whole(np.dstack([luma, chroma])), tags=tags), PNG), photo()) < 1.5


def test_impossible_coefficients_and_references_are_ignored() -> None:
    tags = {**YCBCR, 529: (5, [1, 0] * 3), 532: (5, [0, 0] * 6)}
    assert difference(shown(tiff(whole(ycbcr(photo())), tags=tags), PNG), photo()) < 1


@pytest.mark.parametrize("quality", [75, 95])
def test_a_tiff_that_is_compressed_as_jpeg_becomes_rgb(quality: int) -> None:
    pixels = photo()
    image = VipsImage.new_from_memory(pixels.tobytes(), pixels.width, pixels.height, 3, "uchar")
    image = image.copy(interpretation="srgb")
    source = bytes(image.tiffsave_buffer(compression="jpeg", Q=quality))
    assert difference(shown(source, PNG), photo()) < 4


def test_the_reason_for_refusing_ycbcr_of_16_bits_names_ycbcr() -> None:
    values = (ycbcr(photo()) * 257).round().clip(0, 65_535).astype(np.uint16)
    assert "YCbCr in a TIFF is supported only with 8 bits" in why_not(tiff(values, tags=YCBCR), PNG)


@pytest.mark.parametrize("lenient", [False, True])
def test_an_unsupported_compression_is_not_reported_as_damage(lenient: bool) -> None:
    source = tiff(np.asarray(photo()), tags={259: (3, [50_000])})
    accept = Accept(damaged="lenient" if lenient else "reject")
    result = render(source, accept, {"it": PNG})
    assert result.rejected
    assert result.rejected.text.startswith("this way to store pixels isn't supported (")
    assert result.rejected.text.endswith("Save the picture in another way")


def test_samples_of_12_bits_are_not_reported_as_damage() -> None:
    values = np.zeros((40, 60), np.uint8)
    assert "isn't supported" in why_not(tiff(values, tags={258: (3, [12])}), PNG)
