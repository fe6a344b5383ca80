"""Load fonts: the bundled one, and the faces of font files, in pure Python.

A file has one face, or is a collection of several (``.ttc`` and ``.otc``). The characters of a face come from
its ``cmap`` table, see the OpenType specification: from its subtable of format 12 (all of Unicode) if there
is one, or else of format 4 (the first plane).
"""

from __future__ import annotations

import struct
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import resources
from mmap import mmap
from pathlib import Path

from renditions.errors import Failed, Undecodable

_SIGNATURES = (b"\x00\x01\x00\x00", b"OTTO", b"true")
_COLLECTION = b"ttcf"
_COLOUR_TABLES = (b"COLR", b"CBDT", b"SVG ", b"sbix")
_INVISIBLE = ("Cf", "Zs")
"""Unicode's categories of format characters and blanks. They need no glyph."""
_SELECTORS = (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))
"""The variation selectors, which choose the form of the character before them, and need no glyph either."""
_SUBTABLES = (12, 4)


def _folder() -> Path:
    """Return the folder of the bundled fonts.

    A function's bundle contains these fonts only if its pipeline accepts SVG or has a watermark of text.
    """
    return Path(str(resources.files("fontpkg_open_sans"))) / "files"


def default_font_file() -> Path:
    """Return the path of the bundled font."""
    return _folder() / "OpenSans[wdth,wght].ttf"


def default_font() -> bytes:
    """Return the bundled font file, Open Sans.

    It has Latin, Greek, Cyrillic and Hebrew letters. See :func:`read_own_font` for the error.
    """
    return read_own_font(default_font_file())


def read_own_font(path: Path) -> bytes:
    """Return a bundled font file.

    Raises:
        Failed: The file can't be read, or is damaged. The picture isn't to blame.

    """
    try:
        content = path.read_bytes()
        read_faces(content)
    except (OSError, Undecodable) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise Failed(
            f"can't use the bundled font {path}: {reason}. Install it again: "
            "pip install --force-reinstall fontpkg-open-sans"
        ) from error
    return content


def own_fonts() -> tuple[Path, ...]:
    """Return the paths of the bundled fonts: Open Sans, upright and italic."""
    return tuple(sorted(_folder().glob("*.ttf")))


@dataclass(frozen=True, slots=True)
class Face:
    """One face of a font file."""

    file: bytes | mmap = field(repr=False)
    tables: Mapping[bytes, tuple[int, int]]
    """The place and the length of each table in the file, by its tag, in the order of the file."""
    signature: bytes = _SIGNATURES[0]

    @property
    def has_colours(self) -> bool:
        """Return whether glyphs can have colours of their own, as emoji have."""
        return not self.tables.keys().isdisjoint(_COLOUR_TABLES)

    @property
    def has_space(self) -> bool:
        """Return whether the face has a space. HarfBuzz makes all other blanks from it.

        Raises:
            Undecodable: The face is damaged, or has no Unicode ``cmap``.

        """
        return bool(self._find({ord(" ")}))

    def find_missing(self, text: str) -> str:
        """Return the text's characters that the face has no glyph for.

        The result is sorted by code point. It leaves out characters that need no glyph, such as blanks.

        Raises:
            Undecodable: The face is damaged, or has no Unicode ``cmap``.

        """
        wanted = {ord(each) for each in unicodedata.normalize("NFC", text) if not _is_invisible(each)}
        return "".join(chr(code) for code in sorted(wanted - self._find(wanted)))

    def as_file(self) -> bytes:
        """Return a font file that has only this face.

        Source: OpenType, "Organization of an OpenType font".
        """
        if self.file[:4] == self.signature:
            return bytes(self.file)
        head = [self.signature + struct.pack(">HHHH", len(self.tables), 0, 0, 0)]
        body, end = [], 12 + 16 * len(self.tables)
        for tag, (at, length) in self.tables.items():
            head.append(tag + struct.pack(">III", 0, end, length))
            body.append(self.file[at : at + length] + bytes(-length % 4))
            end += len(body[-1])
        return b"".join(head + body)

    def _find(self, codes: set[int]) -> set[int]:
        """Return the code points that have a glyph."""
        try:
            return set(_find_glyphs(self._read_cmap(), codes))
        except (struct.error, IndexError) as error:
            raise Undecodable(f"the font is damaged ({error})") from error

    def _read_cmap(self) -> bytes:
        """Return a Unicode subtable of ``cmap``, beginning with its format.

        The format is 12 if there is such a subtable, or else 4.
        """
        at, length = self.tables.get(b"cmap", (0, 0))
        cmap = self.file[at : at + length] or bytes(4)
        (count,) = struct.unpack_from(">H", cmap, 2)
        subtables = {}
        for entry in range(4, 4 + 8 * count, 8):
            platform, encoding, start = struct.unpack_from(">HHI", cmap, entry)
            if platform == 0 or (platform, encoding) in ((3, 1), (3, 10)):
                subtables[struct.unpack_from(">H", cmap, start)[0]] = cmap[start:]
        for known in _SUBTABLES:
            if known in subtables:
                return subtables[known]
        raise Undecodable("the font has no Unicode characters")


def read_faces(font: bytes | mmap) -> tuple[Face, ...]:
    """Return the faces of a font file, at least one.

    Raises:
        Undecodable: The file isn't a TrueType or OpenType font, or is damaged.

    """
    try:
        starts: tuple[int, ...] = (0,)
        if font[:4] == _COLLECTION:
            (count,) = struct.unpack_from(">I", font, 8)
            starts = struct.unpack_from(f">{count}I", font, 12)
        faces = tuple(_read_face(font, start) for start in starts)
    except struct.error as error:
        raise Undecodable(f"the font is damaged ({error})") from error
    if not faces:
        raise Undecodable("the collection has no fonts")
    return faces


def _read_face(font: bytes | mmap, start: int) -> Face:
    signature, count = struct.unpack_from(">4sH", font, start)
    if signature not in _SIGNATURES:
        raise Undecodable("the file isn't a TrueType or OpenType font")
    entries = (struct.unpack_from(">4sIII", font, start + 12 + 16 * number) for number in range(count))
    tables = {tag: (at, length) for tag, _, at, length in entries}
    if any(at + length > len(font) for at, length in tables.values()):
        raise Undecodable("the font is damaged: it ends too early")
    return Face(font, tables, signature)


def choose_face(font: bytes, text: str, number: int | None = None) -> Face:
    """Return the face with this number, or the best face for the text.

    The best face is the first of those that have the most characters of the text. If the file isn't a
    collection, this function returns its only face and ignores the number, because a function's bundle
    contains only the chosen face of a collection.

    Raises:
        Undecodable: The file isn't a font, is damaged, or has no face with this number.

    """
    faces = read_faces(font)
    if number is not None and font.startswith(_COLLECTION):
        if number >= len(faces):
            raise Undecodable(
                f"the collection has no face {number}: its {len(faces)} faces are numbered from 0"
            )
        return faces[number]
    best, fewest = faces[0], len(text) + 1
    for face in faces:
        missing = len(face.find_missing(text))
        if missing < fewest:
            best, fewest = face, missing
        if not missing:
            break
    return best


def find_missing(font: bytes, text: str) -> str:
    """Return the text's characters that the font lacks; see :func:`choose_face`.

    Raises:
        Undecodable: The file isn't a font, or is damaged.

    """
    return choose_face(font, text).find_missing(text)


def _is_invisible(character: str) -> bool:
    return unicodedata.category(character) in _INVISIBLE or ord(character) in _SELECTORS


def _find_glyphs(subtable: bytes, codes: Iterable[int]) -> Iterator[int]:
    """Yield the code points among ``codes`` that have a glyph."""
    (kind,) = struct.unpack_from(">H", subtable)
    find = _find_in_groups if kind == 12 else _find_in_segments
    yield from find(subtable, codes)


def _find_in_groups(subtable: bytes, codes: Iterable[int]) -> Iterator[int]:
    """Yield the codes with a glyph in a subtable of format 12. Its groups are sorted."""
    (count,) = struct.unpack_from(">I", subtable, 12)
    numbers = struct.unpack_from(f">{3 * count}I", subtable, 16)
    firsts, lasts, glyphs = numbers[::3], numbers[1::3], numbers[2::3]
    for code in codes:
        group = bisect_right(firsts, code) - 1
        if group >= 0 and code <= lasts[group] and glyphs[group] + code - firsts[group]:
            yield code


def _find_in_segments(subtable: bytes, codes: Iterable[int]) -> Iterator[int]:
    """Yield the codes that have a glyph in a subtable of format 4."""
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
