"""Crop, focus, trim, corners and padding, compared with Pillow and numpy."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageSequence

from imaging.pictures import difference, encoded, opened, photo, pixels, rendered, shown, why_not
from renditions.imaging.decode import read_header
from renditions.imaging.geometry import Offset, Rectangle, Size, centre, plan, region_of
from renditions.imaging.render import render
from renditions.model.pipeline import Accept
from renditions.model.recipe import Fit, Focus, Region, Rendition

LANCZOS = Image.Resampling.LANCZOS
INNER = Region(left=30, top=20, width=40, height=50)


def noisy(width: int = 320, height: int = 240) -> Image.Image:
    """Return a photo with noise in squares of 4 by 4 pixels.

    The noise makes a shift visible.
    """
    grain = np.random.default_rng(1).integers(-40, 41, (height // 4 + 1, width // 4 + 1, 3))
    fine = grain.repeat(4, 0).repeat(4, 1)[:height, :width]
    return Image.fromarray(np.clip(pixels(photo(width, height)) + fine, 0, 255).astype("uint8"))


def framed(colour: Any, mode: str = "RGB") -> Image.Image:
    """Return a photo of 60 by 40 on a background of 100 by 90.

    The photo's upper left corner is at 25, 13.
    """
    ground = Image.new(mode, (100, 90), colour)
    ground.paste(photo(60, 40).convert(mode), (25, 13))
    return ground


@pytest.mark.parametrize(
    ("source", "region", "part"),
    [
        ((200, 100), None, (0, 0, 200, 100)),
        ((200, 100), Region(width=100, height=100), (0, 0, 200, 100)),
        ((200, 100), Region(left=25, top=10, width=50, height=80), (50, 10, 100, 80)),
        ((3, 3), Region(left=33.3, top=66.7, width=66.7, height=33.3), (1, 2, 2, 1)),
        ((1, 1), Region(left=100, top=99.99, width=0.01, height=0.01), (0, 0, 1, 1)),
        ((10, 10), Region(left=0.5, width=0.01, height=5), (0, 0, 1, 1)),
    ],
)
def test_a_region_has_whole_pixels_and_is_at_least_one_pixel_large(
    source: tuple[int, int], region: Region | None, part: tuple[int, int, int, int]
) -> None:
    assert region_of(Size(*source), region) == Rectangle(*part)


@given(st.integers(1, 5000), st.floats(0, 99.99), st.floats(0.01, 100))
def test_a_region_lies_within_the_picture(length: int, start: float, extent: float) -> None:
    extent = min(extent, 100 - start)
    part = region_of(Size(length, length), Region(left=start, top=start, width=extent, height=extent))
    assert 0 <= part.left < part.right <= length
    assert abs(part.width - length * extent / 100) <= 1


@pytest.mark.parametrize("file_format", ["jpeg", "png", "webp", "avif", "gif", "tiff"])
def test_a_cropped_rendition_is_the_part_that_pillow_cuts_and_resizes(file_format: str) -> None:
    content = encoded(photo(), file_format)
    wanted = opened(content).convert("RGB").crop((96, 48, 224, 168)).resize((64, 60), LANCZOS)
    made = shown(content, Rendition(crop=INNER, width=64, format="png"))
    assert difference(made, wanted) < 1.5


@pytest.mark.parametrize("width", [997, 1000, 1024])
@pytest.mark.parametrize("left", [10, 10.1, 33.3, 47.7])
@pytest.mark.parametrize("scale", [2, 3.3, 5, 8, 13, 17.3])
def test_a_crop_of_a_shrunk_jpeg_has_the_declared_position(width: int, left: float, scale: float) -> None:
    """The decoder shrinks by whole numbers.

    So the edges of a region can lie between the shrunk picture's pixels.
    """
    content = encoded(noisy(width, 611), "jpeg")
    region = Region(left=left, top=13.7, width=43.1, height=60)
    part = region_of(Size(width, 611), region)
    side = round(part.width / scale)
    made = shown(content, Rendition(crop=region, width=side, format="png"))
    whole = opened(content)
    box = (part.left, part.top, part.right, part.bottom)
    right_place = difference(made, whole.crop(box).resize(made.size, LANCZOS))
    # The difference that a shift by a quarter of a pixel causes.
    move = scale / 4
    moved = (part.left + move, part.top + move, part.right + move, part.bottom + move)
    assert right_place < difference(made, whole.resize(made.size, LANCZOS, box=moved))
    assert right_place < 2.5


def test_a_small_region_of_a_large_picture_is_not_taken_from_a_small_copy() -> None:
    """One call makes a thumbnail and a detail.

    The detail is as sharp as if it were made alone.
    """
    content = encoded(noisy(1200, 900), "jpeg")
    detail = Rendition(crop=Region(left=50, top=50, width=10, height=10), width=120, format="png")
    both = render(content, Accept(), {"thumb": Rendition(width=100), "detail": detail}).made
    assert both["detail"].content == rendered(content, detail).content
    assert difference(opened(both["detail"].content), opened(content).crop((600, 450, 720, 540))) < 1


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("trim", [None, 0])
def test_a_region_is_measured_on_the_upright_picture(orientation: int, trim: int | None) -> None:
    methods: dict[int, Image.Transpose] = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_270,
    }  # fmt: skip
    upright = noisy(90, 60)
    stored = upright.transpose(methods[orientation]) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(stored, "png", exif=exif)
    assert read_header(content, "png").orientation == orientation
    made = shown(content, Rendition(crop=INNER, trim=trim, format="png"))
    assert difference(made, upright.crop((27, 12, 63, 42))) == 0


def test_a_picture_with_damage_outside_the_cropped_region_is_rejected() -> None:
    recipe = Rendition(crop=Region(width=20, height=20), width=10)
    for file_format in ("jpeg", "png", "tiff"):
        content = bytearray(encoded(noisy(400, 400), file_format, compression="tiff_lzw"))
        middle = len(content) * 3 // 4
        content[middle : middle + 64] = b"\xff\xd8" * 32
        assert render(bytes(content), Accept(), {"it": recipe}).rejected, file_format


def test_every_frame_of_an_animation_is_cropped_and_trimmed_in_the_same_way() -> None:
    """A spot moves through the frames.

    The result contains all places where the spot was.
    """
    frames = [Image.new("RGB", (80, 60), "navy") for _ in range(3)]
    for number, frame in enumerate(frames):
        ImageDraw.Draw(frame).rectangle(
            (20 + number * 10, 15 + number, 29 + number * 10, 24 + number), "white"
        )
    target = io.BytesIO()
    frames[0].save(target, "WEBP", save_all=True, append_images=frames[1:], lossless=True, duration=70)
    recipe = Rendition(
        trim=5, crop=Region(left=10, width=90, height=90), format="webp", lossless=True, animation="keep"
    )
    made = rendered(target.getvalue(), recipe)
    assert (made.width, made.height) == (30, 12)
    shown_frames = [
        frame.convert("RGB") for frame in ImageSequence.Iterator(Image.open(io.BytesIO(made.content)))
    ]
    for found, frame in zip(shown_frames, frames, strict=True):
        assert difference(found, frame.crop((20, 15, 50, 27))) == 0


@pytest.mark.parametrize(
    ("colour", "mode"), [("white", "RGB"), ("#123456", "RGB"), ("#10203000", "RGBA"), (40, "L")]
)
@pytest.mark.parametrize("file_format", ["png", "tiff"])
def test_trim_removes_borders_that_have_the_colour_of_the_upper_left_corner(
    colour: Any, mode: str, file_format: str
) -> None:
    content = encoded(framed(colour, mode), file_format)
    made = rendered(content, Rendition(trim=0, format="png"))
    assert (made.width, made.height) == (60, 40)
    assert difference(opened(made.content), photo(60, 40).convert(mode)) == 0


def test_trim_removes_transparent_borders_of_two_colours() -> None:
    picture = framed("#10203000", "RGBA")
    picture.paste((200, 0, 0, 0), (0, 70, 100, 90))
    assert shown(encoded(picture, "png"), Rendition(trim=0, format="png")).size == (60, 40)


@given(st.integers(0, 2**32), st.integers(0, 255), st.sampled_from(["RGB", "L"]))
@settings(deadline=None, max_examples=60)
def test_trim_gives_the_same_picture_as_a_computation_with_numpy(
    seed: int, tolerance: int, mode: str
) -> None:
    """Trim removes the rows and columns at an edge that look like the corner.

    No pixel in a removed row or column differs too much from the corner.
    """
    random = np.random.default_rng(seed)
    values = np.full((17, 13, len(mode)), 90)
    for _ in range(random.integers(0, 4)):
        values[random.integers(17), random.integers(13), random.integers(len(mode))] += random.integers(
            -90, 165
        )
    picture = Image.fromarray(values.astype("uint8").squeeze())
    far = (np.abs(values - values[0, 0]) > tolerance).any(-1)
    left, top, right, bottom = 0, 0, 13, 17
    if far.any():
        rows, columns = np.flatnonzero(far.any(1)).tolist(), np.flatnonzero(far.any(0)).tolist()
        left, top, right, bottom = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    made = shown(encoded(picture, "png"), Rendition(trim=tolerance, format="png"))
    wanted = picture.crop((left, top, right, bottom))
    assert made.size == wanted.size
    assert difference(made, wanted) == 0


def test_trim_tolerates_jpeg_noise_and_returns_the_remaining_size() -> None:
    content = encoded(framed("white").resize((1000, 900), Image.Resampling.NEAREST), "jpeg", quality=85)
    made = rendered(content, Rendition(trim=30, width=300))
    assert (made.width, made.height) == opened(made.content).size
    assert made.width == 300
    assert abs((made.height or 0) - 200) < 5


def test_trim_leaves_a_picture_of_one_colour_uncropped() -> None:
    made = rendered(encoded(Image.new("RGB", (70, 50), "teal"), "png"), Rendition(trim=10))
    assert (made.width, made.height) == (70, 50)


@pytest.mark.parametrize(
    ("focus", "offset"),
    [
        ((50, 50), (150, 20)), ((0, 0), (0, 0)), ((100, 100), (300, 40)),
        ((25, 50), (50, 20)), ((60, 90), (190, 40)),
    ],
)  # fmt: skip
def test_a_crop_has_the_focus_in_its_centre_as_far_as_possible(
    focus: tuple[float, float], offset: tuple[int, int]
) -> None:
    found = centre(Size(100, 60), Size(400, 100), Focus(x=focus[0], y=focus[1]))
    assert found == Offset(*offset)


@pytest.mark.parametrize("rotate", [0, 90])
def test_the_fit_cover_crops_around_the_focus_of_the_rotated_picture(rotate: Any) -> None:
    turned = photo(300, 300).crop((0, 0, 300, 100)).rotate(-rotate, expand=True)
    recipe = Rendition(width=50, height=50, fit="cover", rotate=rotate, focus=Focus(x=30, y=80), format="png")
    made = shown(encoded(photo(300, 300).crop((0, 0, 300, 100)), "png"), recipe)
    small = turned.resize((150, 50) if rotate == 0 else (50, 150), LANCZOS)
    left, top = (20, 0) if rotate == 0 else (0, 95)
    assert difference(made, small.crop((left, top, left + 50, top + 50))) < 1.5


sides = st.integers(1, 90)
regions = st.tuples(st.floats(0, 99), st.floats(0, 99), st.floats(0.01, 100), st.floats(0.01, 100)).map(
    lambda it: Region(left=it[0], top=it[1], width=min(it[2], 100 - it[0]), height=min(it[3], 100 - it[1]))
)


@settings(deadline=None, max_examples=80)
@given(
    sides,
    sides,
    st.sampled_from(["png", "jpeg", "webp"]),
    st.builds(
        Rendition,
        width=st.integers(1, 100),
        height=st.integers(1, 100),
        fit=st.sampled_from(get_args(Fit)),
        enlarge=st.booleans(),
        pixel_ratio=st.floats(1, 3),
        crop=st.none() | regions,
        rotate=st.sampled_from([0, 90, 180, 270]),
        tint=st.none() | st.just("#8090a0"),
        blur=st.floats(0, 9),
        sharpen=st.floats(0, 3),
        pixelate=st.integers(1, 30),
        corners=st.integers(0, 99) | st.just("circle"),
        padding=st.integers(0, 20),
        background=st.sampled_from(["white", "#80ff0080", "transparent"]),
        format=st.just("png"),
    ),
)
def test_a_rendition_with_any_shape_has_the_planned_size(
    width: int, height: int, file_format: str, recipe: Rendition
) -> None:
    region = region_of(Size(width, height), recipe.crop)
    promised = plan(region.size, recipe).output
    made = rendered(encoded(photo(width, height), file_format), recipe)
    assert opened(made.content).size == (promised.width, promised.height) == (made.width, made.height)


def coverage(width: int, height: int, radius: float, inset: tuple[float, float]) -> Any:
    """Return the share of each pixel that is inside the round shape, from 0 to 255.

    It is measured with 16 by 16 samples.
    """
    y, x = (np.mgrid[0 : height * 16, 0 : width * 16] + 0.5) / 16
    across = np.maximum(np.abs(x - width / 2) - inset[0], 0)
    down = np.maximum(np.abs(y - height / 2) - inset[1], 0)
    inside = np.hypot(across, down) <= radius
    return inside.reshape(height, 16, width, 16).mean((1, 3)) * 255


@pytest.mark.parametrize("size", [(60, 40), (41, 41), (7, 90)])
@pytest.mark.parametrize("corners", [1, 9, 1000, "circle"])
def test_a_pixel_of_a_round_corner_is_transparent_by_its_share_outside_the_shape(
    size: tuple[int, int], corners: Any
) -> None:
    shorter = min(size) / 2
    radius = shorter if corners == "circle" else min(corners, shorter)
    inset = (0.0, 0.0) if corners == "circle" else (size[0] / 2 - radius, size[1] / 2 - radius)
    made = shown(encoded(photo(*size), "png"), Rendition(corners=corners, format="png"))
    found = np.asarray(made.getchannel("A")).astype(float)
    assert np.abs(found - coverage(*size, radius, inset)).max() < 30
    assert difference(made, photo(*size)) == 0


def test_round_corners_show_the_background_if_the_format_has_no_transparency() -> None:
    made = shown(encoded(photo(), "png"), Rendition(corners=40, background="#102030", quality=95))
    assert np.abs(np.array(made.getpixel((1, 1))) - [16, 32, 48]).max() < 6
    assert difference(made.crop((40, 40, 280, 200)), photo().crop((40, 40, 280, 200))) < 3


@given(st.integers(20, 1500), st.integers(20, 1000), st.integers(5, 300), st.sampled_from(["LA", "RGBA"]))
@settings(max_examples=40, deadline=None)
def test_an_opaque_picture_without_round_corners_stays_opaque_at_any_size(
    width: int, height: int, box: int, mode: str
) -> None:
    source = Image.new(mode, (width, height), "white")
    made = shown(encoded(source, "png"), Rendition(width=box, height=box, format="png"))
    assert made.getchannel("A").getextrema() == (255, 255)


def test_the_alpha_of_round_corners_is_multiplied_with_the_alpha_of_the_picture() -> None:
    source = photo(40, 40)
    source.putalpha(100)
    made = shown(encoded(source, "png"), Rendition(corners="circle", format="png"))
    alpha = made.getchannel("A")
    assert (alpha.getpixel((20, 20)), alpha.getpixel((0, 0))) == (100, 0)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA"])
@pytest.mark.parametrize("background", ["white", "#102030", "#10203080", "transparent"])
def test_padding_puts_the_picture_on_the_declared_background(mode: str, background: str) -> None:
    """The result is almost the same as that of Pillow.

    The background is visible through translucent parts of the picture.
    """
    source = photo(40, 30).convert(mode)
    if mode.endswith("A"):
        source.putalpha(Image.linear_gradient("L").resize((40, 30)))
    colour = "#00000000" if background == "transparent" else background
    wanted = Image.new("RGBA", (60, 50), colour)
    wanted.alpha_composite(source.convert("RGBA"), (10, 10))
    recipe = Rendition(padding=5, pixel_ratio=2, width=20, background=background, format="png")
    made = shown(encoded(source, "png"), recipe).convert("RGBA")
    assert made.size == (60, 50)
    opaque = [
        np.asarray(Image.alpha_composite(Image.new("RGBA", (60, 50), "teal"), each))
        for each in (made, wanted)
    ]
    assert np.abs(opaque[0].astype(int) - opaque[1]).max() <= 2
    assert difference(made.getchannel("A"), wanted.getchannel("A"), "L") <= 1


def test_a_rendition_whose_padding_is_too_large_for_its_format_fails() -> None:
    recipe = Rendition(padding=9000, format="webp")
    assert "at most 16,383" in str(render(encoded(photo(), "png"), Accept(), {"it": recipe}).errors["it"])


SQUARE = (
    b"<svg xmlns='http://www.w3.org/2000/svg' width='40' height='20'>"
    b"<rect x='10' y='5' width='20' height='10' fill='red'/></svg>"
)
DRAWINGS = Accept(formats=("svg", "pdf", "tiff"), max_pixels=1_000_000)


def test_a_part_of_a_drawing_is_drawn_in_the_needed_size() -> None:
    quarter = Region(left=50, top=0, width=50, height=50)
    made = rendered(SQUARE, Rendition(crop=quarter, width=400, format="png"), DRAWINGS)
    assert (made.width, made.height) == (400, 200)
    alpha = np.asarray(opened(made.content).getchannel("A"))
    assert (alpha[102:, :198] == 255).all()
    assert (alpha[:98].max(), alpha[:, 202:].max()) == (0, 0)
    tiny = Rendition(crop=Region(width=1, height=1), width=400, height=400, fit="fill")
    assert rendered(SQUARE, tiny, DRAWINGS).height == 400
    assert "more than the 1,000,000 that" in why_not(SQUARE, replace(tiny, width=4000), DRAWINGS)


def test_a_drawing_is_trimmed_to_its_visible_content() -> None:
    made = rendered(SQUARE, Rendition(trim=0, width=300, format="png"), DRAWINGS)
    assert (made.width, made.height) == (300, 150)
    assert np.asarray(opened(made.content))[2:-2, 2:-2].reshape(-1, 4).min(0).tolist() == [255, 0, 0, 255]
    natural = rendered(SQUARE, Rendition(trim=0, format="png"), DRAWINGS)
    assert (natural.width, natural.height) == (20, 10)


def test_trim_finds_the_borders_of_each_page_of_a_document() -> None:
    target = io.BytesIO()
    other = Image.new("RGB", (100, 90), "white")
    other.paste("black", (0, 0, 1, 1))
    other.paste(photo(60, 40), (40, 50))
    framed("white").save(target, "TIFF", save_all=True, append_images=[other])
    for page, size in (("1", (60, 40)), ("2", (100, 90))):
        made = rendered(target.getvalue(), Rendition(trim=0, pages=page, format="png"), DRAWINGS)
        assert (made.width, made.height) == size
