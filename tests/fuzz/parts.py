"""Find where the parts of a file begin and end, as far as it can be parsed.

The parts are JPEG's segments (ITU-T T.81, B.1.1), PNG's chunks, RIFF's chunks, ISO boxes (ISO/IEC 14496-12,
4.2), GIF's blocks, TIFF's directory entries, DICOM's elements (PS3.5, 7.1), SVG's tags, PDF's objects and
numbers, and the parts of gzip.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator
from typing import Literal

Spans = Iterator[tuple[int, int]]

_BOXES_OF_BOXES = (b"meta", b"iprp", b"ipco", b"iinf", b"moov", b"trak", b"mdia", b"minf", b"stbl", b"iref")
_PNG_SIGNATURE = 8
_CHUNK_FRAME = 12
"""How many bytes a PNG chunk has in addition to its data: its length, name and checksum."""


def spans(content: bytes) -> list[tuple[int, int]]:
    """Return the start and the end of each part of a file of any of these formats.

    The list is empty if the file can't be parsed.
    """
    walks: tuple[tuple[int, bytes, Callable[[bytes], Spans]], ...] = (
        (0, b"\xff\xd8", _jpeg_segments),
        (0, b"\x89PNG", png_chunks),
        (0, b"RIFF", _riff_chunks),
        (4, b"ftyp", lambda content: _boxes(content, 0, len(content))),
        (0, b"GIF8", _gif_blocks),
        (0, b"II*\0", _tiff_entries),
        (0, b"MM\0*", _tiff_entries),
        (0, b"<", lambda content: _matches(rb"<[^>]*>", content)),
        (0, b"\xef\xbb\xbf<", lambda content: _matches(rb"<[^>]*>", content)),
        (0, b"\xff\xfe<", lambda content: _matches(rb"<\0.*?>\0", content)),
        (0, b"\x1f\x8b", _gzip_parts),
        (128, b"DICM", _dicom_elements),
        (0, b"%PDF", _pdf_parts),
        (3, b"%PDF", _pdf_parts),
    )
    for at, signature, walk in walks:
        if content.startswith(signature, at):
            return [(start, end) for start, end in walk(content) if start < end <= len(content)]
    return []


def _jpeg_segments(content: bytes) -> Spans:
    at = 2
    while content[at : at + 1] == b"\xff" and content[at + 1 : at + 2] not in (b"\xd9", b""):
        end = at + 2 + int.from_bytes(content[at + 2 : at + 4], "big")
        if content[at + 1] == 0xDA:
            while (end := content.find(b"\xff", end)) >= 0 and (
                content[end + 1 : end + 2] or b"\0"
            ) < b"\x01":
                end += 1
            end = len(content) if end < 0 else end
        yield at, end
        at = end


def png_chunks(content: bytes) -> Spans:
    """Yield the span of each chunk with its length, name and checksum."""
    at = _PNG_SIGNATURE
    while at + _CHUNK_FRAME <= len(content):
        end = at + _CHUNK_FRAME + int.from_bytes(content[at : at + 4], "big")
        yield at, end
        at = end


def _riff_chunks(content: bytes) -> Spans:
    at = 12
    while at + 8 <= len(content):
        size = int.from_bytes(content[at + 4 : at + 8], "little")
        end = at + 8 + size + size % 2
        yield at, end
        at += 24 if content[at : at + 4] == b"ANMF" else end - at


def _boxes(content: bytes, at: int, limit: int) -> Spans:
    while at + 8 <= limit:
        size = int.from_bytes(content[at : at + 4], "big")
        name = content[at + 4 : at + 8]
        if size < 8:
            return
        yield at, at + size
        if name in _BOXES_OF_BOXES:
            skipped = {b"meta": 12, b"iref": 12, b"iinf": 14}.get(name, 8)
            yield from _boxes(content, at + skipped, min(at + size, limit))
        at += size


def _gif_blocks(content: bytes) -> Spans:
    def table_size(flags: int) -> int:
        return 3 << (flags & 7) + 1 if flags & 0x80 else 0

    at = 13 + table_size(content[10]) if len(content) > 10 else 13
    yield 6, at
    while at + 10 <= len(content) and content[at] in (0x21, 0x2C):
        start = at
        at += 2 if content[at] == 0x21 else 11 + table_size(content[at + 9])
        while at < len(content) and content[at]:
            at += 1 + content[at]
        at += 1
        yield start, at


def _tiff_entries(content: bytes) -> Spans:
    order: Literal["little", "big"] = "little" if content.startswith(b"II") else "big"
    at = int.from_bytes(content[4:8], order)
    for _ in range(16):
        count = int.from_bytes(content[at : at + 2], order)
        for entry in range(min(count, 64)):
            yield at + 2 + 12 * entry, at + 14 + 12 * entry
        after = at + 2 + 12 * count
        at = int.from_bytes(content[after : after + 4], order)
        if not at:
            return


def _dicom_elements(content: bytes) -> Spans:
    """Yield the span of each element of explicit type, with its tag.

    This also works inside sequences of undefined length.
    """
    at = 132
    while at + 8 <= len(content):
        is_item = content[at : at + 2] == b"\xfe\xff"
        is_long = content[at + 4 : at + 6] in (b"OB", b"OW", b"SQ", b"UN", b"UT", b"OF")
        start, digits = (at + 8, 4) if is_item or is_long else (at + 6, 2)
        data = start + 4 if is_long else at + 8
        size = int.from_bytes(content[start if is_long else data - digits :][:digits], "little")
        end = data if size == 0xFFFFFFFF else data + size
        yield at, end
        at = end


def _pdf_parts(content: bytes) -> Spans:
    return _matches(rb"\d+ \d+ obj.*?endobj|/\w+ [\d.]+", content)


def _gzip_parts(content: bytes) -> Spans:
    """Yield the spans of header, data, and checksum with size (RFC 1952, 2.3)."""
    yield from ((0, 10), (10, len(content) - 8), (len(content) - 8, len(content)))


def _matches(pattern: bytes, content: bytes) -> Spans:
    for match in re.finditer(pattern, content, re.DOTALL):
        yield match.span()


def with_right_checksums(png: bytes) -> bytes:
    """Return the PNG with a valid checksum in each complete chunk."""
    content = bytearray(png)
    for start, end in png_chunks(png):
        if end <= len(content):
            content[end - 4 : end] = zlib.crc32(content[start + 4 : end - 4]).to_bytes(4, "big")
    return bytes(content)
