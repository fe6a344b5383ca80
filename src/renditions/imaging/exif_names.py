"""Keep EXIF's names of the photographer and the copyright holder byte for byte.

libvips writes only ASCII, and ``?`` for other characters. So the encoder writes fillers of the same length,
and :func:`write_names` replaces them with the true bytes. Texts should be ASCII (EXIF 2.32), but cameras and
editors write UTF-8, Latin-1, Shift JIS and others.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import Literal

_TAGS = {"exif-ifd0-Artist": 0x013B, "exif-ifd0-Copyright": 0x8298}
"""The tags by libvips' names."""
_TIFF = re.compile(rb"II\*\0|MM\0\*")
_TYPES = (1, 2, 7, 129)
"""The types whose values are bytes: BYTE, ASCII, UNDEFINED, and UTF-8 (EXIF 3.0)."""
_ASCII = 2
_MAX_ENTRIES = 256
_FILLER = "x"


def read_names(block: bytes) -> dict[str, bytes]:
    """Return the photographer and the copyright of an EXIF block or a TIFF file.

    The keys of the result are libvips' names for the two tags. Blanks at the end of a text, and
    empty texts, are left out.
    """
    block = block.removeprefix(b"Exif\0\0")
    places = _find(block, 0)
    found = {name: block[slice(*places[tag])].rstrip(b" \0") for name, tag in _TAGS.items() if tag in places}
    return {name: text for name, text in found.items() if text}


def block_of(names: Mapping[str, bytes]) -> bytes:
    """Return an EXIF block that has only these texts.

    The keys are libvips' names of the tags. Source of the structure: TIFF 6.0, section 2.
    """
    begin = 8 + 2 + 12 * len(names) + 4
    entries = texts = b""
    for tag, text in sorted((_TAGS[name], text) for name, text in names.items()):
        # A text of four bytes or less would be in the entry itself.
        text = text.ljust(4, b"\0") + b"\0"  # noqa: PLW2901
        entries += struct.pack("<HHII", tag, _ASCII, len(text), begin + len(texts))
        texts += text
    return b"Exif\0\0II*\0" + struct.pack("<IH", 8, len(names)) + entries + bytes(4) + texts


def fillers(names: Mapping[str, bytes]) -> dict[str, str]:
    """Return a filler for each text, for the encoder to write.

    A filler has as many characters as the text has bytes. The keys are libvips' names of the tags.
    """
    return {name: _FILLER * len(text) for name, text in names.items()}


def write_names(content: bytes, names: Mapping[str, bytes]) -> bytes:
    """Return the encoded file with these texts in place of their ``fillers``.

    The EXIF block may be anywhere in the file. If no block has the fillers, return the file unchanged.
    """
    wanted = {_TAGS[name]: text for name, text in names.items()}
    for match in _TIFF.finditer(content) if names else ():
        places = _find(content, match.start())
        if all(_is_filler(content, places.get(tag, (0, 0)), text) for tag, text in wanted.items()):
            changed = bytearray(content)
            for tag, text in wanted.items():
                begin, _ = places[tag]
                changed[begin : begin + len(text)] = text
            return _with_checksum(changed, match.start())
    return content


def _is_filler(content: bytes, place: tuple[int, int], text: bytes) -> bool:
    return content[slice(*place)].rstrip(b"\0") == _FILLER.encode() * len(text)


def _with_checksum(content: bytearray, at: int) -> bytes:
    """Return the file. In a PNG, correct the checksum of the block's chunk first."""
    if content[at - 4 : at] == b"eXIf":
        (size,) = struct.unpack_from(">I", content, at - 8)
        struct.pack_into(">I", content, at + size, zlib.crc32(content[at - 4 : at + size]))
    return bytes(content)


def _find(content: bytes, start: int) -> dict[int, tuple[int, int]]:
    """Return where each text of a block's first directory begins and ends, by tag.

    The block begins at ``start``.
    """
    order: Literal["little", "big"] = "little" if content[start : start + 2] == b"II" else "big"

    def number(at: int, size: int) -> int:
        return int.from_bytes(content[at : at + size], order)

    def entries(at: int) -> Iterator[tuple[int, tuple[int, int]]]:
        for entry in range(at + 2, at + 2 + 12 * min(number(at, 2), _MAX_ENTRIES), 12):
            count = number(entry + 4, 4)
            value = start + number(entry + 8, 4) if count > 4 else entry + 8
            if number(entry + 2, 2) in _TYPES and value + count <= len(content):
                yield number(entry, 2), (value, value + count)

    return dict(entries(start + number(start + 4, 4)))
