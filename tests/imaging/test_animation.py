"""Animations: a rendition keeps every frame or shows only the first one."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image, ImageSequence

from imaging.pictures import difference, encoded, opened, photo, rendered
from renditions.imaging.render import render
from renditions.model.pipeline import Accept
from renditions.model.recipe import Rendition

DELAYS_MS = [100, 250, 50, 400]
FRAMES = [
    photo(160, 120),
    photo(160, 120).transpose(Image.Transpose.ROTATE_180),
    photo(160, 120).transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    photo(160, 120).convert("L").convert("RGB"),
]


def animated(file_format: str, loop: int) -> bytes:
    options = {"lossless": True} if file_format == "webp" else {}
    return encoded(
        FRAMES[0],
        file_format,
        save_all=True,
        append_images=FRAMES[1:],
        duration=DELAYS_MS,
        loop=loop,
        **options,
    )


def frames_of(content: bytes) -> tuple[list[Image.Image], list[int], int]:
    """Return an animation's frames, its delays in ms, and its loop count.

    A loop count of 0 means for ever.
    """
    picture = Image.open(io.BytesIO(content))
    frames, delays = [], []
    for frame in ImageSequence.Iterator(picture):
        frames.append(frame.convert("RGB"))
        delays.append(int(frame.info["duration"]))
    loop = picture.info.get("loop", 0)
    is_gif = picture.format == "GIF"
    return frames, delays, (loop + 1 if is_gif and loop else loop)


@pytest.mark.parametrize("source_format", ["gif", "webp"])
@pytest.mark.parametrize("output_format", ["gif", "webp", "auto"])
def test_an_animation_keeps_every_frame_with_its_delay(source_format: Any, output_format: Any) -> None:
    made = rendered(
        animated(source_format, 0), Rendition(format=output_format, width=80, animation="keep", quality=95)
    )
    assert made.format == (source_format if output_format == "auto" else output_format)
    assert (made.width, made.height) == (80, 60)
    frames, delays, loop = frames_of(made.content)
    assert delays == DELAYS_MS
    assert loop == 0
    for found, wanted in zip(frames, FRAMES, strict=True):
        assert difference(found, wanted.resize((80, 60), Image.Resampling.LANCZOS)) < 14


@pytest.mark.parametrize("source_format", ["gif", "webp"])
@pytest.mark.parametrize("output_format", ["gif", "webp"])
def test_an_animation_keeps_its_loop_count(source_format: Any, output_format: Any) -> None:
    source = animated(source_format, 3)
    _, _, wanted = frames_of(source)
    made = rendered(source, Rendition(format=output_format, animation="keep", width=40))
    assert frames_of(made.content)[2] == wanted


@pytest.mark.parametrize("source_format", ["gif", "webp"])
@pytest.mark.parametrize(
    "recipe",
    [
        Rendition(format="webp", width=80),
        Rendition(format="gif", width=80),
        Rendition(format="png", width=80, animation="keep"),
        Rendition(format="jpeg", width=80, animation="keep"),
    ],
    ids=["webp", "gif", "png can't", "jpeg can't"],
)
def test_a_still_rendition_shows_the_first_frame(source_format: str, recipe: Rendition) -> None:
    picture = opened(rendered(animated(source_format, 0), recipe).content)
    assert getattr(picture, "n_frames", 1) == 1
    assert difference(picture, FRAMES[0].resize((80, 60), Image.Resampling.LANCZOS)) < 14


@pytest.mark.parametrize("fit", ["cover", "contain", "fill", "inside", "outside"])
def test_every_frame_of_an_animation_gets_the_size_of_the_rendition(fit: Any) -> None:
    recipe = Rendition(format="webp", width=60, height=60, fit=fit, animation="keep", gravity="attention")
    made = rendered(animated("webp", 0), recipe)
    frames, _, _ = frames_of(made.content)
    assert len(frames) == 4
    assert {frame.size for frame in frames} == {(made.width, made.height)}


def test_one_rendering_makes_animated_and_still_renditions() -> None:
    result = render(
        animated("webp", 0),
        Accept(),
        {
            "still": Rendition(width=40),
            "moving": Rendition(format="webp", width=40, animation="keep"),
            "large": Rendition(format="webp", animation="keep"),
        },
    )
    assert list(result.made) == ["still", "moving", "large"]
    assert result.original.frames == 4


def test_transparent_frames_of_an_animation_stay_transparent() -> None:
    frames = [Image.new("RGBA", (40, 30), (255, 0, 0, 0)) for _ in range(2)]
    frames[0].paste((0, 0, 255, 255), (0, 0, 20, 30))
    frames[1].paste((0, 255, 0, 255), (20, 0, 40, 30))
    source = encoded(frames[0], "webp", save_all=True, append_images=frames[1:], duration=100, lossless=True)
    made = rendered(source, Rendition(format="webp", animation="keep", width=20, lossless=True))
    picture = opened(made.content)
    picture.seek(1)
    shown = picture.convert("RGBA")
    assert shown.getpixel((3, 5))[3] == 0  # type: ignore[index]
    assert shown.getpixel((17, 5)) == (0, 255, 0, 255)


def test_the_pages_of_a_tiff_are_counted_and_the_first_page_is_shown() -> None:
    source = encoded(FRAMES[0], "tiff", save_all=True, append_images=FRAMES[1:])
    result = render(source, Accept(), {"it": Rendition(format="png", animation="keep")})
    assert result.original.frames == 4
    assert difference(opened(result.made["it"].content), FRAMES[0]) == 0


def test_every_frame_of_a_rotated_animation_becomes_upright() -> None:
    exif = Image.Exif()
    exif[0x112] = 6
    lying = [frame.transpose(Image.Transpose.ROTATE_90) for frame in FRAMES]
    source = encoded(
        lying[0],
        "webp",
        save_all=True,
        append_images=lying[1:],
        duration=90,
        lossless=True,
        exif=exif.tobytes(),
    )
    made = rendered(source, Rendition(format="webp", animation="keep", lossless=True))
    assert (made.width, made.height) == (160, 120)
    frames, _, _ = frames_of(made.content)
    for found, wanted in zip(frames, FRAMES, strict=True):
        assert difference(found, wanted) == 0
