"""Load the bundled font, and find the characters that a font file has, in pure Python.

The characters come from the font's ``cmap`` table, see the OpenType specification: from its subtable of
format 12 (all of Unicode) if there is one, or else of format 4 (the first plane).
"""

from __future__ import annotations

import struct
import unicodedata
from collections.abc import Iterable, Iterator
from importlib import resources
from pathlib import Path

from renditions.errors import Undecodable

_SIGNATURES = (b"\x00\x01\x00\x00", b"OTTO", b"true")
_INVISIBLE = ("Cf", "Zs")
"""Unicode's categories of format characters and blanks. They need no glyph."""


def _folder() -> Path:
    """Return the folder of the bundled fonts.

    A function has them only if its pipeline draws text.
    """
    return Path(str(resources.files("fontpkg_open_sans"))) / "files"


def default_font() -> bytes:
    """Return the bundled font file: Open Sans, with Latin, Greek, Cyrillic and Hebrew letters."""
    return (_folder() / "OpenSans[wdth,wght].ttf").read_bytes()


def own_fonts() -> tuple[Path, ...]:
    """Return the paths of the bundled fonts: Open Sans, upright and italic, each in all weights."""
    return tuple(sorted(_folder().glob("*.ttf")))


def find_missing(font: bytes, text: str) -> str:
    """Return the characters of the text that the font has no glyph for.

    Raises:
        Undecodable: The file isn't a TrueType or OpenType font, or has no Unicode ``cmap``.

    """
    wanted = {
        ord(character)
        for character in unicodedata.normalize("NFC", text)
        if unicodedata.category(character) not in _INVISIBLE
    }
    try:
        found = set(_find_glyphs(_find_subtable(font), wanted))
    except (struct.error, IndexError) as error:
        raise Undecodable(f"the font is damaged: {error}") from error
    return "".join(chr(code) for code in sorted(wanted - found))


def _find_subtable(font: bytes) -> bytes:
    """Return the bytes of the font's largest Unicode subtable of ``cmap``, beginning with its format."""
    if not font.startswith(_SIGNATURES):
        raise Undecodable("the file isn't a TrueType or OpenType font")
    (tables,) = struct.unpack_from(">H", font, 4)
    starts = {
        font[at : at + 4]: struct.unpack_from(">I", font, at + 8)[0] for at in range(12, 12 + 16 * tables, 16)
    }
    cmap = font[starts[b"cmap"] :] if b"cmap" in starts else b"\0\0\0\0"
    (count,) = struct.unpack_from(">H", cmap, 2)
    subtables = {}
    for at in range(4, 4 + 8 * count, 8):
        platform, encoding, start = struct.unpack_from(">HHI", cmap, at)
        if platform == 0 or (platform, encoding) in ((3, 1), (3, 10)):
            subtables[struct.unpack_from(">H", cmap, start)[0]] = cmap[start:]
    for known in (12, 4):
        if known in subtables:
            return subtables[known]
    raise Undecodable("the font has no Unicode characters")


def _find_glyphs(subtable: bytes, codes: Iterable[int]) -> Iterator[int]:
    """Yield the code points among ``codes`` that have a glyph."""
    (kind,) = struct.unpack_from(">H", subtable)
    if kind == 12:
        (count,) = struct.unpack_from(">I", subtable, 12)
        groups = list(struct.iter_unpack(">III", subtable[16 : 16 + 12 * count]))
        yield from (code for code in codes if any(first <= code <= last for first, last, _ in groups))
        return
    (double,) = struct.unpack_from(">H", subtable, 6)
    lasts, firsts, deltas, offsets = (
        struct.unpack_from(f">{double // 2}H", subtable, start)
        for start in (14, 16 + double, 16 + 2 * double, 16 + 3 * double)
    )
    for code in codes:
        segment = next((at for at, last in enumerate(lasts) if code <= last), None)
        if segment is None or code < firsts[segment]:
            continue
        glyph = code
        if offsets[segment]:
            # The offset is relative to its own position in the table.
            at = 16 + 3 * double + 2 * segment + offsets[segment] + 2 * (code - firsts[segment])
            (glyph,) = struct.unpack_from(">H", subtable, at)
            if not glyph:
                continue
        if (glyph + deltas[segment]) & 0xFFFF:
            yield code
