"""TIFFs in L*a*b*, which become sRGB."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from imaging.pictures import difference, encoded, photo, shown, why_not
from imaging.tiffs import tiff
from renditions.model.recipe import Rendition

PNG = Rendition(format="png")
PICTURE = photo(64, 48)
CIE, ICC = {262: (3, [8])}, {262: (3, [9])}


def convert(picture: Image.Image = PICTURE) -> Image.Image:
    """Return the picture in L*a*b* of 8 bits, converted by LittleCMS."""
    spaces = (ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"))
    found = ImageCms.applyTransform(picture, ImageCms.buildTransform(*spaces, "RGB", "LAB"))
    assert found is not None
    return found


def lab(picture: Image.Image = PICTURE) -> Any:
    """Return the picture's values in L*a*b* of 8 bits."""
    return np.asarray(convert(picture))


def deep(values: Any) -> Any:
    """Return the values in 16 bits."""
    return np.concatenate([values[..., :1].astype("u2") * 257, values[..., 1:].astype("u2") << 8], axis=-1)


@pytest.mark.parametrize("deflated", [False, True])
@pytest.mark.parametrize("order", "<>")
def test_a_tiff_in_lab_becomes_srgb(order: str, deflated: bool) -> None:
    for values in (lab(), deep(lab())):
        source = tiff(values, order=order, deflated=deflated, tags=CIE)
        assert difference(shown(source, PNG), PICTURE) < 1


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
def test_a_tiff_in_lab_of_another_program_becomes_srgb(compression: str) -> None:
    source = encoded(convert(), "tiff", compression=compression)
    assert difference(shown(source, PNG), PICTURE) < 1


def test_pure_colours_of_a_tiff_in_lab_keep_their_tones() -> None:
    for colour in ((255, 0, 0), (0, 255, 0), (0, 0, 255), (128, 128, 128)):
        flat = Image.new("RGB", (8, 8), colour)
        for values in (lab(flat), deep(lab(flat))):
            assert difference(shown(tiff(values, tags=CIE), PNG), flat) < 4


def test_a_tiff_in_the_lab_of_icc_has_no_signs() -> None:
    values = lab() ^ np.array([0, 128, 128], "u1")
    assert difference(shown(tiff(values, tags=ICC), PNG), PICTURE) < 1


@pytest.mark.parametrize(("kind", "mode"), [(2, "RGBA"), (0, "RGB")])
def test_alpha_of_a_tiff_in_lab_is_kept_and_other_samples_are_not(kind: int, mode: str) -> None:
    values = np.dstack([lab(), np.full((48, 64), 200, "u1")])
    for each in (values, np.dstack([deep(lab()), np.full((48, 64), 200 << 8, "u2")])):
        made = shown(tiff(each, tags={**CIE, 338: (3, [kind])}), PNG)
        assert made.mode == mode
        assert difference(made.convert("RGB"), PICTURE) < 1
        assert mode == "RGB" or made.getchannel("A").getextrema() == (200, 200)


def test_a_tiff_in_lab_with_planes_or_with_16_bits_in_the_form_of_icc_is_refused_with_the_reason() -> None:
    assert "L*a*b* with samples in separate planes" in why_not(tiff(lab(), apart=True, tags=CIE), PNG)
    assert "isn't supported (ICC L*a*b*)" in why_not(tiff(deep(lab()), tags=ICC), PNG)
