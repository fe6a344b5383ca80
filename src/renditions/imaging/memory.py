"""Estimate the memory that a picture takes, before decoding its pixels.

``check_memory`` and ``check_output`` count only the part that is certain: enough to reject most pictures that
are too large, at no cost. ``estimate`` counts everything, so that several pictures fit side by side. Its
numbers are measured: ``make test-memory`` compares them with the peaks of processes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from renditions.errors import NotAccepted
from renditions.imaging.geometry import Size
from renditions.imaging.probe import Header
from renditions.model.formats import OUTPUT_FORMATS, SOURCE_FORMATS

_COLOURS = 3
"""The certain part counts at most this many values per pixel, because alpha isn't always kept in memory."""
_ROWS = 2000
"""How many rows of a picture libvips holds at most, between a decoder and a resize."""
_EACH = 24_000_000
"""What any picture takes, in bytes: small buffers, and memory that the C library doesn't give back."""
_LIMITS_ALLOW = "[limits] memory allows"


@dataclass(frozen=True, slots=True)
class Memory:
    """The memory that the pictures of this process may take."""

    bytes: int
    """The most that one picture may take."""
    allows: str = _LIMITS_ALLOW
    """What sets the limit, as a part of the sentence in a rejection's reason."""
    advice: str = "Raise this limit, or upload a smaller picture"
    """What a person can do, as the last sentence of a rejection's reason."""
    take: Callable[[int], AbstractContextManager[object]] = nullcontext
    """A function that waits until this many bytes are free, and takes them during the ``with`` block.

    The default neither waits nor takes anything.
    """


def check_memory(bases: Iterable[tuple[Header, Size]], animated: Header | None, memory: Memory) -> None:
    """Raise ``NotAccepted`` if more memory is needed than one picture may take.

    Args:
        bases: For each decoded page or part of a page: the page's header, and the size to decode to.
        animated: The header of an animation with all frames decoded; None without one.
        memory: The most that one picture may take.

    """
    needs = [_held(page) + min(page.bands, _COLOURS) * _area(size) for page, size in bases]
    if animated:
        needs.append(animated.frames * min(animated.bands, _COLOURS) * _area(animated.stored))
    if max(needs, default=0) > memory.bytes:
        raise NotAccepted(
            f"the picture needs at least {max(needs):,} bytes of memory, more than the {memory.bytes:,} that "
            f"{memory.allows}. {memory.advice}"
        )


def check_output(size: Size, page: Header, output_format: str, memory: Memory) -> None:
    """Raise ``NotAccepted`` if a rendition of this size takes too much memory.

    A rendition can be far larger than its picture: by ``enlarge``, ``contain`` or ``padding``. An encoder
    that works row by row needs less memory, but would take very long.
    """
    is_larger = _area(size) > _area(page.displayed)
    bands = min(page.bands, _COLOURS)
    per_pixel = max(bands * is_larger, OUTPUT_FORMATS[output_format].held_bytes_per_pixel)
    need = per_pixel * _area(size)
    if need > memory.bytes:
        raise NotAccepted(
            f"a rendition of {size.width} by {size.height} pixels needs {need:,} bytes of memory in "
            f"{output_format}, more than the {memory.bytes:,} that {memory.allows}. Declare a "
            "smaller rendition"
        )


def estimate(
    file_bytes: int,
    bases: Iterable[tuple[Header, Size]],
    outputs: Iterable[tuple[Header, Size, str, int]],
    animated: Header | None,
) -> int:
    """Return how many bytes a picture takes at most, with its file.

    Args:
        file_bytes: The size of the file. Some decoders need a copy of it.
        bases: For each decoded part: its page's header, and the size to decode to.
        outputs: For each rendition: its page's header, its size, its format, and the number of its pages.
        animated: The header of an animation with all frames decoded; None without one.

    """
    decoding, levels = 0, 0
    for page, size in bases:
        # A level, and its copy with other colours or another size.
        level = 2 * page.bands * _area(size)
        rows = page.bands * min(_area(page.stored), _ROWS * page.stored.width)
        decoding, levels = max(decoding, _held(page) + rows + level), max(levels, level)
    encoding = 0
    for page, size, output_format, pages in outputs:
        held = OUTPUT_FORMATS[output_format].held_bytes_per_pixel
        # The rendition, and its file: no format is much larger than its pixels.
        frames = animated.frames if animated else pages
        encoding = max(encoding, frames * (page.bands + max(page.bands, held)) * _area(size))
    if animated:
        strip = 2 * animated.frames * animated.bands * _area(animated.stored)
        decoding, levels = max(decoding, _held(animated) + strip), max(levels, strip)
    return _EACH + 2 * file_bytes + max(decoding, levels + encoding)


def _held(page: Header) -> int:
    """Return how many bytes the decoder holds for the whole picture."""
    per_pixel = page.held_bytes_per_pixel
    if per_pixel is None:
        per_pixel = SOURCE_FORMATS[page.format].held_bytes_per_pixel
    return per_pixel * _area(page.stored)


def _area(size: Size) -> int:
    return size.width * size.height
