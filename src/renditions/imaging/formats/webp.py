"""WebP input and output (RFC 9649)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from renditions.imaging.formats.loaded import load_header
from renditions.imaging.metadata import kept
from renditions.imaging.probe import Header
from renditions.model.formats import OUTPUT_FORMATS
from renditions.model.recipe import Rendition

_WHOLE_BYTES = 4
"""How many bytes the decoder may hold for each pixel, unless the file has the simple lossy form."""


def read_header(content: bytes, page: int) -> Header:
    """Return the header, without decoding pixels.

    See :func:`.load_header` for the errors.
    """
    header = load_header("webp", content, page)
    return replace(header, held_bytes_per_pixel=None if content[12:16] == b"VP8 " else _WHOLE_BYTES)


def encode(image: Any, recipe: Rendition, quality: int | None) -> bytes:
    """Encode an image, or the frames in it, as a file."""
    return bytes(
        image.webpsave_buffer(
            Q=quality,
            effort=OUTPUT_FORMATS["webp"].effort_of(recipe.effort),
            lossless=recipe.lossless,
            exact=recipe.lossless,
            keep=kept(recipe),
        )
    )


def copy_without_metadata(content: bytes, **_: bool) -> bytes | None:
    """Return the WebP unchanged if it has the simple form; otherwise None.

    The simple form has no metadata (RFC 9649, 2.5 and 2.6). Return None, too, if data follows the picture.
    """
    size = 8 + int.from_bytes(content[4:8], "little")
    return content if content[12:16] in (b"VP8 ", b"VP8L") and size == len(content) else None
