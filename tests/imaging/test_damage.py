"""Damaged files, which are rejected with a reason.

Files that only look damaged are accepted.
"""

from __future__ import annotations

import io
import re
import struct
import zlib
from typing import Any

import numpy as np
import pytest
import pyvips
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imaging.pictures import INPUT_FORMATS, difference, encoded, heic, opened, photo, png_chunk, shown
from renditions.imaging.render import render
from renditions.model.formats import SOURCE_FORMATS
from renditions.model.pipeline import Accept
from renditions.model.recipe import Rendition

RECIPES = {"thumb": Rendition(width=100, format="png"), "web": Rendition(format="webp")}

FILES: dict[str, bytes] = {
    **{source_format: encoded(photo(), source_format) for source_format in INPUT_FORMATS},
    "progressive jpeg": encoded(photo(), "jpeg", quality=97, progressive=True),
    "lossy webp": encoded(photo(), "webp", quality=80),
    "deflated tiff": encoded(photo(), "tiff", compression="tiff_adobe_deflate"),
    **{
        f"animated {each.name}": encoded(
            photo(), each.name, save_all=True, append_images=[photo().rotate(90), photo().rotate(180)]
        )
        for each in SOURCE_FORMATS.values()
        if each.has_animation
    },
}


@pytest.mark.parametrize("kind", FILES)
def test_a_file_that_is_cut_off_at_many_places_is_rejected_each_time(kind: str) -> None:
    whole = FILES[kind]
    assert render(whole, Accept(), RECIPES).rejected is None
    ends = {len(whole) * part // 24 for part in range(24)}
    # A JPEG without its end mark still has every pixel, and a GIF without its trailer and its end code.
    least = 3 if "jpeg" in kind else 4 if "gif" in kind else 1
    for end in sorted(
        ends | {len(whole) - missing for missing in (1, 2, 3, 8, 11, 12, 13) if missing >= least}
    ):
        result = render(whole[:end], Accept(), RECIPES)
        assert result.rejected, f"{kind} cut at {end} of {len(whole)}"
        assert result.made == {}
        assert re.search("is damaged|is empty|ends before its|ends too early|found", result.rejected.text)
        assert re.search(
            r"\. Upload it (again|in one of these formats)[^.]+$|Upload it again$", result.rejected.text
        )
        assert result.rejected.code == "source-unreadable"


@pytest.mark.parametrize("cut_into", ["header", "start", "middle", "end"])
def test_a_png_with_a_wrong_byte_is_rejected(cut_into: str) -> None:
    whole = bytearray(FILES["png"])
    at = {"header": 18, "start": 60, "middle": len(whole) // 2, "end": len(whole) - 20}[cut_into]
    whole[at] ^= 0x10
    assert render(bytes(whole), Accept(), RECIPES).rejected


@pytest.mark.parametrize("kind", FILES)
def test_at_least_half_of_the_compressed_files_with_overwritten_bytes_are_rejected(kind: str) -> None:
    """Noise covers a tenth of the file."""
    whole = FILES[kind]
    noise = np.random.default_rng(1).bytes(len(whole) // 10)
    results = [
        render(whole[:at] + noise + whole[at + len(noise) :], Accept(), RECIPES)
        for at in range(20, len(whole) - len(noise), len(whole) // 12)
    ]
    refused = sum(result.rejected is not None for result in results)
    # An uncompressed TIFF has no redundancy, so nothing distinguishes noise from a picture.
    assert refused >= {"tiff": 0}.get(kind, len(results) // 2)


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(sorted(FILES)), st.data())
def test_rendering_a_damaged_file_raises_no_error(kind: str, data: st.DataObject) -> None:
    """The files have flipped, inserted or removed bytes.

    A rejected file gives no outputs.
    """
    content = bytearray(FILES[kind])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        how = data.draw(st.sampled_from(["flip", "insert", "remove"]))
        if how == "flip":
            content[at] ^= data.draw(st.integers(1, 255))
        elif how == "insert":
            content[at:at] = data.draw(st.binary(min_size=1, max_size=9))
        else:
            del content[at : at + data.draw(st.integers(1, 9))]
    result = render(bytes(content), Accept(max_pixels=10_000_000), RECIPES)
    assert result.rejected is None or result.made == {}
    assert result.rejected or set(result.made) | set(result.errors) == set(RECIPES)


@settings(deadline=None, max_examples=100)
@given(st.sampled_from([b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"II*\x00", b""]), st.binary())
def test_random_bytes_are_rejected(start: bytes, rest: bytes) -> None:
    assert render(start + rest, Accept(), RECIPES).rejected


def _start_of_scan(jpeg: bytes) -> int:
    return jpeg.index(b"\xff\xda")


def _with_stray_bytes(jpeg: bytes) -> bytes:
    at = _start_of_scan(jpeg)
    return jpeg[:at] + b"\x00\x17\x2a" + jpeg[at:]


def _with_odd_scan_parameters(jpeg: bytes) -> bytes:
    at = _start_of_scan(jpeg) + 2 + 12 - 3
    return jpeg[:at] + bytes(3) + jpeg[at + 3 :]


@pytest.mark.parametrize(
    "spoil",
    [
        _with_stray_bytes,
        _with_odd_scan_parameters,
        lambda jpeg: _with_odd_scan_parameters(_with_stray_bytes(jpeg)),
        lambda jpeg: jpeg + b"a maker's trailer" * 9,
        lambda jpeg: jpeg[:2] + b"\xff\xff\xff" + jpeg[2:],
    ],
    ids=["stray bytes", "scan parameters", "both", "trailer", "fill bytes"],
)
def test_a_jpeg_with_harmless_faults_is_read(spoil: Any) -> None:
    """The decoder warns about some of these files, but every pixel is there."""
    source = FILES["jpeg"]
    assert difference(shown(spoil(source), Rendition(format="png")), opened(source)) < 0.5


@pytest.mark.parametrize("spoil", [_with_stray_bytes, _with_odd_scan_parameters])
def test_a_damaged_jpeg_with_harmless_faults_is_rejected(spoil: Any) -> None:
    """A harmless fault must not hide the damage."""
    source = spoil(FILES["jpeg"])
    assert render(source[: len(source) // 2], Accept(), RECIPES).rejected


def test_an_unknown_png_chunk_or_a_broken_profile_is_accepted() -> None:
    source = FILES["png"]
    extra = png_chunk(b"prVt", b"private") + png_chunk(b"iCCP", b"x\x00\x00not a deflated profile")
    made = shown(source[:33] + extra + source[33:], Rendition(format="png"))
    assert difference(made, photo()) == 0


def test_a_reason_that_quotes_a_file_is_printable() -> None:
    """A file may contain invalid UTF-8 and control characters.

    The reason contains none of them, and quoting them raises no error.
    """
    exif = Image.Exif()
    exif[0x112] = 6
    turned = encoded(photo(), "avif", exif=exif)
    refused = render(turned.replace(b"irot", b"\xff\x1b]\n"), Accept(), RECIPES).rejected
    assert refused is not None
    assert refused.text.startswith("the avif header is damaged (")
    assert refused.text.isprintable()
    assert "avif" not in str(render(FILES["png"][:99] + bytes(99), Accept(), RECIPES).rejected or "avif")


def _png_of(data: bytes) -> bytes:
    """Return a PNG of 96 by 64 pixels with this compressed data.

    All of its chunks have valid checksums.
    """
    header = struct.pack(">IIBBBBB", 96, 64, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(name, chunk) for name, chunk in chunks)


_ROWS = b"".join(b"\0" + row.tobytes() for row in np.asarray(photo(96, 64)))


@pytest.mark.parametrize("name", [b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"])
def test_a_png_whose_chunk_has_a_wrong_checksum_is_rejected(name: bytes) -> None:
    """Only the checksum is wrong."""
    whole = bytearray(encoded(photo(96, 64).quantize(16), "png", transparency=3))
    at = whole.index(name)
    whole[at + 4 + int.from_bytes(whole[at - 4 : at], "big")] ^= 1
    assert render(bytes(whole), Accept(), RECIPES).rejected


@pytest.mark.parametrize(
    "data",
    [
        zlib.compress(_ROWS)[:-1] + b"\x01",
        zlib.compress(_ROWS)[:-4],
        zlib.compress(_ROWS[: -(1 + 3 * 96)]),
        zlib.compress(b"\x09" + _ROWS[1:]),
    ],
    ids=["wrong checksum", "no checksum", "a row too few", "no such filter"],
)
def test_a_png_whose_inflated_data_is_wrong_is_rejected(data: bytes) -> None:
    """The checksums of its chunks are valid."""
    assert render(_png_of(zlib.compress(_ROWS)), Accept(), RECIPES).rejected is None
    assert render(_png_of(data), Accept(), RECIPES).rejected


@pytest.mark.parametrize("lossless", [True, False])
@pytest.mark.parametrize("missing", [2, 20, 300])
def test_a_truncated_webp_whose_size_fields_were_adjusted_is_rejected(lossless: bool, missing: int) -> None:
    whole = encoded(photo(), "webp", lossless=lossless)
    chunk = whole[12 : len(whole) - missing]
    data = chunk[8:] + bytes(len(chunk) % 2)
    chunk = chunk[:4] + (len(chunk) - 8).to_bytes(4, "little") + data
    riff = b"RIFF" + (4 + len(chunk)).to_bytes(4, "little") + b"WEBP"
    assert render(riff + chunk, Accept(), RECIPES).rejected


@pytest.mark.parametrize("missing", [1, 10, 300])
def test_a_truncated_avif_whose_size_fields_were_adjusted_is_rejected(missing: int) -> None:
    cut = FILES["avif"][:-missing]
    at = cut.index(b"mdat") - 4
    assert render(cut[:at] + (len(cut) - at).to_bytes(4, "big") + cut[at + 4 :], Accept(), RECIPES).rejected


@pytest.mark.parametrize("kind", ["jpeg", "progressive jpeg"])
@pytest.mark.parametrize("missing", [1, 20, 300])
def test_a_jpeg_cut_off_before_its_end_mark_is_rejected(kind: str, missing: int) -> None:
    assert render(FILES[kind][: -2 - missing] + b"\xff\xd9", Accept(), RECIPES).rejected


def test_a_jpeg_that_lacks_a_restart_marker_or_the_data_after_it_is_rejected() -> None:
    whole = encoded(photo(), "jpeg", quality=90, restart_marker_blocks=4)
    first, second = whole.index(b"\xff\xd0"), whole.index(b"\xff\xd1")
    for damaged in (whole[:first] + whole[first + 2 :], whole[:first] + whole[second:]):
        assert render(damaged, Accept(), RECIPES).rejected


_TIFF_PIXELS = {
    "deflate": photo(),
    "packbits": photo(),
    "tiff_lzw": photo(),
    "jpeg": photo(),
    "group4": photo().convert("1"),
}


@pytest.mark.parametrize("compression", _TIFF_PIXELS)
def test_a_compressed_tiff_with_overwritten_bytes_in_a_strip_is_rejected(compression: str) -> None:
    """The decoder ignores the checksum of deflated data.

    For other compressions libtiff warns about the damage.
    """
    picture = _TIFF_PIXELS[compression]
    kind = {"deflate": "tiff_adobe_deflate"}.get(compression, compression)
    for order in ("sound", "unsound"):
        whole = bytearray(encoded(picture, "tiff", compression=kind))
        with Image.open(io.BytesIO(whole)) as read:
            tags = read.tag_v2  # type: ignore[attr-defined] # of TIFF alone
            at, size = tags[273][0] + tags[279][0] // 3, tags[279][0] // 3
        if order == "unsound":
            whole[at : at + size] = np.random.default_rng(5).bytes(size)
        assert bool(render(bytes(whole), Accept(), RECIPES).rejected) == (order == "unsound")


def test_a_deflated_tiff_in_a_tile_far_larger_than_the_picture_is_read() -> None:
    """A tile always has its full size in the file."""
    image = pyvips.Image.new_from_array(np.asarray(photo(10, 6)))
    source = image.tiffsave_buffer(tile=True, tile_width=256, tile_height=256, compression="deflate")
    assert difference(shown(source, Rendition(format="png")), photo(10, 6)) == 0


def test_a_tiff_whose_palette_is_cut_off_is_rejected() -> None:
    """The decoder would read the palette's indices as greys."""
    whole = encoded(photo().quantize(64), "tiff", compression="tiff_lzw")
    with Image.open(io.BytesIO(whole)) as read:
        end = sum(read.tag_v2[tag][-1] for tag in (273, 279))  # type: ignore[attr-defined] # as above
    assert render(whole, Accept(), RECIPES).rejected is None
    assert render(whole[: max(end, len(whole) - 60)], Accept(), RECIPES).rejected


def test_a_heic_without_a_size_is_rejected() -> None:
    source = heic(photo(96, 64)).replace(b"ispe", b"isp\xff")
    reason = "the heic header lacks the picture's size"
    assert str(render(source, Accept(), RECIPES).rejected).startswith(f"{reason}. Upload it again")


def test_a_tiff_with_an_unordered_directory_is_read() -> None:
    """The decoder warns about the order, but every pixel is there."""
    source = encoded(photo(), "tiff", compression="packbits")
    at = int.from_bytes(source[4:8], "little") + 2
    swapped = source[:at] + source[at + 12 : at + 24] + source[at : at + 12] + source[at + 24 :]
    assert difference(shown(swapped, Rendition(format="png")), photo()) == 0
