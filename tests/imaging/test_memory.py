"""The memory limit: which renditions it refuses, and which it allows."""

from __future__ import annotations

import zlib

import pytest

from imaging.pictures import encoded, heic, photo, png_chunk, rgb_png, why_not
from renditions.imaging.render import render
from renditions.model.pipeline import Accept, Limits
from renditions.model.recipe import Rendition

WHOLE = {"whole": Rendition(format="png")}
THUMB = {"thumb": Rendition(width=50)}


def one_colour_png(side: int) -> bytes:
    """Return a square RGB PNG of one colour, written without holding its pixels."""
    row = b"\0" + b"\x20\x40\x80" * side
    compressor = zlib.compressobj()
    data = b"".join([*(compressor.compress(row) for _ in range(side)), compressor.flush()])
    return rgb_png(side, side, b"").replace(png_chunk(b"IDAT", zlib.compress(b"")), png_chunk(b"IDAT", data))


def test_a_picture_that_needs_too_much_memory_is_refused_by_its_header() -> None:
    """The picture's 900 megapixels are within max_pixels.

    Decoding them at once would take 2.7 GB.
    """
    result = render(rgb_png(30_000, 30_000, b""), Accept(max_pixels=1_000_000_000), WHOLE)
    assert str(result.errors["whole"]) == (
        "the picture needs at least 2,700,000,000 bytes of memory, more than the 2,000,000,000 that "
        "[limits] memory allows. Raise this limit, or upload a smaller picture"
    )
    assert result.original.width == 30_000


def test_a_large_picture_is_accepted_if_only_small_renditions_need_it() -> None:
    """The picture has 27 MB of pixels.

    The decoder reads it row by row, and holds only a few rows in memory.
    """
    source = one_colour_png(3_000)
    limits = Limits(memory=20_000_000)
    assert render(source, Accept(), THUMB, limits=limits).made
    assert "at least 27,000,000" in why_not(source, WHOLE["whole"], limits=limits)


@pytest.mark.parametrize(("source_format", "needed"), [("gif", 4), ("avif", 15), ("heic", 7)])
def test_the_memory_limit_counts_the_whole_picture_if_its_decoder_holds_it(
    source_format: str, needed: int
) -> None:
    source = heic(photo(200, 100)) if source_format == "heic" else encoded(photo(200, 100), source_format)
    why = why_not(source, Rendition(width=1), limits=Limits(memory=needed * 20_000))
    assert "bytes of memory, more than" in why
    assert render(
        source, Accept(), {"thumb": Rendition(width=1)}, limits=Limits(memory=(needed + 1) * 20_000)
    ).made


def test_the_memory_of_all_frames_counts_if_the_animation_is_kept() -> None:
    frames = [photo(100, 80).rotate(angle) for angle in (0, 90, 180)]
    source = encoded(frames[0], "webp", save_all=True, append_images=frames[1:])
    limits = Limits(memory=70_000)
    kept = render(source, Accept(), {"moving": Rendition(format="webp", animation="keep")}, limits=limits)
    assert "at least 72,000" in str(kept.errors["moving"])
    assert render(source, Accept(), {"still": Rendition(format="webp", width=50)}, limits=limits).made
