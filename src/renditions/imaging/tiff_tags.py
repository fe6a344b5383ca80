"""Read the directories of a TIFF as far as possible, and change single entries.

The sources are TIFF 6.0, section 2, and BigTIFF.
"""

from __future__ import annotations

import struct
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

NEW_SUBFILE_TYPE, SUBFILE_TYPE, BITS, COMPRESSION, PHOTOMETRIC = 254, 255, 258, 259, 262
SAMPLES, PLANAR, X_RESOLUTION, Y_RESOLUTION = 277, 284, 282, 283
FILL_ORDER, ORIENTATION, RESOLUTION_UNIT = 266, 274, 296
YCBCR_COEFFICIENTS, YCBCR_SUBSAMPLING, REFERENCE_BLACK_WHITE = 529, 530, 532
PREDICTOR, SUB_DIRECTORIES, EXTRA_SAMPLES, SAMPLE_FORMAT, DNG_VERSION = 317, 330, 338, 339, 50_706

_TYPES = {1: "B", 3: "H", 4: "I", 5: "II", 13: "I", 16: "Q"}
"""How :mod:`struct` reads a value of each type: BYTE, SHORT, LONG, RATIONAL (two numbers), IFD and LONG8."""
_SHORT = 3
_REDUCED_OR_MASK = 0b101
"""The bits of NewSubfileType for a reduced picture, and for a mask of another one."""
_OLD_REDUCED = 2
"""The value of the older tag SubfileType that marks a reduced picture."""
_SENSOR_COLOURS = (32_803, 34_892)
"""The values of PhotometricInterpretation for data of a sensor (TIFF/EP, DNG)."""
_MOST_SEARCHED = 8
"""How many directories, and how many parts of each, are searched for camera RAW."""
_MAX_DIRECTORIES = 65_536
"""How many directories this module follows."""


@dataclass(frozen=True, slots=True)
class Field:
    """An entry of a directory."""

    at: int
    """The offset of the entry in the file."""
    values: Sequence[int]
    """The entry's values. A rational number is two values."""

    @property
    def first(self) -> int:
        """Return the first value; 0 if there is none."""
        return self.values[0] if self.values else 0


class Directories:
    """The directories of one file."""

    def __init__(self, content: bytes | bytearray) -> None:
        self.content = content
        self.order = "<" if content.startswith(b"II") else ">"
        self.is_big = content[2:4] in (b"+\0", b"\0+")
        self._count, self._entry, self.offset = ("Q", 20, "Q") if self.is_big else ("H", 12, "I")
        self.room = struct.calcsize(f"={self.offset}")
        """How many bytes of values an entry itself can hold."""

    def number(self, kind: str, at: int) -> int:
        """Return the number at this offset; 0 beyond the end of the file.

        ``kind`` is its format character in :mod:`struct`.
        """
        if at + struct.calcsize("=" + kind) > len(self.content):
            return 0
        return int(struct.unpack_from(self.order + kind, self.content, at)[0])

    def offsets(self) -> Iterator[int]:
        """Yield the offset of each directory in the file's chain."""
        seen: set[int] = set()
        at = self.number(self.offset, 8 if self.is_big else 4)
        while 0 < at < len(self.content) and at not in seen and len(seen) < _MAX_DIRECTORIES:
            seen.add(at)
            yield at
            entries = at + struct.calcsize("=" + self._count)
            at = self.number(self.offset, entries + self.number(self._count, at) * self._entry)

    def read(self, at: int, tags: Container[int]) -> dict[int, Field]:
        """Return the directory's fields with these tags, by tag.

        Fields of other types than ``_TYPES``, or with values outside the file, are left out.
        """
        size = struct.calcsize("=" + self._count)
        end = min(at + size + self.number(self._count, at) * self._entry, len(self.content) - self._entry + 1)
        entries = (entry for entry in range(at + size, end, self._entry) if self.number("H", entry) in tags)
        found = ((self.number("H", entry), entry, self._values(entry)) for entry in entries)
        return {tag: Field(entry, values) for tag, entry, values in found if values is not None}

    def _values(self, entry: int) -> Sequence[int] | None:
        kind = _TYPES.get(self.number("H", entry + 2))
        if kind is None:
            return None
        count = self.number(self.offset, entry + 4)
        values = entry + 4 + self.room
        size = count * struct.calcsize("=" + kind)
        if size > self.room:
            values = self.number(self.offset, values)
        if values + size > len(self.content):
            return None
        return struct.unpack_from(f"{self.order}{count * len(kind)}{kind[0]}", self.content, values)


def read_page(content: bytes, page: int, tags: Container[int]) -> dict[int, Field]:
    """Return a page's fields with these tags, by tag.

    Pages are numbered from 0. The result is empty if there is no such page.
    """
    directories = Directories(content)
    at = next(islice(directories.offsets(), index_of(content, page), None), None)
    return {} if at is None else directories.read(at, tags)


def index_of(content: bytes, page: int) -> int:
    """Return the number of the page's directory; both are numbered from 0.

    If there is no such page, return the number of directories, which is no directory's number.
    """
    index = next(islice(_full_pages(content), page, None), None)
    return sum(1 for _ in Directories(content).offsets()) if index is None else index


def count_pages(content: bytes) -> int:
    """Return how many pages there are."""
    return sum(1 for _ in _full_pages(content))


def _full_pages(content: bytes) -> Iterator[int]:
    """Yield the number of each directory that is a page.

    A reduced picture or a mask of another picture isn't a page. If the file has nothing else, each directory
    is a page.
    """
    directories = Directories(content)
    is_any = False
    for index, at in enumerate(directories.offsets()):
        found = directories.read(at, (NEW_SUBFILE_TYPE, SUBFILE_TYPE))
        kind, old = (found[tag].first if tag in found else 0 for tag in (NEW_SUBFILE_TYPE, SUBFILE_TYPE))
        if not kind & _REDUCED_OR_MASK and old != _OLD_REDUCED:
            is_any = True
            yield index
    if not is_any:
        yield from range(sum(1 for _ in directories.offsets()))


def is_camera_raw(content: bytes) -> bool:
    """Return whether the file holds data of a camera's sensor.

    Formats with such data are DNG, NEF, ARW and the like. This function searches only the first directories.
    """
    directories = Directories(content)
    tags = (PHOTOMETRIC, SUB_DIRECTORIES, DNG_VERSION)
    for at in islice(directories.offsets(), _MOST_SEARCHED):
        page = directories.read(at, tags)
        parts = page[SUB_DIRECTORIES].values[:_MOST_SEARCHED] if SUB_DIRECTORIES in page else ()
        for found in (page, *(directories.read(part, tags) for part in parts)):
            if DNG_VERSION in found:
                return True
            if PHOTOMETRIC in found and found[PHOTOMETRIC].first in _SENSOR_COLOURS:
                return True
    return False


def set_short(content: bytearray, entry: int, value: int) -> None:
    """Change the entry at this offset, so that it holds only this number of 16 bits."""
    directories = Directories(content)
    room = directories.room
    number = struct.pack(f"{directories.order}H", value).ljust(room, b"\0")
    content[entry + 2 : entry + 4] = struct.pack(f"{directories.order}H", _SHORT)
    content[entry + 4 : entry + 4 + room] = struct.pack(f"{directories.order}{directories.offset}", 1)
    content[entry + 4 + room : entry + 4 + 2 * room] = number
