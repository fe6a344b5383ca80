"""Pictures that Chromium saves from a web page's canvas."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from imaging.drawn import Drawn
from imaging.pictures import opened, rendered, shown
from imaging.test_declared_colours import COLOURS, SIDE, coded, found
from renditions.imaging.render import render
from renditions.model.pipeline import Accept
from renditions.model.recipe import Rendition
from web.browser import CHROMIUM, open_browser

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium isn't installed")
PNG = Rendition(format="png")
OPAQUE = tuple(f"rgb({' '.join(map(str, colour))})" for colour in COLOURS.astype(int).tolist())
HALF_SEEN = tuple(colour.replace(")", " / 0.4)") for colour in OPAQUE)
TYPES = ("image/png", "image/jpeg", "image/webp")


@pytest.fixture(scope="module")
def canvas() -> Iterator[Drawn]:
    with open_browser() as browser:
        yield Drawn(browser)


@pytest.mark.parametrize("depth", ["unorm8", "float16"])
@pytest.mark.parametrize("space", ["srgb", "display-p3"])
@pytest.mark.parametrize("media_type", TYPES)
def test_a_file_that_a_browser_saves_from_a_canvas_shows_the_painted_colours(
    canvas: Drawn, media_type: str, space: str, depth: str
) -> None:
    source = canvas.saved(OPAQUE, SIDE, space, depth, media_type)
    if space == "display-p3":
        # The file has the numbers of Display P3, so they differ from those of sRGB.
        numbers = found(opened(source))
        assert np.abs(numbers - 255 * coded("p3")[0, ::SIDE]).max() <= 4
        assert np.abs(numbers - COLOURS).max() > 10
        assert "icc_profile" in opened(source).info
    assert np.abs(found(shown(source, PNG)) - COLOURS).max() <= 4


@pytest.mark.parametrize("media_type", TYPES)
def test_a_canvas_colour_outside_srgb_is_clipped_or_kept_with_its_profile(
    canvas: Drawn, media_type: str
) -> None:
    source = canvas.saved(["color(display-p3 0 1 0)"], SIDE, "display-p3", "unorm8", media_type)
    assert np.abs(found(shown(source, PNG)) - (0, 255, 0)).max() <= 2
    kept = opened(rendered(source, Rendition(format="png", profile="keep")).content)
    assert np.abs(found(kept) - (0, 255, 0)).max() <= 2
    assert kept.info["icc_profile"] == opened(source).info["icc_profile"]


@pytest.mark.parametrize("depth", ["unorm8", "float16"])
@pytest.mark.parametrize("space", ["srgb", "display-p3"])
@pytest.mark.parametrize("media_type", ["image/png", "image/webp"])
def test_a_file_of_a_translucent_canvas_keeps_its_alpha_and_its_colours(
    canvas: Drawn, media_type: str, space: str, depth: str
) -> None:
    made = shown(canvas.saved(HALF_SEEN, SIDE, space, depth, media_type), PNG)
    assert made.mode == "RGBA"
    assert set(np.asarray(made)[..., 3].ravel()) == {102}
    assert np.abs(found(made) - COLOURS).max() <= 4


def test_a_jpeg_of_a_transparent_canvas_shows_the_declared_background(canvas: Drawn) -> None:
    source = canvas.saved(["transparent", "rgb(0 0 255 / 0.5)"], SIDE, "display-p3", "float16", "image/png")
    made = found(shown(source, Rendition(format="jpeg", background="#ff0000", quality=100)))
    assert np.abs(made - [(255, 0, 0), (127, 0, 128)]).max() <= 4


@pytest.mark.parametrize("media_type", TYPES)
def test_a_truncated_file_of_a_canvas_is_rejected(canvas: Drawn, media_type: str) -> None:
    source = canvas.saved(OPAQUE, SIDE, "display-p3", "unorm8", media_type)
    rendering = render(source[:-20], Accept(), {"it": PNG})
    assert rendering.rejected
    assert rendering.made == {}
