"""Rendering one picture to all renditions.

The tests check fits, backgrounds, the cascade, and that the bytes are always the same.
"""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imaging.pictures import difference, encoded, opened, photo, pixels, quarters, shown
from renditions.imaging.render import render
from renditions.model.formats import OUTPUT_FORMATS
from renditions.model.pipeline import Accept
from renditions.model.recipe import Fit, Rendition

Lanczos = Image.Resampling.LANCZOS
CORNERS = {"northwest": "red", "northeast": "lime", "southwest": "blue", "southeast": "yellow"}


@pytest.mark.parametrize(("gravity", "colour"), CORNERS.items())
def test_the_fit_cover_keeps_the_part_that_gravity_names(gravity: Any, colour: str) -> None:
    """The crop keeps two corners. The corner that gravity names stays in its place."""
    for width, height in ((40, 80), (120, 20)):
        recipe = Rendition(width=width, height=height, fit="cover", gravity=gravity, format="png")
        picture = shown(encoded(quarters(), "png"), recipe)
        assert picture.size == (width, height)
        at = (1 if "west" in gravity else width - 2, 1 if "north" in gravity else height - 2)
        assert picture.getpixel(at) == Image.new("RGB", (1, 1), colour).getpixel((0, 0))


@pytest.mark.parametrize(
    ("gravity", "corner"),
    [
        ("northwest", (0, 0)),
        ("north", (20, 0)),
        ("center", (20, 30)),
        ("east", (40, 30)),
        ("south", (20, 60)),
    ],
)
def test_the_fit_contain_puts_the_picture_where_gravity_says(gravity: Any, corner: tuple[int, int]) -> None:
    """The picture isn't enlarged. The rest of the box has the declared colour."""
    recipe = Rendition(
        width=160, height=140, fit="contain", gravity=gravity, background="#102030", format="png"
    )
    wanted = Image.new("RGB", (160, 140), "#102030")
    wanted.paste(photo(120, 80), corner)
    assert difference(shown(encoded(photo(120, 80), "png"), recipe), wanted) == 0


def test_most_fits_give_nearly_the_same_picture_as_pillow() -> None:
    source = encoded(photo(), "png")
    whole = photo()
    wanted: dict[Fit, Image.Image] = {
        "inside": whole.resize((100, 75), Lanczos),
        "outside": whole.resize((133, 100), Lanczos),
        "fill": whole.resize((100, 100), Lanczos),
        "cover": whole.resize((133, 100), Lanczos).crop((16, 0, 116, 100)),
    }
    for fit, picture in wanted.items():
        made = shown(source, Rendition(width=100, height=100, fit=fit, format="png"))
        assert difference(made, picture) < 0.7, fit


def test_a_picture_is_enlarged_only_if_declared() -> None:
    source = encoded(photo(40, 30), "png")
    assert shown(source, Rendition(width=80, format="png")).size == (40, 30)
    larger = shown(source, Rendition(width=80, format="png", enlarge=True))
    assert difference(larger, photo(40, 30).resize((80, 60), Lanczos)) < 2


@pytest.mark.parametrize("gravity", ["attention", "entropy"])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_a_crop_with_smart_gravity_contains_the_detailed_part(gravity: Any, mode: str) -> None:
    """The picture is plain except for one detailed, skin-coloured patch."""
    picture = Image.new("RGB", (400, 100), "#808080")
    noise = np.random.default_rng(5).integers(0, 60, (60, 60, 3)) + np.array([190, 120, 90])
    picture.paste(Image.fromarray(np.clip(noise, 0, 255).astype("uint8")), (310, 20))
    recipe = Rendition(width=100, height=100, fit="cover", gravity=gravity, format="png")
    cut = shown(encoded(picture.convert(mode), "png"), recipe)
    assert cut.size == (100, 100)
    busy = np.abs(pixels(cut) - 128).max(axis=2) > 2
    assert busy.sum() > 3_000


@pytest.mark.parametrize(
    ("background", "ground"),
    [
        ("white", (255, 255, 255)),
        ("black", (0, 0, 0)),
        ("#f80", (255, 136, 0)),
        ("#102030", (16, 32, 48)),
        ("#00000080", (127, 127, 127)),
        ("transparent", (255, 255, 255)),
    ],
)
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_a_transparent_picture_is_put_on_the_background_if_the_format_has_no_alpha(
    background: str, ground: tuple[int, int, int], mode: str
) -> None:
    """A JPEG mixes half-transparent grey with the background.

    A translucent background is itself put on white.
    """
    source = Image.new("RGBA", (32, 32), (100, 100, 100, 0))
    source.paste((100, 100, 100, 128), (16, 0, 32, 32))
    made = pixels(shown(encoded(source.convert(mode), "png"), Rendition(background=background, quality=100)))
    assert np.abs(made[16, 2] - ground).max() <= 3
    assert np.abs(made[16, 29] - (np.array(ground) * 127 + 100 * 128) / 255).max() <= 4


def test_a_rendition_keeps_transparency_if_its_format_supports_it() -> None:
    source = photo(120, 80).convert("RGBA")
    source.putalpha(Image.linear_gradient("L").resize((120, 80)))
    for output_format in ("png", "webp", "avif", "tiff"):
        made = shown(encoded(source, "png"), Rendition(format=output_format, quality=95))
        assert difference(made.getchannel("A"), source.getchannel("A"), "L") < 2, output_format


def test_the_colours_of_transparent_pixels_do_not_change_their_neighbours() -> None:
    """The resize premultiplies alpha, so the invisible green leaves no trace."""
    source = Image.new("RGBA", (100, 100), (0, 255, 0, 0))
    source.paste((255, 0, 0, 255), (0, 0, 50, 100))
    made = pixels(shown(encoded(source, "png"), Rendition(width=33, format="png")), "RGBA")
    seen = made[made[..., 3] > 0]
    assert seen[:, 1].max() <= 1
    assert seen[:, 0].min() >= 250


def test_padding_in_a_transparent_colour_is_transparent() -> None:
    for mode in ("RGB", "L"):
        source = encoded(Image.new("RGB", (40, 20), "#646464").convert(mode), "png")
        recipe = Rendition(width=40, height=40, fit="contain", background="transparent", format="png")
        picture = shown(source, recipe).convert("RGBA")
        assert picture.getpixel((5, 2)) == (0, 0, 0, 0)
        assert picture.getpixel((5, 20)) == (100, 100, 100, 255)


def test_a_grey_picture_that_is_padded_with_a_colour_becomes_coloured() -> None:
    source = encoded(Image.new("L", (40, 20), 100), "png")
    recipe = Rendition(width=40, height=40, fit="contain", background="#102030", format="png")
    picture = shown(source, recipe)
    assert picture.getpixel((5, 2)) == (16, 32, 48)
    assert picture.getpixel((5, 20)) == (100, 100, 100)


CASCADES = {
    "doubling": (800, 400, 200, 100),
    "close together": (640, 600, 500, 333, 300, 99),
    "one": (257,),
}


@pytest.mark.parametrize("widths", CASCADES.values(), ids=CASCADES)
@pytest.mark.parametrize("source_format", ["jpeg", "png", "webp"])
def test_renditions_of_several_widths_are_similar_to_the_resized_whole_picture(
    source_format: str, widths: tuple[int, ...]
) -> None:
    """Some are made from a shrunk picture, and some from a larger level."""
    source = encoded(photo(1301, 903), source_format)
    whole = opened(source).convert("RGB")
    recipes = {str(width): Rendition(width=width, format="png") for width in widths}
    made = render(source, Accept(), recipes).made
    assert list(made) == list(recipes)
    for name, rendition in made.items():
        picture = opened(rendition.content)
        # A JPEG of odd size may be shifted by an eighth of a pixel. This is the difference in this picture.
        tolerance = 1.3 if source_format == "jpeg" else 0.8
        assert difference(picture, whole.resize(picture.size, Lanczos)) < tolerance, name


def test_each_of_several_crops_of_one_picture_shows_its_own_region() -> None:
    source = encoded(photo(1600, 900), "jpeg", quality=97)
    whole = opened(source)
    recipes = {
        "square": Rendition(width=400, height=400, fit="cover", gravity="west", format="png"),
        "small": Rendition(width=100, height=100, fit="cover", gravity="east", format="png"),
        "whole": Rendition(width=320, format="png"),
        "flat": Rendition(width=300, height=40, fit="fill", format="png"),
        "tiny": Rendition(width=32, format="png"),
    }
    made = {name: opened(it.content) for name, it in render(source, Accept(), recipes).made.items()}
    wanted = {
        "square": whole.resize((711, 400), Lanczos).crop((0, 0, 400, 400)),
        "small": whole.resize((178, 100), Lanczos).crop((78, 0, 178, 100)),
        "whole": whole.resize((320, 180), Lanczos),
        "flat": whole.resize((300, 40), Lanczos),
        "tiny": whole.resize((32, 18), Lanczos),
    }
    for name, picture in wanted.items():
        assert difference(made[name], picture) < 1.2, name


def test_a_base64_rendition_contains_the_bytes_of_the_source_file() -> None:
    source = encoded(photo(), "webp")
    result = render(source, Accept(), {"text": Rendition(format="base64"), "thumb": Rendition(width=9)})
    assert result.made["text"].content == base64.b64encode(source)
    assert (result.made["text"].format, result.made["text"].width) == ("base64", None)
    assert result.made["thumb"].width == 9
    assert render(source, Accept(), {"text": Rendition(format="base64")}).original.width is None


def test_a_picture_with_only_a_base64_rendition_is_checked_against_the_rules() -> None:
    recipes = {"text": Rendition(format="base64")}
    assert render(b"words", Accept(), recipes).rejected
    assert render(encoded(photo(), "png"), Accept(max_bytes=10), recipes).rejected
    assert render(encoded(photo(), "png"), Accept(formats=("jpeg",)), recipes).rejected
    narrow = render(encoded(photo(), "png"), Accept(min_width=321), recipes)
    assert str(narrow.rejected).startswith(
        "the picture is 320 pixels wide, but [accept] min_width requires at least 321."
    )
    assert narrow.made == {}


PROGRAM = """
import hashlib, sys
from imaging.test_render import EVERYTHING, make_everything
print(hashlib.sha256(make_everything()).hexdigest())
"""
EVERYTHING = {
    **{name: Rendition(format=name, width=150) for name in OUTPUT_FORMATS},
    "smart": Rendition(width=50, height=50, fit="cover", gravity="attention"),
}


def make_everything() -> bytes:
    """Return the bytes of all outputs of one picture, joined."""
    result = render(encoded(photo(), "jpeg"), Accept(), EVERYTHING)
    assert list(result.made) == list(EVERYTHING)
    return b"".join(made.content for made in result.made.values())


def test_rendering_a_picture_again_gives_the_same_bytes() -> None:
    """The test renders twice in this process and once in another."""
    digest = hashlib.sha256(make_everything()).hexdigest()
    assert hashlib.sha256(make_everything()).hexdigest() == digest
    output = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        check=True,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": "tests"},
    )
    assert output.stdout.strip() == digest
