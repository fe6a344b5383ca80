"""PNG input and output (ISO/IEC 15948), with the chunk that marks an animation."""

from __future__ import annotations

import struct
from typing import Any

from renditions.errors import Undecodable
from renditions.imaging.formats.loaded import load_header
from renditions.imaging.metadata import kept
from renditions.imaging.probe import Header
from renditions.model.recipe import Rendition

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_END = b"\x00\x00\x00\x00IEND\xaeB`\x82"
_ANIMATION = (b"acTL", b"fcTL", b"fdAT")
_PALETTE_DEPTHS = (1, 2, 4, 8)
"""The numbers of bits that an index into a palette can have."""


def read_header(content: bytes, page: int) -> Header:
    """Return the header, without decoding pixels."""
    return load_header("png", content, page)


def check_end(content: bytes) -> None:
    """Raise ``Undecodable`` if the last chunk is missing. The decoder doesn't need it."""
    if _END not in content:
        raise Undecodable("the PNG ends before its IEND chunk")


def is_animated(content: bytes, _: Header) -> bool:
    """Return whether the file has an animation's chunk, ``acTL``, before its pixels.

    A chunk has a length, a name, data and a checksum.
    """
    at = len(_SIGNATURE)
    while (name := content[at + 4 : at + 8]) not in (b"IDAT", b""):
        if name == b"acTL":
            return True
        at += 12 + int.from_bytes(content[at : at + 4], "big")
    return False


def encode(image: Any, recipe: Rendition, _: int | None) -> bytes:
    """Encode an image, or the frames or pages in it, as a file."""
    options: dict[str, Any] = {"interlace": True} if recipe.progressive else {}
    if recipe.palette:
        bits = max(depth for depth in _PALETTE_DEPTHS if 2**depth <= recipe.palette)
        options |= {"palette": True, "bitdepth": bits}
    return bytes(image.pngsave_buffer(keep=kept(recipe), **options))


def copy_without_metadata(content: bytes, *, keeps_metadata: bool, keeps_profile: bool) -> bytes | None:
    """Return the PNG without an animation's frames, and without metadata unless a flag keeps it.

    Returns None if it has an unwanted profile, or no last chunk.
    """
    parts, at = [_SIGNATURE], len(_SIGNATURE)
    while at + 12 <= len(content):
        size, name = struct.unpack_from(">I4s", content, at)
        chunk = content[at : at + 12 + size]
        if name == b"iCCP" and not keeps_profile:
            return None
        is_critical = not name[0] & 0x20
        is_wanted = keeps_metadata and name not in _ANIMATION
        if is_critical or name in (b"tRNS", b"iCCP") or is_wanted:
            parts.append(chunk)
        if name == b"IEND":
            return b"".join(parts)
        at += len(chunk)
    return None
