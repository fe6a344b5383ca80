"""Recognise SVG files and unpack compressed ones (``.svgz``).

This module needs no imaging library.
"""

from __future__ import annotations

import zlib
from xml.parsers import expat

from renditions.errors import NotAccepted, Undecodable
from renditions.imaging.formats.svg_count import SIMPLIFY

MAX_BYTES = 50_000_000
"""The most bytes that a compressed drawing may have after unpacking."""
_GZIP = b"\x1f\x8b"
_GZIP_WINDOW = 31
"""The window size that makes zlib read gzip's header and checksum (RFC 1952)."""
_START_BYTES = 1_000_000
"""How much of a compressed file is unpacked to find the first element."""
_DAMAGED_START = 1024
"""How many bytes at the start must contain ``<svg`` if a file can't be parsed up to its first element."""


def is_drawing(content: bytes) -> bool:
    """Return whether the first element is ``svg``.

    Comments, declarations and byte order marks may come before it. A file that can't be parsed up to its
    first element counts as a drawing if ``<svg`` is in the first 1,024 bytes.
    """
    if content.startswith(_GZIP):
        try:
            content = zlib.decompressobj(_GZIP_WINDOW).decompress(content, _START_BYTES)
        except zlib.error:
            return False
    parser = expat.ParserCreate()
    found: list[str] = []

    def start(name: str, _: dict[str, str]) -> None:
        found.append(name)
        raise _FoundError

    parser.StartElementHandler = start
    try:
        parser.Parse(content, False)
    except _FoundError:
        return found[0].rpartition(":")[2] == "svg"
    except (expat.ExpatError, LookupError, ValueError):
        return b"<svg" in content[:_DAMAGED_START]
    return False


class _FoundError(Exception):
    """The exception that ends the parser's work at the first element."""


def unpack(content: bytes) -> bytes:
    """Return the drawing's XML, unpacked if it is compressed.

    Raises:
        NotAccepted: The unpacked XML is too large.
        Undecodable: The compressed data is damaged.

    """
    if not content.startswith(_GZIP):
        return content
    stream = zlib.decompressobj(_GZIP_WINDOW)
    try:
        unpacked = stream.decompress(content, MAX_BYTES)
    except zlib.error as error:
        raise Undecodable(f"the compressed drawing is damaged ({error})") from error
    if stream.unconsumed_tail:
        raise NotAccepted(f"the unpacked drawing has more than {MAX_BYTES:,} bytes. {SIMPLIFY}")
    if not stream.eof:
        raise Undecodable("the compressed drawing ends too early")
    return unpacked
