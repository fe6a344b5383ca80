"""The boxes of AVIF and HEIC files that few programs write."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import Image

from imaging.pictures import encoded, photo, pixels, shown
from renditions.errors import Unrenderable
from renditions.imaging.formats.iso_boxes import Items
from renditions.imaging.formats.iso_media import read_code, with_code
from renditions.model.recipe import Rendition

BARE = encoded(photo(64, 48), "avif").replace(b"colrnclx", b"freenclx")
"""An AVIF that declares no colours outside of its bitstream."""


def box(name: bytes, *parts: bytes) -> bytes:
    data = b"".join(parts)
    return struct.pack(">I", 8 + len(data)) + name + data


def located(method: int, *extents: tuple[int, int], other_file: int = 0) -> bytes:
    """Return a file whose item 1 has its data at these offsets and lengths."""
    numbers = struct.pack(">HHHHH", 1, 1, method, other_file, len(extents))
    places = b"".join(struct.pack(">II", *extent) for extent in extents)
    iloc = box(b"iloc", b"\1\0\0\0\x44\0", numbers, places)
    return box(b"free", b"outside") + box(b"meta", bytes(4), iloc, box(b"idat", b"within a box"))


@pytest.mark.parametrize(
    ("content", "data"),
    [
        (located(0, (8, 7)), b"outside"),
        (located(0, (11, 4), (8, 3)), b"sideout"),
        (located(1, (9, 3)), b"box"),
        (located(1, (9, 0)), b"box"),
        (located(2, (8, 4)), b""),
        (located(0, (8, 4), other_file=1), b""),
    ],
    ids=["file", "two parts", "box", "rest of the box", "another item", "another file"],
)
def test_the_data_of_an_item_is_read_only_where_the_file_says_that_it_is(content: bytes, data: bytes) -> None:
    assert Items(content).data(1, 100) == data
    assert Items(content).data(1, 2) == data[:2]


@pytest.mark.parametrize("width", [None, 64], ids=["own size", "smaller"])
def test_an_avif_whose_alpha_weights_its_colours_is_not_too_dark(width: int | None) -> None:
    picture = photo(256, 192).convert("RGBA")
    picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    plain, weighted = (
        shown(
            encoded(picture, "avif", quality=95, alpha_premultiplied=is_weighted),
            Rendition(format="png", width=width),
        )
        for is_weighted in (False, True)
    )
    assert np.abs(pixels(plain, "RGBA")[8:] - pixels(weighted, "RGBA")[8:]).mean() < 2
    assert pixels(weighted, "RGBA")[weighted.height // 4, 0, 3] < 70


def test_a_declaration_of_colours_changes_nothing_else_of_a_picture() -> None:
    made = with_code(BARE, (12, 13))
    code = read_code(made)
    assert code is not None
    assert code.cicp == (12, 13)
    assert Items(made).data(1, len(made)) == Items(BARE).data(1, len(BARE)) != b""


@pytest.mark.parametrize(
    "content",
    [
        BARE.replace(b"pitm", b"free"),
        BARE.replace(b"ipma", b"free"),
        BARE.replace(b"iloc", b"free"),
        BARE.replace(b"ipma\0\0\0\0", b"ipma\0\0\0\1"),
        BARE[:200],
        b"",
    ],
    ids=["no primary item", "no properties", "no places", "long numbers", "cut off", "empty"],
)
def test_declaring_colours_in_an_avif_with_missing_or_unknown_boxes_fails_with_advice(content: bytes) -> None:
    with pytest.raises(
        Unrenderable, match=r"can't declare the picture's colours.* Declare profile = \"srgb\""
    ):
        with_code(content, (12, 13))
