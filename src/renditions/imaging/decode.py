"""Bytes -> upright pictures in 8-bit sRGB or grey, at the largest scale that is needed.

The decoder itself shrinks where it can (JPEG by 2, 4 or 8; WebP to any size); what comes out of it is
streamed into the first resize, and only the result is held in memory. Orientation and colour are dealt
with there, on the fewest pixels that will do. Decoding is strict: what is damaged is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from renditions.errors import Undecodable
from renditions.imaging import heic, pdf, svg
from renditions.imaging.colour import to_8_bits
from renditions.imaging.geometry import Size
from renditions.imaging.gif import check_pixels
from renditions.imaging.jpeg import tidied
from renditions.imaging.probe import Header
from renditions.imaging.tiff import check_checksums
from renditions.imaging.vips import load, raise_if_warned, translated, warnings_of_libraries

HEADROOM = Fraction(8, 5)
"""How much larger than needed the decoder's own result must be: with less, its coarse filter shows."""
SHRINKS = (8, 4, 2)
"""By how much the JPEG decoder can shrink."""
_SCALED_HEADROOM = Fraction(5, 4)
"""The same where the decoder can shrink to any size, and so filters better."""
_MAX_DROPPED = Fraction(1, 4)
"""How much of a pixel of the result it may drop at the right and below."""
_GAP = 4
"""From which scale on libvips averages before Lanczos; its default of 2 shows and is no faster."""
_MAX_HELD_BYTES = 48_000_000
"""Up to how many bytes a shrunk JPEG is decoded as a whole before its first resize: faster than streaming."""
_MAX_TIFF_VALUE_BYTES = 16
"""The most bytes that a value of a pixel has: a complex number of double precision."""
_EXPECTED = "a whole and sound picture"


@dataclass(frozen=True, slots=True)
class Timing:
    """How an animation runs."""

    delays_ms: tuple[int, ...]
    """How long each frame stays."""
    loop: int
    """How often it runs; 0: for ever."""


@dataclass(frozen=True, slots=True)
class Frames:
    """One picture at one size: its frames, of which a still picture has one."""

    images: tuple[Any, ...]
    """libvips images in memory, upright, 8-bit sRGB or grey, perhaps with alpha."""
    size: Size
    timing: Timing | None = None
    """None for a still picture."""


def read_header(content: bytes, source_format: str, page: int = 0) -> Header:
    """Return what the header says of the picture, or of this page of a document; no pixel is decoded.

    Raises:
        Undecodable: the header is damaged.

    """
    if source_format == "heic":
        return heic.read_header(content)
    if source_format == "svg":
        return svg.read_header(content)
    if source_format == "pdf":
        return pdf.read_header(content, page)
    with translated(Undecodable, f"a {source_format} header"):
        image = load(source_format, content, **_page_option(page))
        return Header(
            format=source_format,
            stored=Size(image.width, image.height),
            orientation=_get_int(image, "orientation", 1),
            frames=_get_int(image, "n-pages", 1),
            page=page,
            bands=image.bands,
        )


def _page_option(page: int) -> dict[str, int]:
    """Return the loader's option for a page; the first needs none, and not every loader has it."""
    return {"page": page} if page else {}


def decode_still(content: bytes, header: Header, size: Size, profile: str) -> Frames:
    """Return the first frame at this size as displayed, which must not exceed the picture's own.

    ``profile`` is a recipe's: what becomes of the colours.

    Raises:
        Undecodable: the picture is damaged.

    """
    _check_data(content, header, 1)
    try:
        return _decode_still(content, header, size, profile)
    except Undecodable:
        tidy = tidied(content) if header.format == "jpeg" else content
        if tidy == content:
            raise
    return _decode_still(tidy, header, size, profile)


def _check_data(content: bytes, header: Header, frames: int) -> None:
    """Raise ``Undecodable`` if the data isn't sound by what the decoder doesn't look at."""
    if header.format == "gif":
        check_pixels(content, frames)
    if header.format == "tiff":
        pixels = header.stored.width * header.stored.height
        check_checksums(content, header.page, _MAX_TIFF_VALUE_BYTES * header.bands * pixels)


def _decode_still(content: bytes, header: Header, size: Size, profile: str) -> Frames:
    stored = size.transposed() if header.is_sideways else size
    with translated(Undecodable, _EXPECTED):
        image, extent = _load_shrunk(content, header, stored)
        image = resize(image, stored, extent)
        if header.orientation > 1:
            # Turning needs the pixels in another order than they are decoded in.
            image = image.copy_memory().autorot()
        frames = Frames((to_8_bits(image, profile).copy_memory(),), size)
        if header.format == "jpeg":
            raise_if_warned(Undecodable, _EXPECTED)
        return frames


def has_transparent_pixel(content: bytes, header: Header) -> bool:
    """Tell whether any pixel of the first frame, at its full size, isn't opaque.

    Raises:
        Undecodable: the picture is damaged.

    """
    _check_data(content, header, 1)
    with translated(Undecodable, _EXPECTED):
        image = to_8_bits(_load_whole(content, header), "srgb")
        return bool(image.hasalpha() and image[image.bands - 1].min() < 255)


def _load_shrunk(content: bytes, header: Header, stored: Size) -> tuple[Any, tuple[float, float] | None]:
    """Return the first frame as the decoder shrinks it, large enough for ``stored``, and its extent."""
    whole = header.stored
    if header.format == "jpeg":
        shrink = next((shrink for shrink in SHRINKS if _can_shrink(whole, stored, shrink)), 1)
        held_bytes = 3 * whole.width * whole.height // shrink**2
        image = load(
            "jpeg",
            content,
            shrink=shrink,
            access="random" if held_bytes <= _MAX_HELD_BYTES else "sequential",
            # Only JPEG's warnings mean lost pixels; elsewhere they tell of unknown tags and the like.
            fail_on="warning",
        )
        return image, (whole.width / shrink, whole.height / shrink)
    if header.format == "svg":
        return svg.draw(content, header, stored), None
    if header.format == "pdf":
        return pdf.draw(content, header, stored), None
    if header.format == "webp" and header.frames == 1:
        scale = float(_SCALED_HEADROOM) * max(stored.width / whole.width, stored.height / whole.height)
        if scale < 1:
            return _load_whole(content, header, scale=scale), None
    return _load_whole(content, header), None


def _load_whole(content: bytes, header: Header, **options: Any) -> Any:
    if header.format == "heic":
        return heic.decode(content, header)
    options |= {"access": "sequential", "fail_on": "error"} | _page_option(header.page)
    if header.format == "tiff":
        return _load_tiff(content, options)
    return load(header.format, content, **options)


def _load_tiff(content: bytes, options: dict[str, Any]) -> Any:
    """Return the page, whose decoding stops at any of libtiff's warnings: they mean damaged pixels.

    Unless its directory, which is read first, already makes libtiff warn. Many a whole file's does; but
    one that can't be read to its end may have lost the palette.
    """
    with warnings_of_libraries() as warnings:
        image = load("tiff", content, **options | {"fail_on": "warning"})
    if lost := [warning for warning in warnings if "IO error" in warning]:
        raise Undecodable(f"expected {_EXPECTED}, found: {lost[0]}")
    return load("tiff", content, **options) if warnings else image


def _can_shrink(whole: Size, wanted: Size, shrink: int) -> bool:
    """Tell whether the JPEG decoder may shrink by this much without harm to the result.

    It drops the columns and rows that don't fill a last pixel, which moves the picture by half of them:
    by no more than an eighth of a pixel of the result, or it shows.
    """
    is_exact = (wanted.width * shrink, wanted.height * shrink) == (whole.width, whole.height)
    dropped_across = Fraction(whole.width % shrink * wanted.width, whole.width)
    dropped_down = Fraction(whole.height % shrink * wanted.height, whole.height)
    return is_exact or (
        whole.covers(wanted, HEADROOM * shrink) and max(dropped_across, dropped_down) <= _MAX_DROPPED
    )


def decode_animation(content: bytes, header: Header, profile: str) -> Frames:
    """Return every frame at its full size, with its timing.

    Raises:
        Undecodable: the picture is damaged.

    """
    _check_data(content, header, header.frames)
    with translated(Undecodable, _EXPECTED):
        # The loader stacks the frames into one tall image.
        strip = to_8_bits(load(header.format, content, n=-1, fail_on="error"), profile).copy_memory()
        width, height = header.stored.width, header.stored.height
        frames = tuple(strip.crop(0, at * height, width, height).autorot() for at in range(header.frames))
        delays = strip.get("delay") if strip.get_typeof("delay") else [100] * header.frames
        return Frames(frames, header.displayed, Timing(tuple(delays), _get_int(strip, "loop", 0)))


def resize(image: Any, size: Size, extent: tuple[float, float] | None = None) -> Any:
    """Return the image resized with Lanczos3, its colours weighted by their alpha meanwhile.

    ``extent`` is how wide and high the whole picture is in the image's pixels, where its decoder dropped
    part of it: a JPEG of 1,130 rows that is shrunk by 4 has 282 of 282.5.
    """
    if (image.width, image.height) == (size.width, size.height):
        return image
    width, height = extent or (image.width, image.height)
    across, down = size.width / width, size.height / height
    if not image.hasalpha():
        return _resample(image, across, down)
    weighted, is_whole = image.premultiply(), image.format in ("uchar", "ushort")
    if is_whole:
        # A quarter of floating point's work, and below what the encoders lose.
        weighted = weighted.rint().cast(image.format)
    resized = _resample(weighted, across, down).unpremultiply()
    return resized.rint().cast(image.format) if is_whole else resized


def _resample(image: Any, across: float, down: float) -> Any:
    return image.resize(across, vscale=down, kernel="lanczos3", gap=_GAP)


def _get_int(image: Any, name: str, default: int) -> int:
    return int(image.get(name)) if image.get_typeof(name) else default
