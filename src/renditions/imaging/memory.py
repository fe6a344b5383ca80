"""Estimate the least memory that a picture takes, before decoding its pixels.

The actual amount depends on the decoder, the encoder and the renditions. But the part that is certain is
enough to reject most pictures that are too large, at no cost.
"""

from __future__ import annotations

from collections.abc import Iterable

from renditions.errors import NotAccepted
from renditions.imaging.geometry import Size
from renditions.imaging.probe import Header
from renditions.model.formats import OUTPUT_FORMATS, SOURCE_FORMATS

_COLOURS = 3
"""The estimate counts at most this many values per pixel, because alpha isn't always kept in memory."""


def check_memory(bases: Iterable[tuple[Header, Size]], animated: Header | None, limit_bytes: int) -> None:
    """Raise ``NotAccepted`` if more memory is needed than one picture may take.

    Args:
        bases: For each decoded page or part of a page: its header, and the size that it is decoded to.
        animated: The header of an animation with all frames decoded.
        limit_bytes: The most that one picture may take.

    """
    needs = [
        SOURCE_FORMATS[page.format].held_bytes_per_pixel * _area(page.stored) + _bands(page) * _area(size)
        for page, size in bases
    ]
    if animated:
        needs.append(animated.frames * _bands(animated) * _area(animated.stored))
    if max(needs, default=0) > limit_bytes:
        raise NotAccepted(
            f"the picture needs at least {max(needs):,} bytes of memory, more than the {limit_bytes:,} that "
            "[limits] memory allows. Raise this limit, or upload a smaller picture"
        )


def check_output(size: Size, page: Header, output_format: str, limit_bytes: int) -> None:
    """Raise ``NotAccepted`` if a rendition of this size takes too much memory.

    A rendition can be far larger than its picture: by ``enlarge``, ``contain`` or ``padding``. An encoder
    that works row by row needs less memory, but would take very long.
    """
    is_larger = _area(size) > _area(page.displayed)
    per_pixel = max(_bands(page) * is_larger, OUTPUT_FORMATS[output_format].held_bytes_per_pixel)
    need = per_pixel * _area(size)
    if need > limit_bytes:
        raise NotAccepted(
            f"a rendition of {size.width} by {size.height} pixels needs {need:,} bytes of memory in "
            f"{output_format}, more than the {limit_bytes:,} that [limits] memory allows"
        )


def _bands(header: Header) -> int:
    return min(header.bands, _COLOURS)


def _area(size: Size) -> int:
    return size.width * size.height
