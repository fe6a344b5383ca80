"""Which files a family makes of a picture.

A family makes the fewest files possible, and each of its renditions has a file.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imaging.pictures import encoded, photo, stored
from renditions.imaging.render import render
from renditions.model.families import expand
from renditions.model.pipeline import Accept, Limits
from renditions.model.recipe import Region, Rendition
from renditions.model.rendering import Rendering

SIDES = st.integers(1, 60)
OPTIONS = st.sampled_from(
    (
        {},
        {"height": 20},
        {"height": 20, "fit": "cover"},
        {"height": 20, "fit": "fill"},
        {"height": 20, "fit": "contain"},
        {"rotate": 90},
        {"rotate": 270, "height": 30, "fit": "cover"},
        {"crop": Region(left=25, width=50, height=50)},
        {"enlarge": True},
        {"pixel_ratio": 1.5},
        {"padding": 2},
        {"trim": 3},
    )
)


def draw(width: int, height: int) -> bytes:
    """Return a picture of noise, so that different crops of it differ."""
    grain = np.random.default_rng(width * 100 + height).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return encoded(Image.fromarray(grain), "png")


def make(content: bytes, **fields: Any) -> Rendering:
    """Return the rendering of the family ``photo`` for a picture."""
    rendering = render(content, Accept(), expand("photo", Rendition(**fields)))
    assert not rendering.rejected
    assert not rendering.errors
    return rendering


@settings(deadline=None, max_examples=150)
@given(SIDES, SIDES, st.lists(st.integers(1, 80), min_size=1, max_size=4, unique=True), OPTIONS)
def test_a_family_makes_the_fewest_files_that_serve_all_of_its_renditions(
    width: int, height: int, widths: list[int], options: dict[str, Any]
) -> None:
    """Each rendition is also made alone.

    Two renditions may share a file only if they are equal when they are made alone.
    """
    content = draw(width, height)
    rendering = make(content, format="png", widths=tuple(widths), **options)
    alone = {
        f"photo-{each}": render(
            content, Accept(), {"one": Rendition(format="png", width=each, **options)}
        ).made["one"]
        for each in widths
    }
    assert rendering.stand_ins.keys() == alone.keys()
    assert set(rendering.stand_ins.values()) == rendering.made.keys()
    for rendition, other in rendering.stand_ins.items():
        assert alone[rendition] == alone[other]
        assert int(other[6:]) <= int(rendition[6:])
        assert (rendering.made[other].width, rendering.made[other].height) == (
            alone[rendition].width,
            alone[rendition].height,
        )
    sizes = {(each.width, each.height) for each in rendering.made.values()}
    assert len(sizes) == len(rendering.made)


def test_two_widths_that_exceed_a_picture_share_one_file_in_each_format() -> None:
    rendering = make(draw(80, 45), widths=(48, 96, 160), formats=("avif", "webp", "jpeg"))
    assert {name: made.width for name, made in rendering.made.items()} == {
        f"photo-{width}-{name}": shown
        for width, shown in ((48, 48), (96, 80))
        for name in ("avif", "webp", "jpeg")
    }
    assert rendering.stand_ins["photo-160-webp"] == "photo-96-webp"
    assert rendering.stand_ins["photo-96-webp"] == "photo-96-webp"


def test_a_family_uses_the_width_of_the_upright_picture() -> None:
    """The picture is stored sideways: 90 wide as stored, 60 as seen."""
    sideways = stored(photo(60, 90), "jpeg", 6)
    with Image.open(io.BytesIO(sideways)) as picture:
        assert picture.size == (90, 60)
    assert make(sideways, widths=(50, 70, 80)).stand_ins == {
        "photo-50": "photo-50",
        "photo-70": "photo-70",
        "photo-80": "photo-70",
    }


@pytest.mark.parametrize(
    ("fields", "files"),
    [
        ({}, 2),
        ({"enlarge": True}, 4),
        ({"rotate": 90}, 1),
        ({"crop": Region(width=20, height=100)}, 1),
        ({"height": 10}, 1),
    ],
)
def test_a_family_uses_the_width_after_rotation_and_crop(fields: dict[str, Any], files: int) -> None:
    rendering = make(draw(90, 30), format="png", widths=(40, 95, 100, 200), **fields)
    assert len(rendering.made) == files


def test_a_drawing_is_drawn_in_every_width() -> None:
    drawing = (
        b'<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"><rect width="9" height="9"/></svg>'
    )
    members = expand("photo", Rendition(widths=(20, 40)))
    rendering = render(drawing, Accept(formats=("svg",)), members)
    assert [made.width for made in rendering.made.values()] == [20, 40]


def test_a_document_is_too_small_for_a_width_if_all_of_its_pages_are_too_small() -> None:
    pages = [photo(width, 30) for width in (90, 60)]
    target = io.BytesIO()
    pages[0].save(target, "tiff", save_all=True, append_images=pages[1:])
    members = expand("photo", Rendition(widths=(50, 70, 95, 99), format="tiff", pages="all"))
    stand_ins = render(target.getvalue(), Accept(), members, limits=Limits()).stand_ins
    assert stand_ins["photo-70"] == "photo-70"
    assert stand_ins["photo-99"] == "photo-95"


def test_the_stand_ins_do_not_depend_on_which_renditions_must_be_made() -> None:
    members = expand("photo", Rendition(widths=(48, 96, 160)))
    whole = render(draw(80, 45), Accept(), members).stand_ins
    for name, member in members.items():
        one = render(draw(80, 45), Accept(), {name: member})
        assert one.stand_ins == whole
        assert set(one.made) == ({name} if whole[name] == name else set())
