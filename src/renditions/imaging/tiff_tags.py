"""Read the directories of a TIFF (TIFF 6.0, section 2; BigTIFF), as far as they can be parsed."""

from __future__ import annotations

import struct
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

NEW_SUBFILE_TYPE, BITS, COMPRESSION, PHOTOMETRIC = 254, 258, 259, 262
SAMPLES, PLANAR, X_RESOLUTION, Y_RESOLUTION = 277, 284, 282, 283
PREDICTOR, EXTRA_SAMPLES, SAMPLE_FORMAT = 317, 338, 339

_TYPES = {1: "B", 3: "H", 4: "I", 5: "II", 13: "I", 16: "Q"}
"""How :mod:`struct` reads a value of each type: BYTE, SHORT, LONG, RATIONAL (two numbers), IFD and LONG8."""
_SHORT = 3
_MAX_DIRECTORIES = 65_536
"""The most directories that are followed. libtiff reads no more than these."""


@dataclass(frozen=True, slots=True)
class Field:
    """An entry of a directory."""

    at: int
    """The offset of the entry in the file."""
    values: Sequence[int]
    """Its values. A rational number is two values."""

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
        """Return the number of this kind at this offset; 0 beyond the end of the file."""
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
        """Return the fields with these tags of the directory at this offset, if they lie in the file."""
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
    """Return the fields with these tags of a page, numbered from 0; none if there is no such page."""
    directories = Directories(content)
    at = next(islice(directories.offsets(), page, None), None)
    return {} if at is None else directories.read(at, tags)


def set_short(content: bytearray, entry: int, value: int) -> None:
    """Make the entry at this offset hold one number of 16 bits."""
    directories = Directories(content)
    room = directories.room
    number = struct.pack(f"{directories.order}H", value).ljust(room, b"\0")
    content[entry + 2 : entry + 4] = struct.pack(f"{directories.order}H", _SHORT)
    content[entry + 4 : entry + 4 + room] = struct.pack(f"{directories.order}{directories.offset}", 1)
    content[entry + 4 + room : entry + 4 + 2 * room] = number
