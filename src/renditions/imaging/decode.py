"""Decode files to upright pictures in sRGB, grey or kept colours.

This module decodes a still picture to the size that its renditions need. Some decoders can shrink a picture
themselves: JPEG's by 2, 4 or 8, WebP's to any size. libvips streams a large whole picture from the decoder
into the first resize, and holds only the result in memory. After that, when there are fewer pixels, this
module turns the picture upright and converts its colours. Decoding is strict: it rejects damaged files,
unless damage is tolerated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeVar

from renditions.errors import Undecodable
from renditions.imaging.alpha import weighted
from renditions.imaging.colour import Kept, manage
from renditions.imaging.geometry import (
    Rectangle,
    Size,
    region_of,
    rescaled,
    round_half_up,
    stored_at,
    whole_for,
)
from renditions.imaging.probe import Header, as_salvageable, warn_of_damage
from renditions.imaging.registry import find_code
from renditions.imaging.resample import enlarge
from renditions.imaging.vips import get_int, raise_if_warned, translated
from renditions.model.formats import SOURCE_FORMATS

HEADROOM = Fraction(8, 5)
"""The smallest ratio of a shrunk picture's size to the result's size.

With a smaller ratio, the decoder's coarse filter is visible.
"""
SHRINKS = (8, 4, 2)
"""The factors by which a decoder with ``shrink_on_load = "halves"`` can shrink."""
_SCALED_HEADROOM = Fraction(5, 4)
"""``HEADROOM`` for a decoder that can shrink to any size. Such a decoder filters better."""
_MAX_MISSED = Fraction(1, 4)
"""The most that both edges of a shrunk part together may miss the true edges, in pixels of the result."""
_GAP = 4
"""If libvips averages pixels before Lanczos, it leaves Lanczos a reduction by at least this factor. With 2,
libvips' default, the averaging is visible and makes the resize no faster."""
_MAX_HELD_BYTES = 48_000_000
"""A shrunk picture of at most this many bytes is decoded whole before its resize, which is faster."""
_INSPECTED_SIDE = 2000
"""The longer side, in pixels, at which a drawing is inspected, since a drawing has no full size."""
_DAMAGED = "the picture is damaged"
_Found = TypeVar("_Found")
Options = Mapping[str, Any]
"""Options of a loader."""


@dataclass(frozen=True, slots=True)
class Timing:
    """The timing of an animation."""

    delays_ms: tuple[int, ...]
    """How long each frame is shown, in milliseconds."""
    loop: int
    """How many times the animation runs; 0 means without end."""


@dataclass(frozen=True, slots=True)
class Frames:
    """The frames of one picture at one size. A still picture has one frame."""

    images: tuple[Any, ...]
    """libvips images, upright, in RGB or grey, with or without alpha.

    Their samples have 8 bits; only colours of a kept colour code can have 16.
    """
    size: Size
    timing: Timing | None = None
    """The timing of the frames; None for a still picture."""
    smaller: Any | None = None
    """The first image before the resize, if it was enlarged or the fit is ``fill``; otherwise None."""
    dpi: float | None = None
    """The resolution in dots per inch that gives a picture its declared size on paper; None if undeclared."""


def read_header(content: bytes, source_format: str, page: int = 0) -> Header:
    """Return the header of the picture or document page.

    Pages are numbered from 0.

    Raises:
        Undecodable: The file is damaged, or can't be read for another reason, such as its encryption.
        NotAccepted: The way to store the pixels isn't supported, or a drawing is too complex or has forbidden
            content.
        Failed: Memory ran out, an optional library isn't installed, a bundled font is damaged, or this
            process has drawn text with other fonts than the declared ones.

    """
    header: Header = find_code(SOURCE_FORMATS[source_format].header)(content, page)
    return header


def decode_still(content: bytes, header: Header, region: Rectangle, size: Size, kept: Kept) -> Frames:
    """Return this region of the first frame or of the page, at this size.

    Region and size refer to the upright picture. In a picture of pixels, the size must not exceed the
    region's own size, and the decoder also reads what is outside the region, so that damage there is found,
    too.

    Raises:
        Undecodable: The picture is damaged.
        NotAccepted: The way to store the pixels isn't supported.
        Failed: Memory ran out, an optional library isn't installed, a bundled font is damaged, or this
            process has drawn text with other fonts than the declared ones.

    """
    stored = size.transposed() if header.is_sideways else size
    part = stored_at(region, header.displayed, header.orientation)

    def decode(content: bytes, options: Options) -> Frames:
        image, extent = _load_shrunk(content, header, part, stored, options)
        image = resize(image, stored, extent)
        if header.orientation > 1:
            # A rotation needs the pixels in another order than the decoder yields them.
            image = image.copy_memory().autorot()
        frames = Frames((manage(image, kept).copy_memory(),), size)
        _check_warnings(header, options)
        return frames

    return _decode(content, header, 1, decode)


def _check_data(content: bytes, header: Header, frames: int) -> None:
    """Raise ``Undecodable`` if the format's own check finds damage.

    The format's check finds damage that the decoder would miss.
    """
    if check := SOURCE_FORMATS[header.format].check_data:
        find_code(check)(content, header, frames)


def _check_warnings(header: Header, options: Options) -> None:
    """Raise ``Undecodable`` if the decoder's warnings mean lost pixels.

    This function does nothing if the options make the decoder continue after damage.
    """
    decoder = SOURCE_FORMATS[header.format].decoder_that_warns
    if decoder and "fail_on" not in options:
        raise_if_warned(Undecodable, _DAMAGED, decoder)


def has_transparent_pixel(content: bytes, header: Header) -> bool:
    """Return whether any pixel of the first frame, at its full size, isn't opaque.

    Raises:
        Undecodable: The picture is damaged.
        NotAccepted: The way to store the pixels isn't supported.
        Failed: Memory ran out.

    """

    def decode(content: bytes, options: Options) -> bool:
        image = manage(_load(content, header, access="sequential", **options), "nothing")
        return bool(image.hasalpha() and image[image.bands - 1].min() < 255)

    return _decode(content, header, 1, decode)


def inspect_still(content: bytes, header: Header, look: Callable[[Any], _Found]) -> _Found:
    """Return what ``look`` returns for the first frame or the page, at full size.

    ``look`` gets the whole picture, upright, in sRGB or grey. A drawing has no full size: its longer side
    is 2,000 pixels.

    Raises:
        Undecodable: The picture is damaged.
        NotAccepted: The way to store the pixels isn't supported.
        Failed: Memory ran out, an optional library isn't installed, a bundled font is damaged, or this
            process has drawn text with other fonts than the declared ones.

    """

    def decode(content: bytes, options: Options) -> _Found:
        # Outside of a worker, libvips keeps images of more than 100 MB in a temporary file.
        if header.drawing:
            whole = region_of(header.grid, None)
            scale = Fraction(_INSPECTED_SIDE, max(whole.width, whole.height))
            size = Size(round_half_up(whole.width * scale), round_half_up(whole.height * scale))
            image = _draw(content, header, whole, size).copy_memory()
        else:
            image = _load(content, header, access="random", **options)
        found = look(manage(image.autorot(), "nothing"))
        _check_warnings(header, options)
        return found

    return _decode(content, header, 1, decode)


def _decode(
    content: bytes, header: Header, frames: int, decode: Callable[[bytes, Options], _Found]
) -> _Found:
    """Call ``decode`` with the file; if that fails, with the tidied file.

    These calls have no options. If they or the format's own check find damage that is tolerated, call
    ``decode`` with options that make it continue after damage, and warn. Damage in a drawing isn't tolerated.
    """
    try:
        _check_data(content, header, frames)
        return _decode_strictly(content, header, decode)
    except Undecodable as damage:
        if header.drawing or not SOURCE_FORMATS[header.format].is_salvageable:
            raise
        if not header.is_lenient:
            raise as_salvageable(damage) from damage
        with translated(Undecodable, _DAMAGED):
            found = decode(content, {"fail_on": "none"})
        warn_of_damage(damage)
        return found


def _decode_strictly(content: bytes, header: Header, decode: Callable[[bytes, Options], _Found]) -> _Found:
    try:
        with translated(Undecodable, _DAMAGED):
            return decode(content, {})
    except Undecodable:
        tidied = SOURCE_FORMATS[header.format].tidy
        tidy = find_code(tidied)(content) if tidied else content
        if tidy == content:
            raise
    with translated(Undecodable, _DAMAGED):
        return decode(tidy, {})


def _load_shrunk(
    content: bytes, header: Header, part: Rectangle, wanted: Size, options: Options
) -> tuple[Any, tuple[float, float] | None]:
    """Return a part of the first frame, shrunk by the decoder, and its exact extent.

    The decoder shrinks only as far as ``wanted`` allows. An extent of None means the size of the returned
    image; see :func:`resize`.
    """
    if header.drawing:
        return _draw(content, header, part, wanted), None
    whole = header.stored
    is_whole = part.size == whole
    shrinks = SOURCE_FORMATS[header.format].shrink_on_load if header.can_shrink else "none"
    if shrinks == "halves":
        shrink = next((shrink for shrink in SHRINKS if _can_shrink(whole, part, wanted, shrink)), 1)
        held_bytes = 3 * whole.width * whole.height // shrink**2
        access = "random" if held_bytes <= _MAX_HELD_BYTES or not is_whole else "sequential"
        image = _load(content, header, access=access, shrink=shrink, **options)
        return _cut(image, part, shrink), (part.width / shrink, part.height / shrink)
    # With sequential access, libvips would never decode the rows below a part.
    access = "sequential" if is_whole else "random"
    if shrinks == "any" and header.frames == 1 and is_whole:
        scale = float(_SCALED_HEADROOM) * max(wanted.width / whole.width, wanted.height / whole.height)
        if scale < 1:
            return _load(content, header, access=access, scale=scale, **options), None
    return _cut(_load(content, header, access=access, **options), part), None


def _load(content: bytes, header: Header, **options: Any) -> Any:
    return find_code(SOURCE_FORMATS[header.format].decoder)(content, header, **options)


def _draw(content: bytes, header: Header, part: Rectangle, wanted: Size) -> Any:
    """Return a part of a drawing at this size. Each side may differ by up to a pixel."""
    whole = whole_for(header.grid, part, wanted)
    draw = find_code(SOURCE_FORMATS[header.format].decoder)
    return draw(content, header, whole, rescaled(part, header.grid, whole))


def _cut(image: Any, part: Rectangle, shrink: int = 1) -> Any:
    """Cut a part out of a shrunk image.

    The part is given in pixels of the whole picture.
    """
    left, right = _shrunk_edges(part.left, part.right, image.width, shrink)
    top, bottom = _shrunk_edges(part.top, part.bottom, image.height, shrink)
    if (right - left, bottom - top) == (image.width, image.height):
        return image
    return image.crop(left, top, right - left, bottom - top)


def _shrunk_edges(begin: int, end: int, length: int, shrink: int) -> tuple[int, int]:
    """Return the nearest edge of a shrunk pixel for each end of the part.

    ``begin`` and ``end`` are in pixels of the whole picture. The result is in shrunk pixels, and so is
    ``length``, the picture's whole side.
    """
    near, far = ((2 * edge + shrink) // (2 * shrink) for edge in (begin, end))
    return near, min(far, length)


def _can_shrink(whole: Size, part: Rectangle, wanted: Size, shrink: int) -> bool:
    """Return whether the decoder may shrink by this much without a visible error.

    The edges of the region can lie inside a shrunk pixel. The decoder also drops the last columns and rows if
    they don't fill a shrunk pixel. So the shrunk edges miss the true edges, and the picture moves by half of
    that distance. A move by more than an eighth of a pixel of the result would be visible.
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
    """Return the sum of the distances from both shrunk edges to the true edges.

    The distances are in pixels of the whole picture.
    """
    near, far = _shrunk_edges(begin, end, length // shrink, shrink)
    return abs(near * shrink - begin) + abs(far * shrink - end)


def decode_animation(content: bytes, header: Header, kept: Kept) -> Frames:
    """Return every frame at its full size, with its timing.

    Raises:
        Undecodable: The picture is damaged.
        NotAccepted: The way to store the pixels isn't supported.
        Failed: Memory ran out.

    """

    def decode(content: bytes, options: Options) -> Frames:
        # The loader stacks the frames into one tall image.
        strip = manage(_load(content, header, n=-1, **options), kept).copy_memory()
        width, height = header.stored.width, header.stored.height
        frames = tuple(strip.crop(0, at * height, width, height).autorot() for at in range(header.frames))
        delays = strip.get("delay") if strip.get_typeof("delay") else [100] * header.frames
        return Frames(frames, header.displayed, Timing(tuple(delays), get_int(strip, "loop", 0)))

    return _decode(content, header, header.frames, decode)


def resize(image: Any, size: Size, extent: tuple[float, float] | None = None) -> Any:
    """Return the image at this size, with colours weighted by their alpha.

    The image is reduced with Lanczos3, or enlarged bicubically. ``extent`` is the exact width and height of
    what the image shows, in the image's pixels, if the decoder dropped a part of a pixel: a JPEG of 1,130
    rows that is shrunk by 4 has 282 rows, and its exact height is 282.5.
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
