"""The analysis of a picture, compared with Pillow, numpy and other packages."""

from __future__ import annotations

import base64
import math
from typing import Any

import blurhash
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from imaging.pictures import INPUT_FORMATS, STORED_AS, encoded, photo, quarters, stored
from renditions.imaging.analysis.palette import find_colours
from renditions.imaging.analysis.placeholder import SmallPicture, make_blurhash, make_thumbhash
from renditions.imaging.render import render
from renditions.model.original import Analysis, DominantColour
from renditions.model.pipeline import Accept, Analyze
from renditions.model.recipe import Rendition
from renditions.model.rendering import Rendering

ALL = Analyze(
    exif=True,
    position=True,
    colours=4,
    placeholder="thumbhash",
    perceptual_hash=True,
    sharpness=True,
    transparency=True,
)
THUMB = {"thumb": Rendition(width=40)}


def analyzed(content: bytes, analyze: Analyze, accept: Accept | None = None) -> Rendering:
    """Analyze a picture without making renditions; return the result."""
    return render(content, accept or Accept(), {}, analyze)


def found_in(content: bytes, analyze: Analyze = ALL) -> Analysis:
    """Return the analysis of a picture; fail with the reason if it is rejected."""
    result = analyzed(content, analyze)
    assert result.rejected is None, result.rejected
    assert result.original.analysis
    return result.original.analysis


def scene(width: int = 640, height: int = 480, seed: int = 5) -> Image.Image:
    """Return a picture of coarse and fine random shapes."""
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width, 3))
    for cells in (3, 9, 30, 120):
        grain = rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8)
        total += np.asarray(Image.fromarray(grain).resize((width, height), Image.Resampling.BICUBIC))
    return Image.fromarray((total / 4).astype("uint8"))


def translucent(picture: Image.Image) -> Image.Image:
    """Return the picture with different alpha in different places."""
    clouded = picture.convert("RGBA")
    clouded.putalpha(scene(*picture.size, seed=9).convert("L"))
    return clouded


def small(picture: Image.Image) -> SmallPicture:
    return SmallPicture(*picture.size, picture.convert("RGBA").tobytes())


def cosines(count: int) -> NDArray[np.float64]:
    """Return the matrix of the discrete cosine transform of type II."""
    places = np.arange(count)
    return np.cos(np.pi * places[:, None] * (2 * places[None] + 1) / (2 * count))


def phash(picture: Image.Image) -> int:
    """Return pHash by ImageHash's method: with Pillow's grey and the whole transform."""
    grey = picture.convert("L").resize((32, 32), Image.Resampling.LANCZOS)
    low = (cosines(32) @ np.asarray(grey, float) @ cosines(32).T)[:8, :8]
    return int("".join(str(int(bit)) for bit in (low > np.median(low)).ravel()), 2)


def bits_apart(one: str | int | None, other: str | int | None) -> int:
    """Return the number of bits in which two hashes differ."""
    first, second = (int(each, 16) if isinstance(each, str) else each for each in (one, other))
    assert first is not None
    assert second is not None
    return (first ^ second).bit_count()


def laplacian_variance(picture: Image.Image) -> float:
    """Return the sharpness, computed by its definition.

    The picture is first reduced to at most 512 pixels on a side.
    """
    picture = picture.convert("L")
    picture.thumbnail((512, 512), Image.Resampling.LANCZOS)
    grey = np.pad(np.asarray(picture, float), 1, mode="edge")
    centre = grey[1:-1, 1:-1]
    return float((grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * centre).var())


SMALL = {
    "wide": scene(64, 48),
    "tall": scene(48, 64, 6),
    "square": scene(50, 50, 7),
    "strip": scene(64, 9, 8),
}


@pytest.mark.parametrize("is_translucent", [False, True])
@pytest.mark.parametrize("picture", SMALL.values(), ids=SMALL)
def test_a_thumbhash_equals_that_of_another_implementation(
    reference_thumbhash: Any, picture: Image.Image, *, is_translucent: bool
) -> None:
    rgba = small(translucent(picture) if is_translucent else picture)
    theirs = bytes(reference_thumbhash.rgba_to_thumb_hash(rgba.width, rgba.height, rgba.rgba))
    assert base64.b64decode(make_thumbhash(rgba)) == theirs


def test_the_thumbhash_of_a_picture_of_one_colour_shows_this_colour(reference_thumbhash: Any) -> None:
    thumbhash = make_thumbhash(small(Image.new("RGB", (9, 9), "navy")))
    _, _, told = reference_thumbhash.thumb_hash_to_rgba(base64.b64decode(thumbhash))
    assert np.abs(np.asarray(told, int).reshape(-1, 4) - (0, 0, 128, 255)).max() <= 8


@pytest.mark.parametrize("picture", SMALL.values(), ids=SMALL)
def test_a_blurhash_equals_that_of_another_implementation(picture: Image.Image) -> None:
    across, down = (3, 4) if picture.height > picture.width else (4, 3)
    theirs = blurhash.encode(np.asarray(picture.convert("RGB")), across, down)
    assert make_blurhash(small(picture)) == theirs


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_placeholders_of_any_pixels_can_be_decoded(reference_thumbhash: Any, data: st.DataObject) -> None:
    width, height = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 9))
    rgba = data.draw(st.binary(min_size=4 * width * height, max_size=4 * width * height))
    picture = SmallPicture(width, height, rgba)
    thumbhash = base64.b64decode(make_thumbhash(picture))
    assert len(thumbhash) <= 25
    assert reference_thumbhash.thumb_hash_to_rgba(thumbhash)
    assert np.isfinite(blurhash.decode(make_blurhash(picture), 4, 4)).all()


@pytest.mark.parametrize("source_format", INPUT_FORMATS)
def test_the_thumbhash_of_a_picture_shows_its_mean_colour(
    reference_thumbhash: Any, source_format: str
) -> None:
    picture = scene(400, 300)
    found = found_in(encoded(picture, source_format))
    _, _, told = reference_thumbhash.thumb_hash_to_rgba(base64.b64decode(found.thumbhash or ""))
    shown = np.asarray(told, float).reshape(-1, 4)[:, :3].mean(0)
    assert np.abs(shown - np.asarray(picture).mean((0, 1))).max() < 12


@pytest.mark.parametrize("placeholder", ["thumbhash", "blurhash"])
def test_only_the_declared_placeholder_is_made(placeholder: Any) -> None:
    item = found_in(encoded(photo(), "png"), Analyze(placeholder=placeholder)).to_item()
    assert list(item) == [placeholder]


@pytest.mark.parametrize("orientation", STORED_AS)
def test_the_analysis_is_the_same_for_every_orientation_of_a_picture(orientation: int) -> None:
    upright = scene(320, 240)
    turned = found_in(stored(upright, "png", orientation))
    assert turned.to_item() == found_in(encoded(upright, "png")).to_item()


@pytest.mark.parametrize("seed", range(4))
def test_a_perceptual_hash_differs_from_phash_in_at_most_four_bits(seed: int) -> None:
    picture = scene(500, 400, seed)
    told = found_in(encoded(picture, "png")).perceptual_hash
    assert told == f"{int(told or '', 16):016x}"
    assert bits_apart(told, phash(picture)) <= 4


def test_perceptual_hashes_of_copies_are_similar_and_those_of_other_pictures_are_not() -> None:
    picture = scene(400, 300)
    copies = [
        encoded(picture.resize((200, 150)), "jpeg", quality=50),
        encoded(picture.convert("L"), "webp", quality=60),
        encoded(picture.filter(ImageFilter.GaussianBlur(1)), "avif", quality=60),
    ]
    own = found_in(encoded(picture, "png")).perceptual_hash
    assert max(bits_apart(own, found_in(copy).perceptual_hash) for copy in copies) <= 6
    others = [found_in(encoded(scene(400, 300, seed), "png")).perceptual_hash for seed in range(10, 14)]
    assert min(bits_apart(own, other) for other in others) >= 16


def test_the_perceptual_hash_of_a_picture_of_one_colour_has_only_one_bit_set() -> None:
    """Frequencies that cancel out must be exactly zero.

    Then only the mean is above the median.
    """
    for colour in ("teal", "#808080", "white"):
        found = found_in(encoded(Image.new("RGB", (70, 50), colour), "png"))
        assert found.perceptual_hash == "8000000000000000"
        assert found.sharpness == 0


@pytest.mark.parametrize("size", [(400, 300), (700, 700), (1100, 700)])
def test_sharpness_is_the_variance_of_the_laplacian(size: tuple[int, int]) -> None:
    picture = scene(*size)
    assert found_in(encoded(picture, "png")).sharpness == pytest.approx(laplacian_variance(picture), rel=0.03)


def test_a_blurred_picture_has_a_lower_sharpness() -> None:
    picture = scene(600, 500)
    blurred = [picture, *(picture.filter(ImageFilter.GaussianBlur(radius)) for radius in (1, 2, 4))]
    told = [found_in(encoded(each, "jpeg", quality=90)).sharpness or math.inf for each in blurred]
    assert told == sorted(told, reverse=True)
    assert told[0] > 5 * told[-1]


def test_the_sharpness_hardly_depends_on_the_resolution_and_on_the_renditions() -> None:
    picture = scene(1280, 960).filter(ImageFilter.GaussianBlur(3))
    whole = encoded(picture, "tiff")
    half = encoded(picture.resize((640, 480)), "tiff")
    assert found_in(half).sharpness == pytest.approx(found_in(whole).sharpness, rel=0.1)
    for source in (encoded(picture, "jpeg", quality=95), whole):
        alone = found_in(source).sharpness
        for width in (40, 500, 1280):
            result = render(source, Accept(), {"it": Rendition(width=width)}, ALL)
            assert result.original.analysis
            assert result.original.analysis.sharpness == pytest.approx(alone, rel=0.08)


def test_a_rule_on_sharpness_rejects_a_picture_without_edges() -> None:
    source = encoded(Image.new("RGB", (90, 90), "teal"), "png")
    result = render(source, Accept(min_sharpness=50), THUMB)
    assert str(result.rejected) == (
        "the sharpness is 0, but [accept] min_sharpness requires at least 50. "
        "Upload a sharper picture, or lower the limit"
    )
    assert (dict(result.made), result.original.width, result.original.analysis) == ({}, 90, None)
    kept = render(encoded(scene(), "png"), Accept(min_sharpness=5), THUMB)
    assert kept.rejected is None
    assert kept.original.analysis is None, "the rule alone records nothing"


def test_the_analysis_finds_four_colours_with_their_shares() -> None:
    shares = dict.fromkeys(("#ff0000", "#00ff00", "#0000ff", "#ffff00"), pytest.approx(0.25, abs=0.01))
    for source in (encoded(quarters(), "png"), encoded(quarters(1200, 800), "png")):
        told = found_in(source).colours
        assert {colour.colour: colour.share for colour in told} == shares
    assert len(found_in(encoded(quarters(), "png"), Analyze(colours=10)).colours) == 4


def test_colours_are_sorted_by_their_share_and_transparent_pixels_do_not_count() -> None:
    picture = Image.new("RGBA", (100, 100), (0, 0, 0, 0))
    picture.paste("red", (0, 0, 100, 30))
    picture.paste("navy", (0, 30, 100, 40))
    told = found_in(encoded(picture, "png")).colours
    assert [colour.colour for colour in told] == ["#ff0000", "#000080"]
    assert [colour.share for colour in told] == pytest.approx([0.75, 0.25], abs=0.02)


def test_a_fully_transparent_picture_has_no_dominant_colours() -> None:
    item = found_in(encoded(Image.new("RGBA", (50, 50)), "png")).to_item()
    assert "colours" not in item
    assert item["transparency"] is True


def test_the_dominant_colours_of_a_grey_picture_are_grey() -> None:
    told = found_in(encoded(photo().convert("L"), "png")).colours
    assert all(len(set(bytes.fromhex(colour.colour[1:]))) == 1 for colour in told)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(*[st.integers(0, 255)] * 3), max_size=60), st.integers(1, 10))
def test_the_analysis_finds_at_most_the_declared_number_of_colours_and_their_shares_add_up_to_one(
    pixels: list[tuple[int, int, int]], most: int
) -> None:
    told = find_colours(pixels, most)
    assert len(told) == min(most, len(set(pixels)))
    assert sum(colour.share for colour in told) == pytest.approx(1 if pixels else 0, abs=0.01)
    if len(set(pixels)) == len(told):
        assert {colour.colour for colour in told} == {f"#{bytes(pixel).hex()}" for pixel in pixels}


@pytest.mark.parametrize("source_format", ["png", "tiff"])
@pytest.mark.parametrize("size", [(61, 43), (300, 200), (700, 451)])
def test_a_picture_with_alpha_has_no_transparency_if_all_of_its_pixels_are_opaque(
    source_format: str, size: tuple[int, int]
) -> None:
    picture = scene(*size).convert("RGBA")
    source = encoded(picture, source_format)
    assert found_in(source, Analyze(transparency=True)) == Analysis(transparency=False)


def test_the_analysis_finds_a_single_transparent_pixel() -> None:
    """The analysis checks each pixel. In a smaller copy the pixel would be lost."""
    picture = scene(700, 450).convert("RGBA")
    picture.putpixel((699, 449), (0, 0, 0, 254))
    for source_format in ("png", "webp"):
        source = encoded(picture, source_format)
        assert found_in(source, Analyze(transparency=True)).transparency is True
    assert found_in(encoded(photo(), "jpeg"), Analyze(transparency=True)).transparency is False


def test_analysis_uses_the_first_frame_of_an_animation() -> None:
    frames = [quarters(), Image.new("RGB", (120, 80), "black")]
    source = encoded(frames[0], "webp", save_all=True, append_images=frames[1:], lossless=True)
    for recipes in ({}, {"it": Rendition(format="webp", animation="keep")}):
        result = render(source, Accept(), recipes, Analyze(colours=1))
        assert result.original.analysis
        assert result.original.analysis == found_in(encoded(frames[0], "webp"), Analyze(colours=1))


def test_an_analysis_does_not_change_the_bytes_of_renditions() -> None:
    source = encoded(scene(1280, 960), "jpeg", quality=90)
    recipes = {"large": Rendition(width=1200), "text": Rendition(format="base64")}
    with_it, without = render(source, Accept(), recipes, ALL), render(source, Accept(), recipes)
    assert with_it.made == without.made
    assert without.original.analysis is None


def test_a_picture_with_only_a_base64_rendition_is_analyzed() -> None:
    result = render(encoded(photo(), "png"), Accept(), {"text": Rendition(format="base64")}, ALL)
    assert result.original.analysis
    assert result.original.width == 320
    assert list(result.made) == ["text"]


def test_a_damaged_picture_is_rejected_even_if_it_is_only_analyzed() -> None:
    source = encoded(photo(), "jpeg")
    result = analyzed(source[: len(source) // 2], ALL)
    assert result.rejected
    assert result.original.analysis is None


def test_the_analysis_of_a_drawing_uses_its_drawn_pixels() -> None:
    source = b"""<svg xmlns="http://www.w3.org/2000/svg" width="20" height="10">
        <rect x="10" width="10" height="10" fill="#336699"/></svg>"""
    result = analyzed(source, Analyze(colours=3, transparency=True), Accept(formats=("svg",)))
    assert result.original.analysis == Analysis(colours=(DominantColour("#336699", 1.0),), transparency=True)


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (900, 1), (2, 3)])
def test_a_tiny_or_narrow_picture_has_a_full_analysis(size: tuple[int, int]) -> None:
    item = found_in(encoded(Image.new("RGB", size, "teal"), "png"), ALL).to_item()
    assert item.keys() == {"colours", "thumbhash", "perceptual_hash", "sharpness", "transparency"}
    assert found_in(encoded(Image.new("RGB", size, "teal"), "png"), Analyze(placeholder="blurhash")).blurhash
