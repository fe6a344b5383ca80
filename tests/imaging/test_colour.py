"""How colours become sRGB, and which renditions keep their profile."""

from __future__ import annotations

import io
import struct
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import pyvips
from PIL import Image, ImageCms

from imaging.pictures import BEST, difference, encoded, opened, photo, pixels, shown
from renditions.imaging.colour import manage
from renditions.imaging.render import render
from renditions.model.formats import OUTPUT_FORMATS
from renditions.model.pipeline import Accept
from renditions.model.recipe import Rendition

PNG = Rendition(format="png")
_XYZ = tuple[float, float, float]


def matrix_profile(red: _XYZ, green: _XYZ, blue: _XYZ, gamma: float) -> bytes:
    """Return a small RGB profile (ICC.1).

    It has these colorants in PCS XYZ and this tone curve.
    """

    def fixed(*values: float) -> bytes:
        return b"".join(struct.pack(">i", round(value * 65_536)) for value in values)

    def xyz(*values: float) -> bytes:
        return b"XYZ \0\0\0\0" + fixed(*values)

    text = b"test profile\0"
    described = b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(12 + 67)
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    elements = {
        b"desc": described + bytes(-len(described) % 4),
        b"cprt": b"text\0\0\0\0none\0\0\0\0",
        b"wtpt": xyz(0.9642, 1.0, 0.8249),
        b"rXYZ": xyz(*red),
        b"gXYZ": xyz(*green),
        b"bXYZ": xyz(*blue),
        **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve),
    }
    offset = 128 + 4 + 12 * len(elements)
    table = struct.pack(">I", len(elements))
    for name, element in elements.items():
        table += name + struct.pack(">II", offset, len(element))
        offset += len(element)
    body = table + b"".join(elements.values())
    header = struct.pack(">I", 128 + len(body)) + bytes(4) + b"\x02\x10\0\0" + b"mntrRGB XYZ "
    header += struct.pack(">6H", 2020, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + fixed(0.9642, 1.0, 0.8249)
    return header + bytes(128 - len(header)) + body


WIDE_GAMUT = matrix_profile((0.6097, 0.3111, 0.0195), (0.2053, 0.6257, 0.0609), (0.1492, 0.0632, 0.7446), 2.2)
"""A profile with the primaries of Adobe RGB (1998), adapted to D50, and a gamma of 2.2."""
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def managed(picture: Image.Image, profile: bytes) -> Image.Image:
    """Return the picture in sRGB, converted by LittleCMS through Pillow."""
    converted = ImageCms.profileToProfile(
        picture,
        ImageCms.getOpenProfile(io.BytesIO(profile)),
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    assert converted is not None
    return converted


@pytest.mark.parametrize("source_format", ["jpeg", "png", "webp", "tiff", "avif"])
def test_the_colours_of_an_embedded_profile_become_srgb(source_format: str) -> None:
    source = encoded(photo(), source_format, **BEST.get(source_format, {}), icc_profile=WIDE_GAMUT)
    wanted = managed(opened(source).convert("RGB"), WIDE_GAMUT)
    assert difference(wanted, photo()) > 5
    made = shown(source, PNG)
    assert difference(made, wanted) < 1
    assert "icc_profile" not in made.info


def test_a_picture_with_an_srgb_profile_keeps_its_values() -> None:
    made = shown(encoded(photo(), "png", icc_profile=SRGB), PNG)
    assert difference(made, photo()) == 0


def test_the_conversion_of_a_profile_keeps_alpha() -> None:
    source = photo().convert("RGBA")
    source.putalpha(Image.linear_gradient("L").resize(source.size))
    made = shown(encoded(source, "png", icc_profile=WIDE_GAMUT), PNG)
    assert difference(made.getchannel("A"), source.getchannel("A"), "L") == 0
    assert difference(made.convert("RGB"), managed(photo(), WIDE_GAMUT)) < 1


@pytest.mark.parametrize("profile", [b"no profile at all" * 20, WIDE_GAMUT[:200], b""])
def test_an_unusable_profile_is_ignored(profile: bytes) -> None:
    source = encoded(photo(), "jpeg", **BEST["jpeg"], icc_profile=profile)
    assert difference(shown(source, PNG), opened(source)) < 0.5


def test_an_rgb_profile_in_a_grey_picture_is_ignored() -> None:
    source = encoded(photo().convert("L"), "jpeg", quality=97, icc_profile=WIDE_GAMUT)
    made = shown(source, PNG)
    assert made.mode == "L"
    assert difference(made, opened(source), "L") < 0.5


def test_a_cmyk_picture_without_a_profile_keeps_its_hues() -> None:
    """Pillow writes Adobe's inverted CMYK.

    Light colours must stay light, and each ink must keep its hue.
    """
    colours = {"white": (0, 0, 0, 0), "black": (0, 0, 0, 255), "cyan": (255, 0, 0, 0)}
    colours |= {"magenta": (0, 255, 0, 0), "yellow": (0, 0, 255, 0)}
    found = {}
    for name, inks in colours.items():
        source = encoded(Image.new("CMYK", (32, 32), inks), "jpeg", quality=97)
        made = shown(source, PNG)
        assert made.mode == "RGB"
        found[name] = pixels(made)[16, 16]
    assert (found["white"] > 250).all()
    assert (found["black"] < 60).all()
    for name, weakest in (("cyan", 0), ("magenta", 1), ("yellow", 2)):
        assert found[name].argmin() == weakest
        assert found[name][weakest] < 60


def test_a_cmyk_picture_has_the_same_colours_whether_it_is_stored_as_tiff_or_as_jpeg() -> None:
    picture = photo().convert("CMYK")
    one = shown(encoded(picture, "jpeg", quality=97), PNG)
    other = shown(encoded(picture, "tiff"), PNG)
    assert difference(one, other) < 3


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16"])
def test_tiffs_of_several_colour_modes_are_read(mode: str) -> None:
    source = (
        Image.fromarray(np.asarray(photo().convert("L")).astype("uint16") * 257)
        if mode == "I;16"
        else photo().convert(mode)
    )
    wanted = photo().convert("L") if mode == "I;16" else source
    assert difference(shown(encoded(source, "tiff"), PNG), wanted.convert("RGBA"), "RGBA") < 0.6


def test_a_tiff_of_floating_point_values_becomes_grey_of_0_to_255() -> None:
    source = photo().convert("F")
    made = shown(encoded(source, "tiff"), PNG)
    assert made.mode == "L"
    assert difference(made, source.convert("L"), "L") < 1


def test_no_format_except_base64_contains_metadata_by_default() -> None:
    """Metadata is EXIF, a GPS position, XMP, a comment or a profile."""
    exif = Image.Exif()
    exif[0x10F] = "SECRETMAKER"
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[2] = (48.0, 51.0, 29.0)
    source = encoded(
        photo(), "jpeg", exif=exif, icc_profile=WIDE_GAMUT, comment=b"SECRETCOMMENT", xmp=b"<SECRETXMP/>"
    )
    recipes = {
        each.name: Rendition(format=each.name, width=90)
        for each in OUTPUT_FORMATS.values()
        if not each.holds_file
    }
    result = render(source, Accept(), recipes)
    assert list(result.made) == list(recipes)
    for output_format, made in result.made.items():
        for trace in (b"SECRET", b"acsp", b"Exif", b"eXIf", b"EXIF", b"iCCP", b"ICCP"):
            assert trace not in made.content, (output_format, trace)
        if output_format != "pdf":
            picture = opened(made.content)
            assert 0x8825 not in picture.getexif()
            assert "icc_profile" not in picture.info


PROFILED: tuple[Any, ...] = ("jpeg", "png", "webp", "avif", "tiff")
KEPT_OR_NOT: tuple[Any, ...] = ("keep", "srgb")


@pytest.mark.parametrize("output_format", PROFILED)
def test_a_rendition_that_keeps_the_profile_keeps_the_colours(output_format: Any) -> None:
    source = encoded(photo(), "png", icc_profile=WIDE_GAMUT)
    made = shown(source, Rendition(format=output_format, profile="keep", width=160))
    assert made.info["icc_profile"] == WIDE_GAMUT
    assert difference(made, photo().resize((160, 120), Image.Resampling.LANCZOS)) < 4


def test_renditions_of_one_picture_can_have_different_profiles() -> None:
    source = encoded(photo(), "png", icc_profile=WIDE_GAMUT)
    recipes = {
        "kept": Rendition(format="png", profile="keep"),
        "srgb": PNG,
        "all": Rendition(format="png", profile="keep", metadata="all", width=100),
    }
    made = {name: opened(each.content) for name, each in render(source, Accept(), recipes).made.items()}
    assert np.array_equal(pixels(made["kept"]), pixels(photo()))
    assert difference(made["srgb"], managed(photo(), WIDE_GAMUT)) < 1
    assert [picture.info.get("icc_profile") for picture in made.values()] == [WIDE_GAMUT, None, WIDE_GAMUT]


def sized(profile: bytes, size: int, version: int = 2) -> bytes:
    """Return the profile with this length and version in its header."""
    return size.to_bytes(4, "big") + profile[4:8] + bytes([version]) + profile[9:]


@pytest.mark.parametrize(
    "profile",
    [
        WIDE_GAMUT + b"\0",
        WIDE_GAMUT + bytes(4),
        sized(WIDE_GAMUT, len(WIDE_GAMUT) + 4),
        sized(WIDE_GAMUT, 2**32 - 1),
        sized(WIDE_GAMUT + b"\0", len(WIDE_GAMUT) + 1, version=4),
    ],
    ids=["a byte more", "padded", "without its end", "huge", "not aligned"],
)
def test_a_png_keeps_a_profile_whose_length_differs_from_its_header(profile: bytes) -> None:
    picture = photo(64, 48)
    made = shown(encoded(picture, "jpeg", quality=95, icc_profile=profile), replace(PNG, profile="keep"))
    kept = made.info["icc_profile"]
    assert kept[9 : len(WIDE_GAMUT)] == WIDE_GAMUT[9:]
    assert int.from_bytes(kept[:4], "big") == len(kept)
    assert difference(made, picture) < 3


def test_a_grey_rendition_that_keeps_the_profile_keeps_its_greys() -> None:
    grey = shown(encoded(photo().convert("L"), "png", icc_profile=WIDE_GAMUT), replace(PNG, profile="keep"))
    assert np.array_equal(pixels(grey, "L"), pixels(photo().convert("L"), "L"))


def test_a_cmyk_picture_without_a_profile_has_none_after_its_conversion() -> None:
    # libvips attaches its own profile of CMYK, and reading that profile can end the process.
    inks = pyvips.Image.black(8, 8, bands=4).copy(interpretation="cmyk")
    assert not manage(inks, "nothing").get_typeof("icc-profile-data")


def test_a_cmyk_picture_becomes_srgb_under_any_profile_policy() -> None:
    source = encoded(photo().convert("CMYK"), "jpeg", quality=95)
    kept, converted = (shown(source, Rendition(quality=95, profile=profile)) for profile in KEPT_OR_NOT)
    assert kept.mode == "RGB"
    assert difference(kept, converted) < 1
