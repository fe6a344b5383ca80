"""Watermarks: their places, opacities and fonts, compared with numpy and Pillow."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fontpkg_open_sans import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageCms, ImageFont, ImageSequence

from imaging.pictures import difference, encoded, opened, photo, pixels, rendered, shown
from renditions.errors import Undecodable
from renditions.imaging.render import render
from renditions.imaging.typeface import default_font, find_missing
from renditions.model.fields import Attachment
from renditions.model.pipeline import Accept
from renditions.model.recipe import Rendition, Watermark

GRAVITIES = [
    ("northwest", 4, 4), ("north", 90, 4), ("northeast", 176, 4),
    ("west", 4, 45), ("center", 90, 45), ("east", 176, 45),
    ("southwest", 4, 86), ("south", 90, 86), ("southeast", 176, 86),
]  # fmt: skip
HOSTILE_FONTS = """\
<fontconfig><dir>/usr/share/fonts</dir>
<match target="font"><edit name="embolden" mode="assign"><bool>true</bool></edit></match>
<match target="pattern"><edit name="family" mode="assign"><string>serif</string></edit></match>
</fontconfig>
"""


def attach(picture: Image.Image, file_format: str = "png") -> Attachment:
    return Attachment(f"logo.{file_format}", encoded(picture, file_format))


def logo(width: int, height: int, *fill: int) -> Attachment:
    """Return an attachment with a picture of one colour."""
    mode = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[len(fill)]
    return attach(Image.new(mode, (width, height), fill if len(fill) > 1 else fill[0]))


def marked(source: Image.Image, more: dict[str, Any] | None = None, **options: Any) -> Image.Image:
    recipe = Rendition(format="png", watermark=Watermark(**options), **(more or {}))
    return shown(encoded(source, "png"), recipe)


def changed(before: Image.Image, after: Image.Image) -> tuple[int, int, int, int] | None:
    """Return the box around all pixels that differ, in Pillow's form."""
    differing = np.abs(pixels(before) - pixels(after)).max(axis=2) > 0
    return Image.fromarray(differing).getbbox()


@pytest.mark.parametrize(("gravity", "left", "top"), GRAVITIES)
def test_a_watermark_has_the_place_of_its_gravity_and_changes_no_other_pixel(
    gravity: str, left: int, top: int
) -> None:
    source = Image.new("RGB", (200, 100), "white")
    made = marked(source, image=logo(40, 20, 200, 0, 0), size=10.0, offset=4.0, gravity=gravity)
    assert changed(source, made) == (left, top, left + 20, top + 10)


@pytest.mark.parametrize("opacity", [1.0, 37.5, 60.0, 100.0])
@pytest.mark.parametrize("mark", [(250, 10, 90), (250, 10, 90, 128), (30,), (240, 99)])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_the_opacity_of_a_watermark_is_multiplied_with_the_alpha_of_its_image(
    mark: tuple[int, ...], opacity: float, mode: str
) -> None:
    source = photo(80, 60).convert(mode)
    made = marked(source, image=logo(8, 6, *mark), size=100.0, opacity=opacity)
    alpha = np.rint((mark[-1] if len(mark) in (2, 4) else 255) * opacity / 100) / 255
    colours = mark[:3] if len(mark) >= 3 else mark[:1] * 3
    wanted = np.array(colours) * alpha + pixels(source) * (1 - alpha)
    assert np.abs(pixels(made) - wanted).max() <= 1
    assert (made.mode == "L") == (mode == "L" and len(mark) < 3)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_a_watermark_over_transparent_parts_is_composed_by_the_rules_of_porter_and_duff(mode: str) -> None:
    source = photo(64, 64).convert("RGBA")
    source.putalpha(Image.linear_gradient("L").resize((64, 64)))
    source = source.convert(mode)
    mark = Image.linear_gradient("L").rotate(90).resize((64, 64))
    made = marked(
        source, image=attach(Image.merge("RGBA", (mark, mark, mark, mark))), size=100.0, opacity=100.0
    )
    top, below = pixels(mark, "L")[..., None] / 255, pixels(source, "RGBA")
    below_alpha = below[..., 3:] / 255
    alpha = top + below_alpha * (1 - top)
    colours = (top * 255 * top + below[..., :3] * below_alpha * (1 - top)) / np.maximum(alpha, 1e-9)
    got = pixels(made, "RGBA")
    assert np.abs(got[..., 3:] - alpha * 255).max() <= 1
    # Alpha weights the difference: nearly invisible pixels may be rounded.
    assert (np.abs(got[..., :3] - colours) * alpha).max() <= 1


def test_a_watermark_is_drawn_after_colour_adjustments_and_padding() -> None:
    box = {"width": 100, "height": 100, "fit": "contain", "grayscale": True, "background": "#00ff00"}
    made = marked(photo(100, 50), box, image=logo(10, 10, 255, 0, 0), size=10.0, offset=0.0, opacity=100.0)
    assert made.convert("RGB").getpixel((95, 95)) == (255, 0, 0)
    assert made.convert("RGB").getpixel((5, 95)) == (0, 255, 0)


def test_a_watermark_is_drawn_before_transparency_is_flattened() -> None:
    clear = encoded(Image.new("RGBA", (100, 100)), "png")
    recipe = Rendition(quality=100, watermark=Watermark(image=logo(10, 10, 0, 0, 0), opacity=50.0))
    assert pixels(shown(clear, recipe))[90, 90] == pytest.approx((127, 127, 127), abs=3)


def test_tiles_cover_the_picture_and_one_tile_has_the_place_of_a_single_watermark() -> None:
    source = Image.new("RGB", (200, 100), "white")
    options: dict[str, Any] = {"image": logo(40, 20, 0, 0, 0), "size": 10.0, "opacity": 100.0}
    alone, tiled = marked(source, **options), marked(source, tile=True, gap=15.0, **options)
    y, x = np.mgrid[0:100, 0:200]
    covered = ((x - 178) % 35 < 20) & ((y - 88) % 25 < 10)
    assert (covered == (pixels(tiled).max(axis=2) == 0)).all()
    assert changed(source, alone) == (178, 88, 198, 98)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 60), st.integers(1, 60), st.integers(1, 90), st.integers(1, 90),
    st.builds(
        dict,
        size=st.floats(1, 100),
        offset=st.floats(0, 50),
        gap=st.floats(0, 100),
        tile=st.booleans(),
        gravity=st.sampled_from([gravity for gravity, _, _ in GRAVITIES]),
    ),
)  # fmt: skip
def test_a_watermark_does_not_change_the_size_of_the_picture(
    width: int, height: int, mark_width: int, mark_height: int, options: dict[str, Any]
) -> None:
    source = photo(width, height)
    made = marked(source, image=logo(mark_width, mark_height, 9, 9, 9), **options)
    assert made.size == source.size
    assert changed(source, made)


def test_a_text_watermark_is_drawn_on_a_picture_of_20_pixels_and_less() -> None:
    for size in ((20, 20), (20, 3), (3, 20), (1, 1)):
        assert changed(photo(*size), marked(photo(*size), text="© Ann Example", size=100.0))


def test_a_text_watermark_has_its_declared_width_in_pictures_of_several_sizes() -> None:
    for width in (200, 900, 2000):
        source = Image.new("RGB", (width, width // 2), "#808080")
        box = changed(source, marked(source, text="© Ann Example", size=40.0, gravity="center"))
        assert box
        assert box[2] - box[0] == pytest.approx(width * 0.4, rel=0.02, abs=2)


@pytest.mark.parametrize("colour", ["white", "black", "#ffe080", "#203060"])
@pytest.mark.parametrize("ground", ["white", "black", "#808080"])
def test_a_text_watermark_can_be_read_on_a_light_and_on_a_dark_picture(ground: str, colour: str) -> None:
    """Many of its pixels have a high contrast to the background."""
    source = Image.new("RGB", (300, 60), ground)
    made = marked(source, text="© Ann", size=50.0, gravity="center", colour=colour)
    contrast = np.abs(pixels(made) - pixels(source)).max(axis=2)[20:40, 80:220]
    assert (contrast > 60).mean() > 0.1


def test_every_frame_of_an_animation_gets_the_same_watermark() -> None:
    frames = [Image.new("RGB", (60, 40), colour) for colour in ("#404040", "#a0a0a0", "#d0d0d0")]
    target = io.BytesIO()
    frames[0].save(target, "WEBP", save_all=True, append_images=frames[1:], duration=90, lossless=True)
    watermark = Watermark(image=logo(9, 9, 255, 0, 0), size=20.0, opacity=100.0, offset=0.0)
    recipe = Rendition(format="webp", animation="keep", lossless=True, watermark=watermark)
    for before, after in zip(
        frames, ImageSequence.Iterator(opened(rendered(target.getvalue(), recipe).content)), strict=True
    ):
        assert changed(before, after) == (48, 28, 60, 40)


@pytest.mark.parametrize("file_format", ["jpeg", "webp", "avif", "gif", "tiff"])
def test_a_watermark_image_may_have_another_format_than_png(file_format: str) -> None:
    made = marked(photo(60, 60), image=attach(photo(60, 60).rotate(180), file_format), size=100.0)
    wanted = Image.blend(photo(60, 60), photo(60, 60).rotate(180), 0.6)
    assert difference(made, wanted) < (12 if file_format == "gif" else 3)


def test_a_rendition_gets_no_metadata_from_its_watermark_image() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "Another Artist"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    mark = Attachment("logo.jpg", encoded(photo(9, 9), "jpeg", exif=exif, icc_profile=profile))
    made = opened(
        rendered(
            encoded(photo(), "png"), Rendition(metadata="all", watermark=Watermark(image=mark, tile=True))
        ).content
    )
    assert ExifTags.Base.Artist not in made.getexif()
    assert "icc_profile" not in made.info


def test_a_damaged_watermark_fails_its_rendition_with_the_reason() -> None:
    broken = Attachment("logo.png", encoded(photo(), "png")[:2000])
    recipes = {"plain": Rendition(), "marked": Rendition(watermark=Watermark(image=broken))}
    result = render(encoded(photo(), "png"), Accept(), recipes)
    assert result.rejected is None
    assert result.made.keys() == {"plain"}
    assert str(result.errors["marked"]).startswith(
        "the watermark 'logo.png': the PNG ends before its IEND chunk. Name another picture"
    )


def test_the_reason_for_refusing_a_watermark_with_too_many_pixels_asks_for_a_smaller_image() -> None:
    large = Attachment("logo.png", encoded(Image.new("1", (5001, 5000)), "png"))
    result = render(encoded(photo(), "png"), Accept(), {"it": Rendition(watermark=Watermark(image=large))})
    assert str(result.errors["it"]) == (
        "the watermark 'logo.png': it has 25,005,000 pixels, more than the 25,000,000 that are allowed. "
        "Name a smaller picture"
    )


DRAW = """
import sys
from renditions.model.fields import Attachment
from renditions.imaging.render import render
from renditions.model.pipeline import Accept
from renditions.model.recipe import Rendition, Watermark
watermark = Watermark(text="© Ann & <b> Ελλάς Привет", size=80.0)
made = render(sys.stdin.buffer.read(), Accept(), {"it": Rendition(format="png", watermark=watermark)})
sys.stdout.buffer.write(made.made["it"].content)
"""


def test_a_text_watermark_does_not_depend_on_the_font_settings_of_the_machine(tmp_path: Path) -> None:
    """HOME and fontconfig's variables make no difference, and stderr stays empty."""
    source = encoded(photo(400, 200), "png")
    config = tmp_path / "config" / "fontconfig"
    config.mkdir(parents=True)
    (config / "fonts.conf").write_text(HOSTILE_FONTS)
    environments: list[dict[str, str]] = [
        {},
        {"HOME": str(tmp_path / "none"), "FONTCONFIG_PATH": str(tmp_path / "none")},
        {"HOME": "", "FONTCONFIG_PATH": "", "FONTCONFIG_FILE": ""},
        {"XDG_CONFIG_HOME": str(tmp_path / "config"), "FONTCONFIG_FILE": str(config / "fonts.conf")},
    ]
    path = os.pathsep.join(sys.path)
    drawn = [
        subprocess.run(
            [sys.executable, "-c", DRAW],
            input=source, capture_output=True, check=True, env={"PYTHONPATH": path} | more,
        )
        for more in environments
    ]  # fmt: skip
    here = Rendition(format="png", watermark=Watermark(text="© Ann & <b> Ελλάς Привет", size=80.0))
    assert {each.stdout for each in drawn} == {rendered(source, here).content}
    assert {each.stderr for each in drawn} == {b""}


def test_two_fonts_with_the_same_family_name_give_different_watermarks() -> None:
    """Regular and italic are both called Open Sans.

    The same file gives the same pixels again.
    """
    italic = Attachment("i.ttf", (ROOT / "files" / "OpenSans-Italic[wdth,wght].ttf").read_bytes())
    source = Image.new("RGB", (300, 60), "white")
    drawn = [marked(source, text="illness", size=90.0, font=font) for font in (None, italic, None, italic)]
    assert difference(drawn[0], drawn[2]) == difference(drawn[1], drawn[3]) == 0
    assert difference(drawn[0], drawn[1]) > 1


def test_the_characters_missing_in_a_font_are_those_that_freetype_does_not_find() -> None:
    """Pillow gives the expected result.

    Through FreeType it draws the same box for all missing characters.
    """
    font = ImageFont.truetype(io.BytesIO(default_font()), 24, layout_engine=ImageFont.Layout.BASIC)
    box = bytes(font.getmask("\U0001f600"))
    letters = [*range(0x21, 0x7F), *range(0xC0, 0x250), *range(0x391, 0x3CA), *range(0x400, 0x530), 0x65E5]
    characters = [chr(code) for code in letters if chr(code).isprintable()]
    drawn = [character for character in characters if bytes(font.getmask(character)) != box]
    assert 600 < len(drawn) < len(characters)
    assert [each for each in characters if not find_missing(default_font(), each)] == drawn
    assert find_missing(default_font(), "日本 a😀") == "日本😀"
    assert find_missing(default_font(), "e\u0301 \u200b\u00a0") == ""


@pytest.mark.parametrize("cut", [0, 3, 11, 40, 300])
def test_a_damaged_font_is_refused(cut: int) -> None:
    with pytest.raises(Undecodable):
        find_missing(default_font()[:cut], "a")


def test_the_fingerprint_depends_on_the_content_of_a_watermark_image_and_not_on_its_name() -> None:
    def fingerprint(name: str, content: bytes) -> str:
        return Rendition(watermark=Watermark(image=Attachment(name, content))).fingerprint()

    assert fingerprint("a.png", b"1") == fingerprint("source:b.png", b"1")
    assert len({fingerprint("a.png", b"1"), fingerprint("a.png", b"2"), Rendition().fingerprint()}) == 3
    fonts = {
        Rendition(watermark=Watermark(text="a", font=font)).fingerprint()
        for font in (None, Attachment("f", b"1"), Attachment("f", b"2"))
    }
    assert len(fonts) == 3
