"""HEIC and animated PNG as input, and the loaders that libvips may use."""

from __future__ import annotations

import io
import re
import struct
import sys
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from imaging.pictures import (
    difference,
    encoded,
    heic,
    opened,
    photo,
    pixels,
    png_chunk,
    quarters,
    rendered,
    shown,
)
from renditions.errors import Failed
from renditions.imaging import vips
from renditions.imaging.render import render
from renditions.model.original import Original
from renditions.model.pipeline import Accept
from renditions.model.recipe import Rendition

PNG = Rendition(format="png")


def with_size(content: bytes, width: int, height: int) -> bytes:
    """Return a HEIC whose container claims this size (in its ``ispe`` property)."""
    at = content.index(b"ispe") + 8
    return content[:at] + struct.pack(">II", width, height) + content[at + 8 :]


def with_property(content: bytes, name: bytes, value: int) -> bytes:
    """Return the HEIC with another byte in its ``irot`` or ``imir`` property."""
    at = content.index(name) + 4
    return content[:at] + bytes([value]) + content[at + 1 :]


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_the_colours_of_a_heic_are_decoded_correctly(mode: str) -> None:
    source = photo(321, 241).convert(mode)
    if mode == "RGBA":
        source.putalpha(photo(321, 241).convert("L"))
    made = shown(heic(source), PNG)
    assert made.mode == mode
    assert difference(made, source, mode) < 2


def test_a_heic_is_resized_and_its_record_has_its_size() -> None:
    source = heic(photo())
    result = render(source, Accept(), {"thumb": Rendition(width=100), "own": Rendition(format="auto")})
    assert result.original == Original(len(source), "heic", 320, 240, 1)
    assert (result.made["thumb"].width, result.made["thumb"].height) == (100, 75)
    assert result.made["own"].format == "jpeg"
    assert difference(opened(result.made["own"].content), photo()) < 4


def test_a_heic_of_ten_bits_becomes_a_picture_of_eight_bits() -> None:
    levels = (np.asarray(photo()).astype("uint16") << 8).tobytes()
    target = io.BytesIO()
    pillow_heif.from_bytes("RGB;16", (320, 240), levels).save(target, quality=95, chroma=444)
    assert pillow_heif.open_heif(target.getvalue()).info["bit_depth"] == 10
    assert difference(shown(target.getvalue(), PNG), photo()) < 2


def oriented(exif_orientation: int) -> bytes:
    """Return a HEIC with this orientation in its EXIF and in its container."""
    exif = Image.Exif()
    exif[0x112] = exif_orientation
    source = quarters()
    source.info["exif"] = exif.tobytes()
    return heic(source)


@pytest.mark.parametrize("quarter_turns", range(4))
def test_the_rotation_in_a_heic_container_is_applied_exactly_once(quarter_turns: int) -> None:
    """The rotation is anticlockwise (ISO/IEC 23008-12, 6.5.10).

    The EXIF also has an orientation.
    """
    source = with_property(oriented(3), b"irot", quarter_turns)
    stored = shown(with_property(source, b"irot", 0), PNG)
    assert difference(stored, quarters().rotate(180)) < 3
    result = render(source, Accept(), {"it": Rendition(format="png", metadata="all")})
    expected = stored.rotate(90 * quarter_turns, expand=True)
    assert (result.original.width, result.original.height) == expected.size
    made = opened(result.made["it"].content)
    assert difference(made, expected) == 0
    assert made.getexif().get(0x112, 1) == 1


@pytest.mark.parametrize(
    ("axis", "method"), [(0, Image.Transpose.FLIP_TOP_BOTTOM), (1, Image.Transpose.FLIP_LEFT_RIGHT)]
)
def test_the_mirror_in_a_heic_container_is_applied_exactly_once(axis: int, method: Image.Transpose) -> None:
    source = oriented(2)
    stored = quarters().transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    made = shown(with_property(source, b"imir", axis), PNG)
    assert difference(made, stored.transpose(method)) < 3


def test_the_colour_profile_of_a_heic_is_applied() -> None:
    """The profile has swapped primaries, so the same numbers mean other colours."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    red, blue = srgb.index(b"rXYZ"), srgb.index(b"bXYZ")
    swapped = bytearray(srgb)
    swapped[red : red + 4], swapped[blue : blue + 4] = b"bXYZ", b"rXYZ"
    source = quarters()
    source.info["icc_profile"] = bytes(swapped)
    made = pixels(shown(heic(source), PNG))
    assert np.abs(made[10, 10] - (0, 0, 255)).max() < 12
    assert np.abs(made[70, 10] - (255, 0, 0)).max() < 12


def test_the_copyright_metadata_of_a_heic_is_kept() -> None:
    exif = Image.Exif()
    exif[0x8298], exif[0x10F] = "2026 Ann", "Camera"
    source = photo()
    source.info["exif"] = exif.tobytes()
    content = heic(source)
    kept = opened(rendered(content, Rendition(metadata="copyright")).content).getexif()
    assert (kept.get(0x8298), kept.get(0x10F)) == ("2026 Ann", None)
    assert not opened(rendered(content, Rendition()).content).getexif()


def test_a_heic_that_is_cut_off_at_many_places_is_rejected_each_time() -> None:
    whole = heic(photo())
    for end in {len(whole) * part // 24 for part in range(24)} | {len(whole) - 1}:
        result = render(whole[:end], Accept(), {"it": PNG})
        assert result.rejected, f"cut at {end} of {len(whole)}"
        assert re.search("is damaged|is empty|found", str(result.rejected))


def test_a_heic_that_claims_ten_thousand_megapixels_is_rejected_by_its_header() -> None:
    lie = with_size(heic(photo()), 100_000, 100_000)
    result = render(lie, Accept(), {"it": PNG})
    assert str(result.rejected) == (
        "the picture has 10,000,000,000 pixels (100000 by 100000), more than the 100,000,000 that [accept] "
        "max_pixels allows. Upload a smaller picture, or raise the limit"
    )


@pytest.mark.parametrize("size", [(640, 480), (5_000, 5_000), (160, 120), (8, 8)])
def test_a_heic_with_a_false_size_is_rejected(size: tuple[int, int]) -> None:
    result = render(with_size(heic(photo()), *size), Accept(), {"it": PNG})
    assert result.rejected
    assert "size" in str(result.rejected)


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_rendering_a_damaged_heic_raises_no_error(data: st.DataObject) -> None:
    content = bytearray(HEIC)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    result = render(bytes(content), Accept(max_pixels=1_000_000), {"it": PNG})
    assert result.rejected or set(result.made) == {"it"}


HEIC = heic(photo(64, 48))


def test_a_heic_fails_without_pillow_heif_and_the_reason_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    message = r"pillow_heif can't be imported \(.*\). Run: pip install 'renditions\[heic\]'"
    with pytest.raises(Failed, match=message):
        render(HEIC, Accept(), {"it": PNG})


def test_an_animated_png_becomes_its_first_frame() -> None:
    """A reader of still PNGs ignores the chunks of the animation.

    The record has the number of frames.
    """
    first, second = photo(), photo().rotate(180)
    source = encoded(first, "png", save_all=True, append_images=[second], duration=100)
    assert getattr(opened(source), "n_frames", 1) == 2
    result = render(source, Accept(), {"it": Rendition(format="auto", animation="keep")})
    assert result.original.frames == 2
    assert [warning.code for warning in result.warnings] == ["animation-dropped"]
    assert difference(opened(result.made["it"].content), first) == 0


def test_an_animated_png_that_ends_in_its_second_frame_is_rejected() -> None:
    source = encoded(photo(), "png", save_all=True, append_images=[photo().rotate(180)], duration=100)
    assert render(source[: source.index(b"fdAT") + 20], Accept(), {"it": PNG}).rejected


def test_a_png_that_claims_a_billion_frames_shows_its_picture() -> None:
    source = encoded(photo(), "png")
    control = png_chunk(b"acTL", struct.pack(">II", 10**9, 0))
    assert difference(shown(source[:33] + control + source[33:], PNG), photo()) == 0


def test_libvips_blocks_loaders_that_are_not_listed(tmp_path: Path) -> None:
    """The test calls loaders of files and of other formats directly."""
    file = tmp_path / "picture"
    file.write_bytes(encoded(photo(), "png"))
    for name, arguments in {"pngload": (), "csvload": (), "matrixload": (), "rawload": (1, 1, 1)}.items():
        with pytest.raises(vips.Error, match="blocked"):
            getattr(vips.Image, name)(str(file), *arguments)


def test_libvips_does_not_detect_a_format_that_is_not_listed() -> None:
    with pytest.raises(vips.Error):
        vips.Image.new_from_buffer(b"P5 2 2 255 0000", "")
    assert vips.Image.new_from_buffer(encoded(photo(), "png"), "").width == 320
