"""Renditions with ``profile = "keep"`` of pictures whose colours CICP declares."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imaging.drawn import Drawn
from imaging.encoders import by_avifenc, needs_avifenc
from imaging.pictures import encoded, opened, photo, png_chunk, rendered, shown
from imaging.test_colour import WIDE_GAMUT
from imaging.test_declared_colours import (
    COLOURS,
    SIDE,
    SPACES,
    avif,
    cicp,
    coded,
    found,
    gamma,
    heic,
    png,
    squares,
    with_code,
)
from renditions.imaging.formats.av1 import read_colours
from renditions.imaging.formats.iso_boxes import Items
from renditions.imaging.render import render
from renditions.model.pipeline import Accept
from renditions.model.recipe import Region, Rendition
from web.browser import CHROMIUM, open_browser

KEPT = Rendition(format="png", profile="keep")
KEPT_AVIF = Rendition(format="avif", profile="keep", quality=95, chroma="444")
HOLDERS: Any = ("png", "avif")
WIDE = ("p3", "rec2020 with sRGB's curve", "linear", "gamma 2.2", "pq", "pq in p3", "hlg")


def chunks(content: bytes) -> dict[bytes, bytes]:
    found, at = {}, 8
    while at < len(content):
        (size,) = struct.unpack_from(">I", content, at)
        found[content[at + 4 : at + 8]] = content[at + 8 : at + 8 + size]
        at += 12 + size
    return found


def declared_in(content: bytes) -> tuple[int, ...] | None:
    """Return the numbers of CICP that a PNG or an AVIF declares.

    They are the primaries, the transfer, the matrix and the range.
    """
    if content.startswith(b"\x89PNG"):
        return tuple(chunks(content).get(b"cICP", b"")) or None
    before, box, after = content.partition(b"colrnclx")
    if not box:
        return None
    assert before[-4:] == (19).to_bytes(4, "big")
    *numbers, full = struct.unpack_from(">HHHB", after)
    return (*numbers, full >> 7)


def sources(space: str) -> dict[str, bytes]:
    primaries, transfer, *_ = SPACES[space]
    values = coded(space)
    return {
        "png": png(values, cicp(primaries, transfer)),
        "avif": avif(values, primaries, transfer, 10),
        "heic": heic(values, primaries, transfer),
    }


def recipe_of(output_format: Any, **options: Any) -> Rendition:
    return replace(KEPT_AVIF if output_format == "avif" else KEPT, **options)


@pytest.mark.parametrize("space", WIDE)
@pytest.mark.parametrize("kind", ["png", "avif", "heic"])
@pytest.mark.parametrize("output_format", HOLDERS)
def test_a_rendition_with_kept_colours_declares_the_same_colours_as_its_source(
    space: str, kind: str, output_format: Any
) -> None:
    made = rendered(sources(space)[kind], recipe_of(output_format)).content
    primaries, transfer, *_ = SPACES[space]
    declared = declared_in(made)
    assert declared is not None
    assert declared[:2] == (primaries, transfer)
    assert declared[2:] == ((0, 1) if output_format == "png" else (6, 1))
    # Eight bits of a HEIC in SDR and lossy files are too coarse for dark colours in light.
    tolerance = 14 if space == "linear" and (kind, output_format) != ("png", "png") else 5
    assert np.abs(found(shown(made, Rendition(format="png"))) - COLOURS).max() <= tolerance


@pytest.mark.parametrize("output_format", HOLDERS)
def test_a_rendition_that_keeps_hdr_has_more_than_eight_bits(output_format: Any) -> None:
    made = rendered(sources("pq")["png"], recipe_of(output_format)).content
    if output_format == "png":
        assert chunks(made)[b"IHDR"][8] == 16
    else:
        assert made[made.index(b"pixi") + 8 :][:4] == b"\x03\x0a\x0a\x0a"


@pytest.mark.parametrize("output_format", HOLDERS)
def test_a_rendition_with_kept_colours_has_eight_bits_like_its_source(output_format: Any) -> None:
    source = png(coded("p3"), cicp(12, 13), bits=8)
    made = rendered(source, recipe_of(output_format)).content
    if output_format == "png":
        assert chunks(made)[b"IHDR"][8] == 8
        assert np.array_equal(np.asarray(opened(made)), np.asarray(opened(source)))
    else:
        assert made[made.index(b"pixi") + 8 :][:4] == b"\x03\x08\x08\x08"


@pytest.mark.parametrize("output_format", HOLDERS)
@pytest.mark.parametrize(
    "options",
    [
        {"width": 48},
        {"crop": Region(left=0, top=0, width=50, height=100)},
        {"rotate": 90},
        {"fit": "contain", "width": 96, "height": 32, "background": "black"},
        {"blur": 2},
        {"quality": "auto"},
    ],
    ids=str,
)
def test_a_resized_rotated_or_blurred_rendition_keeps_the_declared_colours_and_tones(
    output_format: Any, options: dict[str, Any]
) -> None:
    made = rendered(sources("pq")["png"], recipe_of(output_format, **options)).content
    declared = declared_in(made)
    assert declared is not None
    assert declared[:2] == (9, 16)
    picture = np.asarray(shown(made, Rendition(format="png"))).astype(float)
    middle = picture[picture.shape[0] // 2, :] if "rotate" not in options else picture[:, SIDE // 2]
    assert np.abs(middle[3] - COLOURS[0]).max() <= 6


def test_a_lossless_avif_declares_the_kept_colours() -> None:
    made = rendered(sources("p3")["png"], replace(KEPT_AVIF, lossless=True)).content
    assert declared_in(made) == (12, 13, 0, 1)
    assert np.abs(found(shown(made, Rendition(format="png"))) - COLOURS).max() <= 2


@pytest.mark.parametrize("output_format", HOLDERS)
def test_translucent_and_grey_renditions_with_kept_colours_declare_the_colours_of_their_source(
    output_format: Any,
) -> None:
    values = np.concatenate([coded("p3"), np.full((SIDE, SIDE * len(COLOURS), 1), 0.4)], -1)
    whole = np.rint(values * 65_535).astype(">u2")
    header = struct.pack(">IIBBBBB", whole.shape[1], SIDE, 16, 6, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in whole))
    parts = ((b"IHDR", header), cicp(12, 13), (b"IDAT", data), (b"IEND", b""))
    source = b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(name, part) for name, part in parts)
    made = rendered(source, recipe_of(output_format)).content
    assert (declared_in(made) or ())[:2] == (12, 13)
    again = np.asarray(shown(made, Rendition(format="png"))).astype(float)
    assert np.abs(again[..., 3] - 102).max() <= 1
    assert np.abs(again[SIDE // 2, SIDE // 2 :: SIDE, :3] - COLOURS).max() <= 4
    grey = rendered(png(squares(COLOURS[:, 0] / 255), cicp(9, 16)), recipe_of(output_format)).content
    assert (declared_in(grey) or ())[:2] == (9, 16)


@pytest.mark.parametrize("output_format", ["jpeg", "webp", "tiff", "gif"])
def test_a_rendition_in_a_format_that_can_not_declare_colours_becomes_srgb(output_format: Any) -> None:
    made = rendered(sources("p3")["png"], Rendition(format=output_format, profile="keep", quality=95))
    assert np.abs(found(opened(made.content)) - COLOURS).max() <= (12 if output_format == "gif" else 5)


def test_each_rendition_of_a_picture_keeps_the_colours_that_its_format_can_declare() -> None:
    recipes = {
        "kept": KEPT,
        "avif": KEPT_AVIF,
        "jpeg": Rendition(profile="keep", quality=95),
        "srgb": Rendition(format="png"),
    }
    made = render(sources("p3")["avif"], Accept(), recipes).made
    assert (declared_in(made["kept"].content) or ())[:2] == (12, 13)
    assert (declared_in(made["avif"].content) or ())[:2] == (12, 13)
    assert declared_in(made["srgb"].content) is None
    for name in ("jpeg", "srgb"):
        assert np.abs(found(opened(made[name].content)) - COLOURS).max() <= 5


@pytest.mark.parametrize("output_format", HOLDERS)
def test_a_rendition_without_the_profile_policy_keep_declares_no_colours(output_format: Any) -> None:
    made = rendered(sources("p3")["png"], recipe_of(output_format, profile="srgb")).content
    assert declared_in(made) is None


@pytest.mark.parametrize("parts", [[gamma(100_000)], [cicp(1, 13)], [cicp(9, 14)], []], ids=str)
def test_colours_that_are_not_kept_become_srgb(parts: list[tuple[bytes, bytes]]) -> None:
    source = png(coded("p3"), *parts)
    made = rendered(source, KEPT).content
    assert declared_in(made) is None
    plain = shown(source, Rendition(format="png"))
    assert np.array_equal(np.asarray(opened(made)), np.asarray(plain))


def test_a_rendition_that_keeps_a_profile_declares_no_colour_code() -> None:
    picture = Image.fromarray(np.rint(255 * coded("p3")).astype("u1"))
    source = with_code(encoded(picture, "avif", quality=100, icc_profile=WIDE_GAMUT), 12, 13)
    made = rendered(source, KEPT_AVIF).content
    assert declared_in(made) is None
    assert opened(made).info["icc_profile"] == WIDE_GAMUT
    assert b"cICP" not in rendered(source, KEPT).content


# Without a box ``colr``, an AVIF has the colours of its bitstream.


def without_colr(content: bytes) -> bytes:
    bare = content.replace(b"colrnclx", b"freenclx")
    assert bare != content
    return bare


@needs_avifenc
@pytest.mark.parametrize("space", ["p3", "rec2020", "linear", "pq", "hlg", "unspecified"])
def test_the_colours_of_an_avif_without_a_colour_box_are_read_from_its_bitstream(space: str) -> None:
    primaries, transfer, *_ = SPACES[space]
    code = f"{primaries}/{transfer}/6"
    source = without_colr(by_avifenc(png(coded(space)), cicp=code, options=("--depth", "10")))
    assert np.abs(found(shown(source, Rendition(format="png"))) - COLOURS).max() <= 4


@needs_avifenc
def test_the_first_tile_of_an_avif_grid_declares_the_colours() -> None:
    values = np.repeat(np.repeat(coded("p3"), 8, 0), 8, 1)[:128, :512]
    source = by_avifenc(png(values), cicp="12/13/6", options=("--grid", "2x1", "--depth", "10"))
    made = np.asarray(shown(without_colr(source), Rendition(format="png"))).astype(float)
    assert np.abs(made[64, 64:512:128] - COLOURS[:4]).max() <= 4


@needs_avifenc
def test_the_header_of_an_avif_sequence_can_be_read() -> None:
    frames = [encoded(photo(64, 48), "png")] * 2
    content = by_avifenc(*frames, cicp="12/13/6")
    items = Items(content)
    assert items.primary is not None
    assert read_colours(items.data(items.primary, 4096)) == (12, 13, 6)


def test_no_colours_are_read_from_a_bitstream_that_ends_in_its_header() -> None:
    content = encoded(photo(64, 48), "avif")
    items = Items(content)
    assert items.primary is not None
    data = items.data(items.primary, 4096)
    assert read_colours(data) == (1, 13, 6)
    for end in range(12):
        try:
            assert read_colours(data[:end]) is None
        except IndexError:
            continue


def test_repeated_extents_without_fields_are_read_only_once() -> None:
    """The file has 60 kB, and claims 655 million extents."""
    entry = struct.pack(">HHH", 1, 0, 65_535)
    count = 10_000
    iloc = b"\0\0\0\0" + b"\0\0" + struct.pack(">H", count) + count * entry
    box = struct.pack(">I", 8 + len(iloc)) + b"iloc" + iloc
    meta = struct.pack(">I", 12 + len(box)) + b"meta" + bytes(4) + box
    assert sum(1 for _ in Items(meta).extents()) == count


def test_items_beyond_the_end_of_their_box_are_not_read() -> None:
    iloc = b"\2\0\0\0" + b"\0\0" + b"\xff\xff\xff\xff"
    box = struct.pack(">I", 8 + len(iloc)) + b"iloc" + iloc
    meta = struct.pack(">I", 12 + len(box)) + b"meta" + bytes(4) + box
    assert list(Items(meta).extents()) == []


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium isn't installed")
def test_chromium_shows_renditions_with_kept_colours_like_their_sources() -> None:
    at = [(SIDE // 2 + SIDE * number, SIDE // 2) for number in range(len(COLOURS))]
    with open_browser() as browser:
        drawn = Drawn(browser)
        for space in WIDE:
            for kind in ("png", "avif"):
                source = sources(space)[kind]
                wanted = drawn.colours(source, f"image/{kind}", at)
                for output_format in HOLDERS:
                    made = rendered(source, recipe_of(output_format)).content
                    shows = drawn.colours(made, f"image/{output_format}", at)
                    tolerance = 12 if space == "linear" else 5
                    assert np.abs(shows - wanted).max() <= tolerance, (space, kind, output_format)
