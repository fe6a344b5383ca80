"""Rotation, pixel ratio and effects on pixels, compared with Pillow and numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageColor, ImageOps

from imaging.pictures import difference, encoded, opened, photo, pixels, quarters, rendered, shown
from renditions.imaging.geometry import Size, plan
from renditions.imaging.render import render
from renditions.model.pipeline import Accept
from renditions.model.recipe import Rendition

ROTATIONS = (0, 90, 180, 270)
FLIPS = ("none", "horizontal", "vertical", "both")
SEPIA = np.array([[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]])


@pytest.mark.parametrize("rotate", ROTATIONS)
@pytest.mark.parametrize("flip", FLIPS)
def test_a_picture_is_rotated_clockwise_and_then_mirrored(rotate: Any, flip: Any) -> None:
    wanted = photo(60, 40).rotate(-rotate, expand=True)
    if flip in ("horizontal", "both"):
        wanted = ImageOps.mirror(wanted)
    if flip in ("vertical", "both"):
        wanted = ImageOps.flip(wanted)
    made = shown(encoded(photo(60, 40), "png"), Rendition(rotate=rotate, flip=flip, format="png"))
    assert difference(made, wanted) == 0


def test_each_of_several_renditions_of_a_picture_has_its_own_rotation() -> None:
    turns: Any = {str(rotate): rotate for rotate in ROTATIONS}
    recipes = {
        name: Rendition(rotate=rotate, width=80, height=60, fit="cover", format="png")
        for name, rotate in turns.items()
    }
    made = render(encoded(photo(), "png"), Accept(), recipes).made
    for name, rotate in turns.items():
        turned = photo().rotate(-rotate, expand=True)
        rows = 107 if rotate in (90, 270) else 60
        resized = turned.resize((80, rows), Image.Resampling.LANCZOS)
        top = (rows - 60) // 2
        assert difference(opened(made[name].content), resized.crop((0, top, 80, top + 60))) < 1.5


@settings(deadline=None, max_examples=80)
@given(
    st.integers(1, 90),
    st.integers(1, 90),
    st.builds(
        Rendition,
        width=st.integers(1, 100),
        height=st.none() | st.integers(1, 100),
        pixel_ratio=st.floats(1, 5),
        rotate=st.sampled_from(ROTATIONS),
        flip=st.sampled_from(FLIPS),
        enlarge=st.booleans(),
        grayscale=st.booleans(),
        sepia=st.booleans(),
        brightness=st.floats(0, 10),
        contrast=st.floats(0, 10),
        saturation=st.floats(0, 10),
        gamma=st.floats(0.1, 10),
        negate=st.booleans(),
        format=st.just("png"),
    ),
)
def test_a_rendition_with_many_effects_has_the_planned_size(
    width: int, height: int, recipe: Rendition
) -> None:
    promised = plan(Size(width, height), recipe).output
    made = rendered(encoded(photo(width, height), "png"), recipe)
    assert opened(made.content).size == (promised.width, promised.height) == (made.width, made.height)


def test_the_pixel_ratio_multiplies_both_sides_of_a_rendition() -> None:
    recipe = Rendition(width=33, height=20, pixel_ratio=1.5, fit="fill")
    assert plan(Size(1000, 1000), recipe).output == Size(50, 30)
    assert plan(Size(1000, 500), Rendition(width=100, pixel_ratio=2)).output == Size(200, 100)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA"])
def test_colour_adjustments_follow_their_formulas_and_keep_alpha(mode: str) -> None:
    source = photo(50, 40).convert(mode)
    if mode.endswith("A"):
        source.putalpha(Image.linear_gradient("L").resize((50, 40)))
    colours = pixels(source)
    grey = np.repeat((colours @ [0.2126, 0.7152, 0.0722])[..., None], 3, axis=2)
    wanted = {
        "grayscale": grey,
        "sepia": np.clip(colours @ SEPIA.T, 0, 255),
        "negate": 255 - colours,
    }
    for name, values in wanted.items():
        options: Any = {name: True}
        made = shown(encoded(source, "png"), Rendition(format="png", **options))
        assert np.abs(pixels(made) - values).max() <= 1, name
        if mode.endswith("A"):
            assert difference(made.getchannel("A"), source.getchannel("A"), "L") == 0


def test_colour_adjustments_are_applied_in_a_fixed_order() -> None:
    recipe = Rendition(grayscale=True, sepia=True, negate=True, format="png")
    grey = np.repeat((pixels(photo(50, 40)) @ [0.2126, 0.7152, 0.0722])[..., None], 3, axis=2)
    wanted = 255 - np.clip(grey @ SEPIA.T, 0, 255)
    made = shown(encoded(photo(50, 40), "png"), recipe)
    assert np.abs(pixels(made) - wanted).max() <= 2


def test_effects_at_their_default_values_do_not_change_the_fingerprint() -> None:
    plain = Rendition(width=200)
    said = Rendition(width=200, pixel_ratio=1.0, rotate=0, flip="none", grayscale=False)
    assert plain.fingerprint() == said.fingerprint()
    assert plain.fingerprint() != Rendition(width=200, rotate=90).fingerprint()


@pytest.mark.parametrize("amount", [0.0, 0.5, 1.5, 3.0])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_adjustments_of_tones_follow_their_formulas(amount: float, mode: str) -> None:
    source = photo(50, 40).convert(mode)
    colours = pixels(source)
    grey = (colours @ [0.2126, 0.7152, 0.0722])[..., None]
    wanted = {
        "brightness": colours * amount,
        "contrast": (colours - 127.5) * amount + 127.5,
        "saturation": grey + (colours - grey) * amount,
    }
    if amount:
        wanted["gamma"] = 255 * (colours / 255) ** (1 / amount)
    for name, values in wanted.items():
        options: Any = {name: amount}
        made = shown(encoded(source, "png"), Rendition(format="png", **options))
        assert np.abs(pixels(made) - np.clip(values, 0, 255)).max() <= 1, name


@pytest.mark.parametrize("tint", ["#3060c0", "#c08040", "white", "black", "#ff0000"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA"])
def test_a_tint_keeps_the_luminance_and_leaves_black_and_white_unchanged(tint: str, mode: str) -> None:
    """The result has the luminance of the picture.

    Dark tones are the tint's colour mixed with black, and light tones are this colour mixed with white.
    """
    source = photo(50, 40).convert(mode)
    if mode.endswith("A"):
        source.putalpha(Image.linear_gradient("L").resize((50, 40)))
    weights = np.array([0.2126, 0.7152, 0.0722])
    colour = np.array(ImageColor.getrgb(tint), float)
    grey = np.rint(pixels(source) @ weights)[..., None]
    middle = colour @ weights
    with np.errstate(invalid="ignore", divide="ignore"):
        darker = colour * grey / middle
        lighter = colour + (255 - colour) * (grey - middle) / (255 - middle)
    made = shown(encoded(source, "png"), Rendition(tint=tint, format="png"))
    wanted = np.where(grey < middle, darker, lighter if middle < 255 else 255)
    assert np.abs(pixels(made) - wanted).max() <= 1
    assert np.abs(pixels(made) @ weights - grey[..., 0]).max() < 1.5
    if mode.endswith("A"):
        assert difference(made.getchannel("A"), source.getchannel("A"), "L") == 0


def gaussian(values: Any, sigma: float) -> Any:
    """Return the blurred values, computed in floating point with repeated edges."""
    reach = int(4 * sigma) + 1
    bell = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
    for axis in (0, 1):
        padded = np.pad(values, [(reach, reach) if at == axis else (0, 0) for at in range(3)], "edge")
        values = np.apply_along_axis(np.convolve, axis, padded, bell / bell.sum(), "valid")
    return values


@pytest.mark.parametrize("sigma", [0.4, 0.5, 1.7, 2.5, 7.9, 8.0, 21.3])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_blurred_rendition_is_close_to_a_gaussian_blur_computed_with_numpy(sigma: float, mode: str) -> None:
    """The blur keeps the brightness. The faster methods of libvips don't."""
    source = quarters(130, 91).convert(mode)
    wanted = gaussian(pixels(source).astype(float), sigma)
    made = pixels(shown(encoded(source, "png"), Rendition(blur=sigma, format="png")))
    assert np.abs(made - wanted).max() < 6
    assert abs((made - wanted).mean()) < 0.6


def test_the_radius_of_the_blur_grows_with_the_pixel_ratio() -> None:
    content = encoded(quarters(60, 40), "png")
    doubled = Rendition(blur=2, pixel_ratio=2, width=30, format="png")
    assert rendered(content, doubled).content == rendered(content, Rendition(blur=4, format="png")).content


@pytest.mark.parametrize("options", [{"blur": 3.0}, {"pixelate": 8}, {"sharpen": 1.0}])
def test_blur_sharpen_and_pixelate_ignore_the_colours_of_transparent_pixels(options: Any) -> None:
    """The opaque part of the picture is green, and the transparent part is red.

    The green stays green.
    """
    source = Image.new("RGBA", (40, 40), (255, 0, 0, 0))
    source.paste((0, 200, 0, 255), (0, 0, 18, 40))
    made = np.asarray(shown(encoded(source, "png"), Rendition(format="png", **options)))
    seen = made[made[..., 3] > 16].astype(int)
    assert seen[:, 0].max() <= 8
    assert np.abs(seen[:, 1] - 200).max() <= 8


def test_sharpening_steepens_edges_without_haloes() -> None:
    """No pixel beside an edge is visibly brighter or darker than the area around it.

    Greys stay grey.
    """
    edge = np.clip((np.arange(60) - 28) * 33 + 60, 60, 190)
    source = Image.fromarray(edge.astype("uint8")[None].repeat(20, 0))
    for sigma in (0.5, 1.0, 3.0, 10.0):
        made = pixels(shown(encoded(source.convert("RGB"), "png"), Rendition(sharpen=sigma, format="png")))
        row = made[10, :, 0]
        assert np.diff(row).max() > np.diff(edge).max()
        assert row.min() >= 50
        assert row.max() <= 200
        assert (made == made[..., :1]).all()


def test_sharpening_adds_the_unsharp_mask_of_the_luminance() -> None:
    source = photo(50, 40)
    values = pixels(source).astype(float)
    luminance = (values @ [0.2126, 0.7152, 0.0722])[..., None]
    detail = np.clip(luminance - gaussian(luminance, 2.0), -10, 10)
    made = shown(encoded(source, "png"), Rendition(sharpen=2, format="png"))
    assert np.abs(pixels(made) - np.clip(values + detail, 0, 255)).max() <= 2


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("side", [2, 7, 200])
def test_each_square_of_a_pixelated_picture_has_the_mean_colour_of_its_pixels(mode: str, side: int) -> None:
    source = photo(50, 40).convert(mode)
    values = pixels(source)
    wanted = np.empty_like(values)
    for down in range(0, 40, side):
        for across in range(0, 50, side):
            square = np.s_[down : down + side, across : across + side]
            wanted[square] = values[square].mean((0, 1))
    made = shown(encoded(source, "png"), Rendition(pixelate=side, format="png"))
    assert np.abs(pixels(made) - wanted).max() < 2
