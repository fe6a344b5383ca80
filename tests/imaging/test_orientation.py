"""The eight EXIF orientations, which are applied and then removed.

HEICs are different: their container declares the rotation.
"""

from __future__ import annotations

import pytest
from PIL import Image

from imaging.pictures import BEST, STORED_AS, difference, encoded, heic, photo, quarters, shown, stored
from renditions.imaging.render import render
from renditions.model.pipeline import Accept
from renditions.model.recipe import Rendition


@pytest.mark.parametrize("orientation", STORED_AS)
@pytest.mark.parametrize("source_format", ["jpeg", "png", "webp", "tiff", "avif"])
def test_a_picture_of_any_orientation_becomes_upright(source_format: str, orientation: int) -> None:
    upright = photo(120, 80)
    source = stored(upright, source_format, orientation)
    result = render(source, Accept(), {"it": Rendition(format="png")})
    assert (result.original.width, result.original.height) == (120, 80)
    picture = shown(source, Rendition(format="png"))
    assert difference(picture, upright) < 2
    assert not picture.getexif()


@pytest.mark.parametrize("orientation", STORED_AS)
def test_the_box_and_the_gravity_of_a_crop_apply_to_the_upright_picture(orientation: int) -> None:
    """The red corner is at the upper left for every orientation."""
    source = stored(quarters(1200, 800), "jpeg", orientation)
    recipe = Rendition(width=40, height=10, fit="cover", gravity="northwest", format="png")
    picture = shown(source, recipe)
    assert picture.size == (40, 10)
    assert difference(picture, quarters(40, 26).crop((0, 0, 40, 10))) < 4
    assert shown(source, Rendition(width=60)).size == (60, 40)


@pytest.mark.parametrize("orientation", STORED_AS)
@pytest.mark.parametrize("recipe", [Rendition(format="tiff"), Rendition(format="png", trim=10)])
def test_the_exif_orientation_of_a_heic_is_ignored(orientation: int, recipe: Rendition) -> None:
    """The container declares the rotation, which the decoder applies."""
    upright = Image.new("RGB", (160, 120), "white")
    upright.paste(quarters(120, 80), (10, 20))
    turned = STORED_AS[orientation]
    exif = Image.Exif()
    exif[0x112] = orientation
    source = heic(upright if turned is None else upright.transpose(turned), exif=exif.tobytes(), quality=100)
    picture = shown(source, recipe)
    wanted = upright.crop((10, 20, 130, 100)) if recipe.trim else upright
    assert picture.getexif().get(0x112, 1) == 1
    assert picture.size == wanted.size
    assert difference(picture, wanted) < 4


@pytest.mark.parametrize("orientation", [0, 9, 255])
def test_an_invalid_orientation_is_ignored(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x112] = orientation
    source = encoded(photo(120, 80), "jpeg", **BEST["jpeg"], exif=exif.tobytes())
    assert difference(shown(source, Rendition(format="png")), photo(120, 80)) < 2
