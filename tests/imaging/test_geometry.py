"""Geometry: the sizes that recipes give renditions, and the positions of crops."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imaging.pictures import encoded, opened, photo, pixels, rendered, shown
from renditions.imaging.geometry import Offset, Size, place, plan
from renditions.model.recipe import Fit, Gravity, Rendition


@pytest.mark.parametrize(
    ("source", "recipe", "resized", "output"),
    [
        ((1920, 1080), Rendition(width=200, height=200), (200, 113), (200, 113)),
        ((1080, 1920), Rendition(width=200, height=200), (113, 200), (113, 200)),
        ((1920, 1080), Rendition(width=200), (200, 113), (200, 113)),
        ((1920, 1080), Rendition(height=200), (356, 200), (356, 200)),
        ((1920, 1080), Rendition(), (1920, 1080), (1920, 1080)),
        ((1920, 1080), Rendition(width=200, height=200, fit="cover"), (356, 200), (200, 200)),
        ((1920, 1080), Rendition(width=200, height=200, fit="contain"), (200, 113), (200, 200)),
        ((1920, 1080), Rendition(width=200, height=200, fit="fill"), (200, 200), (200, 200)),
        ((1920, 1080), Rendition(width=200, height=200, fit="outside"), (356, 200), (356, 200)),
        ((100, 50), Rendition(width=200, height=200), (100, 50), (100, 50)),
        ((100, 50), Rendition(width=200, height=200, enlarge=True), (200, 100), (200, 100)),
        ((300, 100), Rendition(width=200, height=200, fit="cover"), (300, 100), (200, 100)),
        ((300, 100), Rendition(width=200, height=200, fit="cover", enlarge=True), (600, 200), (200, 200)),
        ((300, 100), Rendition(width=200, height=200, fit="fill"), (200, 100), (200, 100)),
        ((100, 50), Rendition(width=200, height=200, fit="contain"), (100, 50), (200, 200)),
        ((100, 50), Rendition(width=200, height=200, fit="outside"), (100, 50), (100, 50)),
        ((10_000, 1), Rendition(width=100), (100, 1), (100, 1)),
        ((3, 1), Rendition(width=2), (2, 1), (2, 1)),
    ],
)
def test_the_size_of_a_rendition_follows_from_its_box_its_fit_and_enlarge(
    source: tuple[int, int], recipe: Rendition, resized: tuple[int, int], output: tuple[int, int]
) -> None:
    found = plan(Size(*source), recipe)
    assert (found.resized, found.output) == (Size(*resized), Size(*output))


@pytest.mark.parametrize(
    ("gravity", "offset"),
    [
        ("northwest", (0, 0)), ("north", (15, 0)), ("northeast", (30, 0)),
        ("west", (0, 10)), ("center", (15, 10)), ("east", (30, 10)),
        ("southwest", (0, 20)), ("south", (15, 20)), ("southeast", (30, 20)),
        ("attention", (15, 10)), ("entropy", (15, 10)),
    ],
)  # fmt: skip
def test_the_gravity_decides_the_position_of_a_rectangle_in_a_larger_rectangle(
    gravity: str, offset: tuple[int, int]
) -> None:
    assert place(Size(70, 80), Size(100, 100), gravity) == Offset(*offset)


recipes = st.builds(
    Rendition,
    width=st.none() | st.integers(1, 150),
    height=st.none() | st.integers(1, 150),
    fit=st.sampled_from(get_args(Fit)),
    gravity=st.sampled_from(get_args(Gravity)),
    enlarge=st.booleans(),
    format=st.just("png"),
)
sides = st.integers(1, 120)


@given(st.integers(1, 100_000), st.integers(1, 100_000), recipes)
def test_a_planned_rendition_follows_its_fit_and_is_enlarged_only_if_declared(
    width: int, height: int, recipe: Rendition
) -> None:
    """A crop lies within the picture, and padding surrounds the picture."""
    source = Size(width, height)
    found = plan(source, recipe)
    if not recipe.enlarge:
        assert source.covers(found.resized)
    if recipe.width and recipe.height:
        box = Size(recipe.width, recipe.height)
        if recipe.fit in ("inside", "cover"):
            assert box.covers(found.output)
        if recipe.fit == "contain" or (recipe.enlarge and recipe.fit in ("cover", "fill")):
            assert found.output == box
        if recipe.fit == "outside" and (recipe.enlarge or source.covers(box)):
            assert found.output.covers(box)
    if found.crop_at:
        assert found.crop_at.left >= 0
        assert found.resized.covers(
            Size(found.crop_at.left + found.output.width, found.crop_at.top + found.output.height)
        )
    if found.pad_at:
        assert found.output.covers(
            Size(found.pad_at.left + found.resized.width, found.pad_at.top + found.resized.height)
        )
    if not found.crop_at and not found.pad_at:
        assert found.resized == found.output


@settings(deadline=None, max_examples=120)
@given(sides, sides, recipes)
def test_a_rendition_has_the_planned_size(width: int, height: int, recipe: Rendition) -> None:
    """The plan, the answer and the file that Pillow reads have the same size."""
    promised = plan(Size(width, height), recipe).output
    made = rendered(encoded(photo(width, height), "png"), recipe)
    assert (made.width, made.height) == (promised.width, promised.height)
    assert opened(made.content).size == (promised.width, promised.height)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
@pytest.mark.parametrize(("width", "height"), [(120, 80), (600, 100), (77, 399), (61, 20), (30, 90)])
def test_an_enlarged_picture_is_close_to_the_result_of_pillow(width: int, height: int, mode: str) -> None:
    """The picture is a ramp, which shows a shift by half a pixel.

    One side may grow while the other one shrinks.
    """
    across, down = np.arange(60) * 4, np.arange(40) * 6
    ramp = Image.fromarray(((across + down[:, None]) // 2).astype("uint8")).convert(mode)
    recipe = Rendition(width=width, height=height, fit="fill", enlarge=True, format="png")
    made = pixels(shown(encoded(ramp, "png"), recipe))
    wanted = pixels(ramp.resize((width, height), Image.Resampling.BICUBIC))
    assert made.shape == wanted.shape
    assert abs((made - wanted)[4:-4, 4:-4].mean()) < 0.3
    assert np.abs(made - wanted).max() <= 4
