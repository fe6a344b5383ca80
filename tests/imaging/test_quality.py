"""The search for the quality of each picture, and the score that it uses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from imaging.pictures import encoded, opened, photo, rendered
from renditions.imaging.analysis.likeness import Likeness
from renditions.imaging.measure import measuring
from renditions.imaging.search import encode_within
from renditions.imaging.vips import Image as VipsImage
from renditions.imaging.vips import load
from renditions.model.recipe import Rendition

NOISE = np.random.default_rng(1).normal(size=(240, 320, 3))
LOSSY: tuple[Any, ...] = ("jpeg", "webp", "avif")


def textured(strength: float = 25) -> Image.Image:
    """Return a picture with details that encoders can lose."""
    waves = np.asarray(photo()) + strength * NOISE * (np.arange(320)[None, :, None] > 160)
    return Image.fromarray(np.clip(waves, 0, 255).astype("uint8"))


def loaded(picture: Image.Image) -> Any:
    return load("png", encoded(picture, "png"))


def noisy(amplitude: float, where: slice = slice(None)) -> Any:
    pixels: NDArray[np.float64] = np.asarray(textured(), float).copy()
    pixels[:, where] += amplitude * NOISE[:, where]
    return loaded(Image.fromarray(np.clip(pixels, 0, 255).astype("uint8")))


def score_of(content: bytes, recipe: Rendition, picture: Image.Image) -> float:
    original = rendered(encoded(picture, "png"), Rendition(format="png", width=recipe.width))
    return Likeness(load("png", original.content)).score(load(recipe.format, content))


def test_a_picture_compared_with_itself_has_the_highest_score() -> None:
    assert Likeness(loaded(textured())).score(loaded(textured())) == 100


def test_the_score_falls_as_noise_and_blur_grow() -> None:
    like = Likeness(loaded(textured()))
    by_noise = [like.score(noisy(amplitude)) for amplitude in (2, 5, 12, 30)]
    by_blur = [
        like.score(loaded(textured().filter(ImageFilter.GaussianBlur(radius)))) for radius in (0.5, 1, 2)
    ]
    for scores in (by_noise, by_blur):
        assert scores == sorted(scores, reverse=True)


def test_noise_lowers_the_score_less_in_detailed_than_in_plain_areas() -> None:
    like = Likeness(loaded(textured()))
    assert like.score(noisy(8, slice(160, None))) > like.score(noisy(8, slice(0, 160)))


def test_the_score_ignores_the_colours_of_transparent_pixels() -> None:
    hidden = [Image.new("RGBA", (40, 40), (*colour, 0)) for colour in ((255, 0, 0), (0, 0, 255))]
    assert Likeness(loaded(hidden[0])).score(loaded(hidden[1])) == 100


@pytest.mark.parametrize("size", [(1, 1), (3, 70), (17, 15)])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_small_picture_has_a_score(size: tuple[int, int], mode: str) -> None:
    grey, other = loaded(Image.new(mode, size, "gray")), loaded(Image.new(mode, size, "white"))
    assert Likeness(grey).score(grey) == 100
    assert Likeness(grey).score(other) < 50


@settings(deadline=None, max_examples=15)
@given(
    slope=st.floats(0.015, 0.12),
    strength=st.floats(5, 60),
    target=st.floats(50, 95),
    usual=st.sampled_from([60, 80, 82]),
)
@example(slope=0.015, strength=19.0, target=50.0, usual=80)
def test_the_quality_search_reaches_its_target_in_few_trials(
    slope: float, strength: float, target: float, usual: int
) -> None:
    """In this test, the error falls by a constant factor with each step of quality."""
    size = 48
    original = VipsImage.new_from_array(np.full((size, size, 3), 128, np.uint8))
    pattern = VipsImage.new_from_array(NOISE[:size, :size].astype(np.float32))
    tried: list[int] = []

    def encode(quality: int) -> bytes:
        tried.append(quality)
        return bytes([quality])

    def decode(content: bytes) -> Any:
        error = pattern * (strength * np.exp(-slope * content[0]))
        return (original + error).copy(interpretation="srgb")

    def score(quality: int) -> float:
        return Likeness(original).score(decode(bytes([quality])))

    content, quality = encode_within(original, target, encode, decode, usual)
    assert content == bytes([quality])
    assert score(quality) >= target or quality == 100
    assert len(tried) == len(set(tried)) <= 8
    if len(tried) < 4:
        # A lower quality would miss the target, or the result is already very close to the target.
        assert quality <= 3 or score(quality - 3) < target or 100 - score(quality) > 0.9 * (100 - target)


@pytest.mark.parametrize("output_format", LOSSY)
@pytest.mark.parametrize("target", [60, 85])
def test_the_quality_auto_reaches_its_target(output_format: Any, target: float) -> None:
    recipe = Rendition(format=output_format, width=200, quality="auto", target=target)
    content = rendered(encoded(textured(), "png"), recipe).content
    assert target <= score_of(content, recipe, textured()) < target + 10


def test_a_higher_target_gives_a_larger_file_and_the_same_target_gives_the_same_file() -> None:
    made = [
        rendered(encoded(textured(), "png"), Rendition(quality="auto", target=target)).content
        for target in (60, 80, 80, 95)
    ]
    assert made[1] == made[2]
    assert len(made[0]) < len(made[1]) < len(made[3])


def test_the_search_chooses_the_highest_quality_if_its_target_is_unreachable() -> None:
    content = rendered(encoded(textured(60), "png"), Rendition(quality="auto", target=99)).content
    tables: Any = opened(content)
    assert max(tables.quantization[0]) == 1


def test_the_quality_auto_needs_fewer_bytes_than_a_fixed_quality_with_the_same_score() -> None:
    source = encoded(textured(), "png")
    fixed = rendered(source, Rendition(width=200)).content
    reached = score_of(fixed, Rendition(width=200), textured())
    found = rendered(source, Rendition(width=200, quality="auto", target=reached)).content
    assert len(found) < len(fixed)


def test_the_search_finds_a_quality_for_grey_and_for_transparent_pictures() -> None:
    cut_out = textured().convert("RGBA")
    cut_out.putalpha(photo().convert("L"))
    for picture in (textured().convert("L"), cut_out):
        for output_format in LOSSY:
            recipe = Rendition(format=output_format, quality="auto", target=75)
            assert opened(rendered(encoded(picture, "png"), recipe).content).size == picture.size


def test_a_file_with_automatic_quality_does_not_exceed_max_bytes() -> None:
    source = encoded(textured(), "png")
    for output_format in ("jpeg", "pdf"):
        free: Any = Rendition(format=output_format, quality="auto", target=85)
        limit = len(rendered(source, free).content) // 2
        bounded: Any = Rendition(format=output_format, quality="auto", target=85, max_bytes=limit)
        assert len(rendered(source, bounded).content) <= limit


def test_all_frames_get_the_quality_that_was_found_for_the_middle_frame() -> None:
    frames = [textured(strength) for strength in (0, 20, 40)]
    source = encoded(frames[0], "webp", save_all=True, append_images=frames[1:], duration=50, lossless=True)
    recipe = Rendition(format="webp", animation="keep", quality="auto", target=70)
    with measuring():
        alone = [rendered(encoded(frame, "png"), recipe).measured for frame in frames]
        moving = rendered(source, recipe).measured
    first, middle, last = (each.quality for each in alone if each)
    assert moving
    assert moving.quality == middle
    assert middle not in (first, last)


def test_the_quality_auto_has_no_effect_on_formats_without_quality() -> None:
    source = encoded(photo(), "png")
    kept = Rendition(key="{key}", format="auto", quality="auto")
    assert rendered(source, kept).content == rendered(source, Rendition(key="{key}", format="auto")).content
