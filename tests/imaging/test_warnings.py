"""The warnings that a rendering gives."""

from __future__ import annotations

import pytest
from PIL import Image

from imaging.pictures import encoded
from renditions.imaging.render import render
from renditions.imaging.warn import collected, warn
from renditions.model.pipeline import Accept
from renditions.model.recipe import Rendition
from renditions.model.warning import MOST_TEXT, MOST_WARNINGS, PictureWarning

FRAMES = [Image.new("RGB", (40, 30), colour) for colour in ("red", "lime", "blue")]
KEPT = Rendition(width=20, format="webp", animation="keep")


def animation(file_format: str) -> bytes:
    return encoded(FRAMES[0], file_format, save_all=True, append_images=FRAMES[1:], duration=100)


def test_a_kept_animation_with_one_decoded_frame_gives_a_warning() -> None:
    recipes = {"moving": KEPT, "still": Rendition(width=20)}
    (warning,) = render(animation("png"), Accept(), recipes).warnings
    assert warning.code == "animation-dropped"
    assert warning.renditions == ("moving",)
    assert str(warning).endswith(" (moving) [animation-dropped]")


@pytest.mark.parametrize(
    ("source", "recipe"),
    [
        (animation("gif"), KEPT),
        (animation("png"), Rendition(width=20, format="webp")),
        (encoded(FRAMES[0], "png"), KEPT),
    ],
    ids=["every frame is kept", "one frame is declared", "no animation"],
)
def test_no_warning_is_given_if_nothing_is_left_out(source: bytes, recipe: Rendition) -> None:
    rendering = render(source, Accept(), {"it": recipe})
    assert rendering.made
    assert rendering.warnings == ()


def test_a_warning_with_the_same_text_is_reported_once() -> None:
    with collected() as warnings:
        warn("animation-dropped", "one")
        warn("animation-dropped", "two")
        warn("animation-dropped", "one")
    assert warnings == [PictureWarning("animation-dropped", text) for text in ("one", "two")]


def test_a_warning_about_several_renditions_is_reported_once_and_names_all_of_them() -> None:
    with collected() as warnings:
        warn("glyph-missing", "one", "thumb")
        warn("glyph-missing", "one", "large", "thumb")
        warn("glyph-missing", "two", "thumb")
        warn("glyph-missing", "two")
    assert [(each.text, each.renditions) for each in warnings] == [("one", ("thumb", "large")), ("two", ())]


def test_the_number_and_the_length_of_warnings_are_limited() -> None:
    with collected() as warnings:
        for number in range(2 * MOST_WARNINGS):
            warn("animation-dropped", f"{number} {'x' * MOST_TEXT}")
    assert len(warnings) == MOST_WARNINGS
    assert all(len(warning.text) == MOST_TEXT for warning in warnings)
