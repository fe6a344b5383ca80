"""Bytes -> upright pictures in 8-bit sRGB or grey, at the largest scale that is needed.

The decoder itself shrinks where it can (JPEG by 2, 4 or 8; WebP to any size); its output is streamed into
the first resize, and only the result is held in memory. Orientation and colour are dealt with there, on the
fewest pixels that will do. Decoding is strict: damaged files are rejected.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeVar

from renditions.errors import Undecodable
from renditions.imaging.alpha import weighted
from renditions.imaging.colour import to_8_bits
from renditions.imaging.geometry import (
    Rectangle,
    Size,
    region_of,
    rescaled,
    round_half_up,
    stored_at,
    whole_for,
)
from renditions.imaging.probe import Header
from renditions.imaging.registry import find_code
from renditions.imaging.resample import enlarge
from renditions.imaging.vips import get_int, raise_if_warned, translated
from renditions.model.formats import SOURCE_FORMATS

HEADROOM = Fraction(8, 5)
"""How much larger than needed the decoder's own result must be: with less, its coarse filter shows."""
SHRINKS = (8, 4, 2)
"""By how much a decoder can shrink that does so by halves."""
_SCALED_HEADROOM = Fraction(5, 4)
"""The same where the decoder can shrink to any size, and so filters better."""
_MAX_MISSED = Fraction(1, 4)
"""By how much of a result's pixel its edges may miss the picture's."""
_GAP = 4
"""From which scale on libvips averages before Lanczos; its default of 2 shows and is no faster."""
_MAX_HELD_BYTES = 48_000_000
"""Up to how many bytes a shrunk picture is decoded as a whole before its resize: faster than streaming."""
_INSPECTED_SIDE = 2000
"""The longer side, in pixels, of a drawing under analysis: it has no full size."""
_EXPECTED = "a complete and valid picture"
_Found = TypeVar("_Found")


@dataclass(frozen=True, slots=True)
class Timing:
    """How an animation runs."""

    delays_ms: tuple[int, ...]
    """How long each frame stays."""
    loop: int
    """How often it runs; 0: for ever."""


@dataclass(frozen=True, slots=True)
class Frames:
    """One picture at one size: its frames; a still picture has one."""

    images: tuple[Any, ...]
    """libvips images in memory, upright, 8-bit sRGB or grey, perhaps with alpha."""
    size: Size
    timing: Timing | None = None
    """None for a still picture."""


def read_header(content: bytes, source_format: str, page: int = 0) -> Header:
    """Return the header of the picture, or of this page of a document, without decoding pixels.

    Raises:
        Undecodable: the header is damaged.

    """
    header: Header = find_code(SOURCE_FORMATS[source_format].header)(content, page)
    return header


def decode_still(content: bytes, header: Header, region: Rectangle, size: Size, profile: str) -> Frames:
    """Return this region of the first frame at this size, which must not exceed the region's own.

    Both are those of the picture as displayed. Parts outside of the region are decoded too, so damage
    anywhere is rejected. ``profile`` is the recipe's colour policy.

    Raises:
        Undecodable: the picture is damaged.

    """
    _check_data(content, header, 1)
    stored = size.transposed() if header.is_sideways else size
    part = stored_at(region, header.displayed, header.orientation)

    def decode(content: bytes) -> Frames:
        image, extent = _load_shrunk(content, header, part, stored)
        image = resize(image, stored, extent)
        if header.orientation > 1:
            # A rotation needs the pixels in another order than the decoder's.
            image = image.copy_memory().autorot()
        frames = Frames((to_8_bits(image, profile).copy_memory(),), size)
        _check_warnings(header)
        return frames

    return _decode_strictly(content, header, decode)


def _check_data(content: bytes, header: Header, frames: int) -> None:
    """Raise ``Undecodable`` if checks that the decoder skips find damage."""
    if check := SOURCE_FORMATS[header.format].check_data:
        find_code(check)(content, header, frames)


def _check_warnings(header: Header) -> None:
    """Raise ``Undecodable`` if a decoder whose warnings mean lost pixels has warned by now."""
    if SOURCE_FORMATS[header.format].is_warning_damage:
        raise_if_warned(Undecodable, _EXPECTED)


def has_transparent_pixel(content: bytes, header: Header) -> bool:
    """Return whether any pixel of the first frame, at its full size, isn't opaque.

    Raises:
        Undecodable: the picture is damaged.

    """
    _check_data(content, header, 1)
    with translated(Undecodable, _EXPECTED):
        image = to_8_bits(_load(content, header, access="sequential"), "srgb")
        return bool(image.hasalpha() and image[image.bands - 1].min() < 255)


def inspect_still(content: bytes, header: Header, look: Callable[[Any], _Found]) -> _Found:
    """Return the result of ``look`` for the first frame: whole, upright, in sRGB, at its full size.

    A drawing has a longer side of 2,000 pixels.

    Raises:
        Undecodable: the picture is damaged.

    """
    _check_data(content, header, 1)

    def decode(content: bytes) -> _Found:
        # libvips keeps images above 100 MB in a file meanwhile.
        if header.drawing:
            whole = region_of(header.grid, None)
            scale = Fraction(_INSPECTED_SIDE, max(whole.width, whole.height))
            size = Size(round_half_up(whole.width * scale), round_half_up(whole.height * scale))
            image = _draw(content, header, whole, size).copy_memory()
        else:
            image = _load(content, header, access="random")
        found = look(to_8_bits(image.autorot(), "srgb"))
        _check_warnings(header)
        return found

    return _decode_strictly(content, header, decode)


def _decode_strictly(content: bytes, header: Header, decode: Callable[[bytes], _Found]) -> _Found:
    """Return what ``decode`` makes of the file, or else of its pixels below a tidied header."""
    try:
        with translated(Undecodable, _EXPECTED):
            return decode(content)
    except Undecodable:
        tidied = SOURCE_FORMATS[header.format].tidy
        tidy = find_code(tidied)(content) if tidied else content
        if tidy == content:
            raise
    with translated(Undecodable, _EXPECTED):
        return decode(tidy)


def _load_shrunk(
    content: bytes, header: Header, part: Rectangle, wanted: Size
) -> tuple[Any, tuple[float, float] | None]:
    """Return a part of the first frame as the decoder shrinks it, large enough, and its extent."""
    if header.drawing:
        return _draw(content, header, part, wanted), None
    whole = header.stored
    is_whole = part.size == whole
    shrinks = SOURCE_FORMATS[header.format].shrink_on_load
    if shrinks == "halves":
        shrink = next((shrink for shrink in SHRINKS if _can_shrink(whole, part, wanted, shrink)), 1)
        held_bytes = 3 * whole.width * whole.height // shrink**2
        access = "random" if held_bytes <= _MAX_HELD_BYTES or not is_whole else "sequential"
        image = _load(content, header, access=access, shrink=shrink)
        return _cut(image, part, shrink), (part.width / shrink, part.height / shrink)
    # In sequence, the rows below a part would never be decoded.
    access = "sequential" if is_whole else "random"
    if shrinks == "any" and header.frames == 1 and is_whole:
        scale = float(_SCALED_HEADROOM) * max(wanted.width / whole.width, wanted.height / whole.height)
        if scale < 1:
            return _load(content, header, access=access, scale=scale), None
    return _cut(_load(content, header, access=access), part), None


def _load(content: bytes, header: Header, **options: Any) -> Any:
    return find_code(SOURCE_FORMATS[header.format].decoder)(content, header, **options)


def _draw(content: bytes, header: Header, part: Rectangle, wanted: Size) -> Any:
    """Return a part of a drawing, of this size give or take a pixel."""
    draw = find_code(SOURCE_FORMATS[header.format].decoder)
    image = draw(content, header, whole_for(header.grid, part, wanted))
    return _cut(image, rescaled(part, header.grid, Size(image.width, image.height)))


def _cut(image: Any, part: Rectangle, shrink: int = 1) -> Any:
    """Return a part, in pixels of the whole picture, of an image that is shrunk."""
    left, right = _shrunk_edges(part.left, part.right, image.width, shrink)
    top, bottom = _shrunk_edges(part.top, part.bottom, image.height, shrink)
    if (right - left, bottom - top) == (image.width, image.height):
        return image
    return image.crop(left, top, right - left, bottom - top)


def _shrunk_edges(begin: int, end: int, length: int, shrink: int) -> tuple[int, int]:
    """Return the edges nearest to these on a side of ``length`` shrunk pixels."""
    near, far = ((2 * edge + shrink) // (2 * shrink) for edge in (begin, end))
    return near, min(far, length)


def _can_shrink(whole: Size, part: Rectangle, wanted: Size, shrink: int) -> bool:
    """Return whether the decoder may shrink by this much without a visible error.

    A part's edges can lie between its shrunk pixels, and the columns and rows that don't fill a last one
    are dropped. That moves the picture by half of the missed part. More than an eighth of a result's pixel
    would show.
    """
    missed_across = _missed(part.left, part.right, whole.width, shrink)
    missed_down = _missed(part.top, part.bottom, whole.height, shrink)
    if (wanted.width * shrink, wanted.height * shrink) == (part.width, part.height):
        return missed_across == missed_down == 0
    in_result = (
        Fraction(missed_across * wanted.width, part.width),
        Fraction(missed_down * wanted.height, part.height),
    )
    return part.size.covers(wanted, HEADROOM * shrink) and max(in_result) <= _MAX_MISSED


def _missed(begin: int, end: int, length: int, shrink: int) -> int:
    """Return by how many whole pixels both shrunk edges together miss the true edges."""
    near, far = _shrunk_edges(begin, end, length // shrink, shrink)
    return abs(near * shrink - begin) + abs(far * shrink - end)


def decode_animation(content: bytes, header: Header, profile: str) -> Frames:
    """Return every frame at its full size, with its timing.

    Raises:
        Undecodable: the picture is damaged.

    """
    _check_data(content, header, header.frames)
    with translated(Undecodable, _EXPECTED):
        # The loader stacks the frames into one tall image.
        strip = to_8_bits(_load(content, header, n=-1), profile).copy_memory()
        width, height = header.stored.width, header.stored.height
        frames = tuple(strip.crop(0, at * height, width, height).autorot() for at in range(header.frames))
        delays = strip.get("delay") if strip.get_typeof("delay") else [100] * header.frames
        return Frames(frames, header.displayed, Timing(tuple(delays), get_int(strip, "loop", 0)))


def resize(image: Any, size: Size, extent: tuple[float, float] | None = None) -> Any:
    """Return the image reduced with Lanczos3 or enlarged bicubically, its colours weighted by their alpha.

    ``extent`` is how wide and high the whole picture is in the image's pixels, where its decoder dropped
    part of it: a JPEG of 1,130 rows that is shrunk by 4 has 282 of 282.5.
    """
    if (image.width, image.height) == (size.width, size.height):
        return image
    width, height = extent or (image.width, image.height)
    across, down = size.width / width, size.height / height
    return weighted(image, lambda image: _resample(image, across, down, size))


def _resample(image: Any, across: float, down: float, size: Size) -> Any:
    if across < 1 or down < 1:
        image = image.resize(min(across, 1), vscale=min(down, 1), kernel="lanczos3", gap=_GAP)
    if across > 1 or down > 1:
        image = enlarge(image, max(across, 1), max(down, 1), size, "bicubic")
    return image
