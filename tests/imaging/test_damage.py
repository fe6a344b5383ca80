"""Damaged files are refused with a reason, and those that only look damaged are not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imaging.pictures import INPUT_FORMATS, difference, encoded, opened, photo, png_chunk, shown
from renditions.imaging.render import render
from renditions.pipeline import Accept
from renditions.recipe import Rendition

RECIPES = {"thumb": Rendition(width=100, format="png"), "web": Rendition(format="webp")}

FILES: dict[str, bytes] = {
    **{source_format: encoded(photo(), source_format) for source_format in INPUT_FORMATS},
    "progressive jpeg": encoded(photo(), "jpeg", quality=97, progressive=True),
    "lossy webp": encoded(photo(), "webp", quality=80),
    "deflated tiff": encoded(photo(), "tiff", compression="tiff_adobe_deflate"),
    "animated gif": encoded(
        photo(), "gif", save_all=True, append_images=[photo().rotate(90), photo().rotate(180)]
    ),
    "animated webp": encoded(
        photo(), "webp", save_all=True, append_images=[photo().rotate(90), photo().rotate(180)]
    ),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_truncated_file_is_rejected_wherever_it_ends(kind: str) -> None:
    whole = FILES[kind]
    assert render(whole, Accept(), RECIPES).rejected is None
    ends = {len(whole) * part // 24 for part in range(24)}
    for end in sorted(ends | {len(whole) - missing for missing in (1, 2, 3, 8, 11, 12, 13)}):
        result = render(whole[:end], Accept(), RECIPES)
        assert result.rejected, f"{kind} cut at {end} of {len(whole)}"
        assert result.made == {}
        assert "found" in result.rejected


@pytest.mark.parametrize("cut_into", ["header", "start", "middle", "end"])
def test_a_png_with_any_wrong_byte_is_rejected(cut_into: str) -> None:
    """Its checksums cover every byte of a chunk."""
    whole = bytearray(FILES["png"])
    at = {"header": 18, "start": 60, "middle": len(whole) // 2, "end": len(whole) - 20}[cut_into]
    whole[at] ^= 0x10
    assert render(bytes(whole), Accept(), RECIPES).rejected


@pytest.mark.parametrize("kind", FILES)
def test_a_file_with_a_hole_is_rejected_or_whole(kind: str) -> None:
    """Noise over a tenth of the file: refused wherever the format lets the decoder see it."""
    whole = FILES[kind]
    noise = np.random.default_rng(1).bytes(len(whole) // 10)
    results = [
        render(whole[:at] + noise + whole[at + len(noise) :], Accept(), RECIPES)
        for at in range(20, len(whole) - len(noise), len(whole) // 12)
    ]
    refused = sum(result.rejected is not None for result in results)
    # TIFF without compression carries no redundancy at all to tell noise from a picture by.
    assert refused >= {"tiff": 0}.get(kind, len(results) // 2)


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(sorted(FILES)), st.data())
def test_no_damage_raises(kind: str, data: st.DataObject) -> None:
    """Flipped, inserted and removed bytes: a result every time, and nothing made of a rejected picture."""
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
def test_no_bytes_raise(start: bytes, rest: bytes) -> None:
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
def test_a_jpeg_against_the_letter_but_whole_is_read(spoil: Any) -> None:
    """What cameras are known to write: libjpeg warns of it, and every pixel is there."""
    source = FILES["jpeg"]
    assert difference(shown(spoil(source), Rendition(format="png")), opened(source)) < 0.5


@pytest.mark.parametrize("spoil", [_with_stray_bytes, _with_odd_scan_parameters])
def test_a_jpeg_against_the_letter_and_damaged_is_rejected(spoil: Any) -> None:
    """A fault that is forgiven hides none that isn't."""
    source = spoil(FILES["jpeg"])
    assert render(source[: len(source) // 2], Accept(), RECIPES).rejected


def test_an_unknown_png_chunk_and_a_broken_profile_are_no_damage() -> None:
    source = FILES["png"]
    extra = png_chunk(b"prVt", b"private") + png_chunk(b"iCCP", b"x\x00\x00not a deflated profile")
    made = shown(source[:33] + extra + source[33:], Rendition(format="png"))
    assert difference(made, photo()) == 0


def test_a_gif_with_bytes_after_its_trailer_is_read() -> None:
    assert render(FILES["gif"] + b"\x00junk", Accept(), RECIPES).rejected is None


def test_a_reason_that_quotes_the_file_is_printable_and_of_this_file_alone() -> None:
    """What is no UTF-8 and what controls terminals comes from files: neither raises nor passes."""
    quoted = FILES["avif"].replace(b"av1C", b"\xff\x1b]\n")
    refused = render(quoted, Accept(), RECIPES).rejected
    assert refused is not None
    assert refused.startswith("expected a avif header, found: ")
    assert refused.isprintable()
    assert "avif" not in (render(FILES["png"][:99] + bytes(99), Accept(), RECIPES).rejected or "avif")
